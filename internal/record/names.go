package record

import (
	"fmt"
	"reflect"

	"github.com/lmkd/lmkd/internal/engine"
	"github.com/lmkd/lmkd/pkg/pressure"
)

// Enumerations stand in a trace by name, so that a reader needs no table and a
// renumbering does not change what an old trace says.

func names[T fmt.Stringer](values ...T) map[string]T {
	m := make(map[string]T, len(values))
	for _, v := range values {
		m[v.String()] = v
	}
	return m
}

var (
	kinds = names(engine.Started, engine.Woken, engine.Elapsed, engine.Sampled,
		engine.Listed, engine.Signalled, engine.Reaped, engine.Exited, engine.Adopted, engine.Examined, engine.Relieved)
	deeds = names(engine.Sample, engine.List, engine.Survey, engine.Kill, engine.Escalate, engine.Expedite, engine.Examine, engine.Abandon, engine.Wait, engine.Rest,
		engine.Relieve, engine.Relent)
	notes = names(engine.NoNote, engine.Nobody, engine.KillFailed, engine.KillDone,
		engine.KillTimeout, engine.KernelKill, engine.Blind, engine.Held, engine.Ceiling, engine.Lowered,
		engine.KillStuck, engine.Freeing, engine.Cooling, engine.Relieving)
	levels = names(pressure.LevelNone, pressure.LevelLow, pressure.LevelMedium, pressure.LevelCritical)
)

var reasons = names(append(pressure.Reasons(), pressure.None)...)

// parseName gives the value that name stands for.
func parseName[T any](m map[string]T, name string, v *T) error {
	got, ok := m[name]
	if !ok {
		return fmt.Errorf("unknown %s %q", reflect.TypeFor[T]().Name(), name)
	}
	*v = got
	return nil
}

// holds turns words into bits; one that is unknown is an error.
func holds(words []string) (h engine.Hold, err error) {
	for _, word := range words {
		bit := engine.ParseHold(word)
		if bit == 0 {
			return h, fmt.Errorf("unknown hold %q", word)
		}
		h |= bit
	}
	return h, nil
}
