// Command demo shows a newcomer one kill: it runs in a small guest, starts an
// editor, lmkd and a leak, and tells what happens as it happens. make demo.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/lmkd/lmkd/test/vm/guest"
)

const (
	lmkdPath = "/vm/bin/lmkd"
	patience = 3 * time.Minute
	never    = ^uint64(0)
)

func main() {
	if err := show(); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// stage is the demo while it runs.
type stage struct {
	began       time.Time
	editor, hog *guest.Process
	lmkd        *guest.Process
	told        int // lines of lmkd's that were shown
	before      guest.Mark
	trace       string
	mostSeen    uint64
	lastShown   uint64
}

func show() error {
	s := &stage{began: time.Now(), lastShown: never, trace: guest.OutPath("demo.trace")}
	defer s.end()
	if err := s.open(); err != nil {
		return err
	}
	if err := s.watch(); err != nil {
		return err
	}
	return s.tell()
}

func (s *stage) say(format string, args ...any) {
	fmt.Printf("%6.1fs  %s\n", time.Since(s.began).Seconds(), fmt.Sprintf(format, args...))
}

// open starts everybody, the hog last.
func (s *stage) open() (err error) {
	if err = guest.ProtectSelf(); err != nil {
		return err
	}
	if s.editor, err = guest.Hog("editor", "innocent", "-mb", "20"); err != nil {
		return err
	}
	if s.lmkd, err = guest.Program(io.Discard, 0, lmkdPath, "run", "--trace", s.trace); err != nil {
		return err
	}
	if !guest.Until(patience, func() bool { return s.said("is ready") || !s.lmkd.Alive() }) || !s.lmkd.Alive() {
		return fmt.Errorf("lmkd is not ready: %s: %q", s.lmkd.Fate(), s.lmkd.Lines())
	}
	s.show()
	if s.before, err = guest.TakeMark(); err != nil {
		return err
	}
	s.mostSeen = s.before.Available
	s.say("an editor uses 20 MB. A leak of 40 MB/s starts: nothing of lmkd's runs until the kernel speaks.")
	s.hog, err = guest.Hog("leak", "leak")
	return err
}

// watch shows memory falling and lmkd's lines until the leak is gone and lmkd
// has told its end.
func (s *stage) watch() error {
	over := guest.Until(patience, func() bool {
		s.bar()
		s.show()
		return !s.hog.Alive() && s.said("Killed 'leak'")
	})
	s.show()
	if !over {
		return fmt.Errorf("the leak is still there: %s", s.hog.Fate())
	}
	s.lastShown = never
	s.bar()
	return nil
}

// bar shows available memory each time that it moved by a tenth.
func (s *stage) bar() {
	available, err := guest.MemAvailable()
	if err != nil {
		return
	}
	tenth := available * 10 / s.mostSeen
	if tenth == s.lastShown {
		return
	}
	s.lastShown = tenth
	s.say("available %4d MB %s", available>>20, strings.Repeat("█", int(available*40/s.mostSeen)))
}

// show passes on what lmkd has said since the last time.
func (s *stage) show() {
	lines := s.lmkd.Lines()
	for _, line := range lines[s.told:] {
		if _, text, ok := strings.Cut(line, " "); ok { // the date
			_, line, _ = strings.Cut(text, " ") // and the time
		}
		s.say("lmkd: %s", line)
	}
	s.told = len(lines)
}

func (s *stage) said(text string) bool {
	for _, line := range s.lmkd.Lines() {
		if strings.Contains(line, text) {
			return true
		}
	}
	return false
}

// tell sums up, and shows the flight recorder's account.
func (s *stage) tell() error {
	after, err := guest.TakeMark()
	if err != nil {
		return err
	}
	if err := s.lmkd.Terminate(); err != nil {
		return err
	}
	if err := s.lmkd.WaitExit(patience); err != nil {
		return err
	}
	s.say("the editor is %s; all tasks stalled for %v in all; kills by the kernel's own OOM killer: %d",
		s.editor.Fate(), after.Stalled(s.before).Full, after.OOMKills-s.before.OOMKills)
	fmt.Printf("\nThe flight recorder, played back through the same decisions (lmkd replay):\n\n")
	replay := exec.Command(lmkdPath, "replay", s.trace)
	replay.Stdout, replay.Stderr = os.Stdout, os.Stderr
	if err := replay.Run(); err != nil {
		return fmt.Errorf("replay: %w", err)
	}
	if !s.editor.Alive() || after.OOMKills != s.before.OOMKills {
		return errors.New("that was not how it was meant to go")
	}
	return nil
}

func (s *stage) end() {
	for _, p := range []*guest.Process{s.hog, s.lmkd, s.editor} {
		if p != nil {
			p.Kill()
		}
	}
}
