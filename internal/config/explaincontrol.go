package config

import (
	"fmt"

	"github.com/lmkd/lmkd/pkg/victim"
)

// explainRegistered says what clients can do, and what becomes of the processes
// that they register.
func (c *Config) explainRegistered() []string {
	if c.Control.Android == "" {
		return []string{"Nobody registers processes with me (control.android_socket is off): everybody is a candidate."}
	}
	who := "root"
	for _, uid := range c.Control.Trusted {
		who += fmt.Sprintf(" or uid %d", uid)
	}
	return []string{c.rolled() + c.listed(), "Clients of " + who + " may register any process, others processes of their own, whose oom_score_adj they never lower."}
}

// UntilRegistered warns of what a policy does that chooses only registered
// processes as long as no client registers any; empty for any other policy.
func (c *Config) UntilRegistered() string {
	if c.Machine.Victim.Roll != victim.RollOnly {
		return ""
	}
	s := "only processes that a client registered may die (victim.registered: only); until the first registration everybody may"
	if c.Control.Android == "" {
		s += ", and no client is heard (control.android_socket: off)"
	}
	return s
}

// rolled is the place of registered processes.
func (c *Config) rolled() string {
	switch c.Machine.Victim.Roll {
	case victim.RollOnly:
		return "I choose only processes that a client registered; as long as none ever did since my start, everybody."
	case victim.RollFirst:
		return "Processes that a client registered go before all others."
	case victim.RollBeside:
		return "Processes that a client registered are ranked with all others" + c.word() + "."
	}
	return "What clients register I do not ask for."
}

// listed is the order among them.
func (c *Config) listed() string {
	v := &c.Machine.Victim
	if v.Roll != victim.RollOnly && v.Roll != victim.RollFirst {
		return ""
	}
	s := " Of them the one with the highest oom_score_adj goes first" + c.word() + ", of one value "
	if v.KillHeaviest {
		return s + "the one that gives back the most."
	}
	return s + "the one that was given it the longest ago, at 200 and below the one that gives back the most."
}

// word says whose oom_score_adj it is.
func (c *Config) word() string {
	whose := "their client said"
	if c.Machine.Victim.RollKernel {
		whose = "the kernel has"
	}
	return ", by the value that " + whose
}
