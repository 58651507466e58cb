package exitwait

import (
	"sync"
	"time"
)

// poller asks /proc at an interval: the last resort.
type poller struct {
	process  *Process
	id       identity
	interval time.Duration
	stop     chan struct{}
	once     sync.Once
}

func (s *poller) attach() error {
	s.refresh()
	go s.run()
	return nil
}

func (s *poller) detach() { s.once.Do(func() { close(s.stop) }) }

func (s *poller) run() {
	tick := time.NewTicker(s.interval)
	defer tick.Stop()
	for !s.ask() {
		select {
		case <-tick.C:
		case <-s.stop:
			return
		}
	}
}

func (s *poller) refresh() { s.ask() }

// ask looks once, tells what it saw, and reports whether that was the exit.
func (s *poller) ask() (over bool) {
	st, exit, dead := s.id.look()
	switch {
	case dead:
		s.process.finish(s, exit)
	case st.state == 'T':
		s.process.change(s, Stopped, 0)
	case st.state != 0:
		s.process.change(s, Running, 0)
	}
	return dead
}
