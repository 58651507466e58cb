package record

// Sink takes entries, one at a time, in the publisher's goroutine. What an
// entry points to is lent for the call.
type Sink interface {
	Record(*Entry)
}

// Flusher is a Sink that gathers: Flush is called when nothing more waits.
type Flusher interface {
	Flush()
}

// Publisher hands the entries of one ring to sinks. At rest its goroutine is
// blocked, and nothing runs.
type Publisher struct {
	cursor cursor
	sinks  []Sink
	quit   chan struct{}
	done   chan struct{}
}

// Publish starts to hand what r holds and will hold to the sinks, in the order
// given. A ring has one publisher in its life.
func Publish(r *Ring, sinks ...Sink) *Publisher {
	p := &Publisher{
		cursor: cursor{ring: r}, sinks: sinks,
		quit: make(chan struct{}), done: make(chan struct{}),
	}
	go p.run()
	return p
}

// Close publishes what is left and ends the goroutine. The loop must have ended
// before.
func (p *Publisher) Close() {
	close(p.quit)
	<-p.done
}

func (p *Publisher) run() {
	defer close(p.done)
	for {
		select {
		case <-p.cursor.ring.wake:
			p.drain()
		case <-p.quit:
			p.drain()
			return
		}
	}
}

func (p *Publisher) drain() {
	p.cursor.each(func(e *Entry) {
		for _, s := range p.sinks {
			s.Record(e)
		}
	})
	for _, s := range p.sinks {
		if f, ok := s.(Flusher); ok {
			f.Flush()
		}
	}
}
