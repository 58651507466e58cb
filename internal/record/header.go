package record

import (
	"errors"
	"fmt"

	"github.com/lmkd/lmkd/internal/engine"
)

// Format is the version of the trace's format that this package writes, and
// the only one that it reads.
const Format = 1

// Header is the first line of a trace: all that a replay needs beside the
// entries, and where they come from.
type Header struct {
	Format   int      `json:"lmkd_trace"`
	Version  string   `json:"version"`   // of lmkd
	Kernel   string   `json:"kernel"`    // release
	BootID   string   `json:"boot_id"`   // /proc/sys/kernel/random/boot_id
	PageSize uint64   `json:"page_size"` // bytes
	Domains  []Domain `json:"domains"`
}

// Domain is what is watched by a State of its own: the whole machine, or one
// cgroup. Policy is the policy in force, with what the probes at start made of
// it.
type Domain struct {
	ID     uint16        `json:"id"`
	Name   string        `json:"name"`
	Policy engine.Policy `json:"policy"`
}

// check finds what a replay could not work with.
func (h *Header) check() error {
	if h.Format == 0 {
		return errors.New("not a trace of lmkd: the first line has no lmkd_trace")
	}
	if h.Format != Format {
		return fmt.Errorf("format %d, this lmkd reads format %d", h.Format, Format)
	}
	if len(h.Domains) == 0 {
		return errors.New("the header names no domain")
	}
	for i := range h.Domains {
		for j := range h.Domains[:i] {
			if h.Domains[i].ID == h.Domains[j].ID {
				return fmt.Errorf("the header names domain %d twice", h.Domains[i].ID)
			}
		}
	}
	return nil
}
