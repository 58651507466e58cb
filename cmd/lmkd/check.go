package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lmkd/lmkd/internal/config"
	"github.com/lmkd/lmkd/internal/engine"
	"github.com/lmkd/lmkd/internal/probe"
	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/pkg/psi"
)

// checkOptions are the flags of check.
type checkOptions struct {
	config  string
	explain bool
	json    bool
}

func newCheckCommand() *cobra.Command {
	var o checkOptions
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Check the configuration and what the kernel gives",
		Long: `Check the configuration, and try what the kernel and the permissions of this
process give: what works, what is lacking, what is lost without it, and what
cures it. Nothing is changed and nobody is killed.

Exit codes: 0 when everything that the policy needs is there, 1 when something
of it is lacking, 2 when the configuration is wrong, 77 when root would have
been permitted more.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.OutOrStdout()) },
	}
	cmd.Flags().StringVarP(&o.config, "config", "c", "", "configuration `file` (default "+config.DefaultPath+", if it exists)")
	cmd.Flags().BoolVar(&o.explain, "explain", false, "say in sentences when the daemon would act")
	cmd.Flags().BoolVar(&o.json, "json", false, "write one JSON object")
	return cmd
}

func (o *checkOptions) run(w io.Writer) error {
	cfg, err := config.Load(o.config)
	if err != nil {
		return exit(exitUsage, err)
	}
	r := newCheckReport(cfg, probe.Report("/", needs(cfg)))
	if r.Rules, err = matchRules(cfg); err != nil {
		return exit(exitFailed, err)
	}
	r.Relief = matchActs(cfg)
	if r.Domains, err = matchDomains(cfg); err != nil {
		return exit(exitFailed, err)
	}
	if o.explain {
		r.Explain = cfg.Explain()
	}
	write := r.text
	if o.json {
		write = r.json
	}
	if err := write(w); err != nil {
		return exit(exitFailed, fmt.Errorf("write the report: %w", err))
	}
	return verdict(r.Findings, os.Geteuid() == 0)
}

// needs says what a policy cannot do without. A board is not expected to have
// pressure triggers, and Android's rules do not look for exhaustion.
func needs(cfg *config.Config) probe.Needs {
	m := &cfg.Machine
	return probe.Needs{
		Arm:        armed(m),
		Triggers:   cfg.Profile != config.Embedded && !m.Vmpressure,
		Vmpressure: m.Vmpressure,
		Exhaust:    m.Pressure.LowAvailable > 0,
		Realtime:   cfg.Realtime,
		Reclaim:    relieves(cfg, engine.Reclaim),
		Freeze:     relieves(cfg, engine.Freeze),
	}
}

// armed are the triggers of a policy.
func armed(m *engine.Policy) (out []psi.Threshold) {
	for _, t := range []psi.Threshold{
		{Kind: psi.Some, Stall: m.Low, Window: m.Window},
		{Kind: psi.Some, Stall: m.Partial, Window: m.Window},
		{Kind: psi.Full, Stall: m.Complete, Window: m.Window},
	} {
		if t.Stall > 0 && !m.Vmpressure {
			out = append(out, t)
		}
	}
	return out
}

// verdict turns the findings into the exit code. What root may not do either is
// lacking; there is nobody to ask for the permission.
func verdict(findings []probe.Finding, root bool) error {
	worst := probe.Worst(findings)
	if worst == probe.OK {
		return nil
	}
	lacking := probe.Names(findings, func(f *probe.Finding) bool { return f.Needed && f.Lacking() })
	if worst == probe.Denied && !root {
		return exit(exitPermitted, errors.New("not permitted or not there: "+lacking+"; run it as root to tell"))
	}
	return exit(exitFailed, errors.New("needed and not there: "+lacking))
}

// checkReport is the result of a check, in the shape of its JSON.
type checkReport struct {
	Config   string           `json:"config"`
	Profile  string           `json:"profile"`
	Kernel   string           `json:"kernel"`
	OK       bool             `json:"ok"`
	Settings []config.Setting `json:"settings"`
	Warning  string           `json:"warning,omitempty"`
	Explain  []string         `json:"explain,omitempty"`
	Findings []probe.Finding  `json:"findings"`
	Rules    []ruleMatches    `json:"rules,omitempty"`
	Relief   []actMatches     `json:"relief,omitempty"`
	Domains  []domainMatches  `json:"domains,omitempty"`
}

func newCheckReport(cfg *config.Config, findings []probe.Finding) *checkReport {
	return &checkReport{
		Config: cfg.Source, Profile: cfg.Profile.String(), Kernel: sys.KernelRelease(),
		OK: probe.Worst(findings) == probe.OK, Warning: cfg.UntilRegistered(), Settings: cfg.Settings(), Findings: findings,
	}
}

func (r *checkReport) json(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

func (r *checkReport) text(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "config  %s: valid, profile %s\nkernel  %s\n", r.Config, r.Profile, r.Kernel)
	if r.Warning != "" {
		b.WriteString(wrap(r.Warning, "note    ", "        "))
	}
	if len(r.Explain) > 0 {
		b.WriteByte('\n')
	}
	for _, sentence := range r.Explain {
		b.WriteString(wrap(sentence, "  ", "    "))
	}
	b.WriteByte('\n')
	for i := range r.Findings {
		writeFinding(&b, &r.Findings[i])
	}
	writeRules(&b, r.Rules)
	writeActs(&b, r.Relief)
	writeDomains(&b, r.Domains)
	_, err := io.WriteString(w, b.String())
	return err
}
