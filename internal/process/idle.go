package process

import "github.com/lmkd/lmkd/pkg/victim"

// readBefore is by how much shared and locked memory may have grown since the
// sample.
const readBefore = 16 << 20

// knowsShared tells whether all shared and locked memory of the machine is known.
func (t *Table) knowsShared() bool { return t.ask.Shmem > 0 && t.ask.Within == nil }

// idle fills in what of the file and shmem pages of p, known by phase one, can
// only be file pages that the kernel takes back without a kill: all beyond what
// the machine has of shared and of locked memory. A process that maps shared
// memory twice has more of it; Disjoin counts no more than there is.
func (t *Table) idle(p *victim.Process) {
	if p.Idle = 0; t.knowsShared() {
		p.Idle = p.Shared - min(p.Shared, t.ask.Shmem+t.ask.Mlocked+readBefore)
	}
}
