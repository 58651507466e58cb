package main

import (
	"log"

	"github.com/lmkd/lmkd/internal/record"
)

type tmpLog struct{ say *log.Logger }

func (l tmpLog) Record(e *record.Entry) {
	l.say.Printf("%v %v note=%v", e.In.Kind, e.In.Source, e.Out.Note)
	if e.Out.Verdict != nil {
		l.say.Printf("  verdict %+v", *e.Out.Verdict)
	}
	for _, a := range e.Out.Actions {
		l.say.Printf("  do %v until %v idx %d", a.Do, a.Until, a.Index)
	}
	if e.Out.Outcome != nil {
		o := e.Out.Outcome
		l.say.Printf("  outcome victim %d %q gain %d sig %d(%v) reap %v %d(%v) exit-sig %v freed %d", o.Victim.PID, o.Victim.Name(), o.Gain, o.SignalErrno, o.SignalTook, o.Reaped, o.ReapErrno, o.ReapTook, o.ExitedAt-o.SignalledAt, o.Freed())
	}
}
