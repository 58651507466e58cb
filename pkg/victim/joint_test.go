package victim_test

import (
	"testing"

	"github.com/lmkd/lmkd/pkg/victim"
)

// Whatever processes map: none has more left to others than it has, and together
// they count what the machine has of shared memory, but for what is rounded.
func FuzzDisjoin(f *testing.F) {
	f.Add([]byte{9, 9, 3, 0, 200}, uint64(1000))
	f.Add([]byte{255, 255, 255, 255}, uint64(1))
	f.Fuzz(func(t *testing.T, in []byte, shmem uint64) {
		in = in[:min(len(in), 64)]
		table := make([]victim.Process, len(in))
		total, counted := uint64(0), uint64(0)
		for i, b := range in {
			table[i].RssShmem = uint64(b) << (b % 40)
			table[i].UID = uint32(b % 3)
			total += table[i].RssShmem
		}
		victim.Disjoin(table, shmem)
		for i := range table {
			if table[i].Joint > table[i].RssShmem {
				t.Fatalf("%d of %d", table[i].Joint, table[i].RssShmem)
			}
			counted += table[i].RssShmem - table[i].Joint
		}
		want := min(total, shmem)
		if shmem == 0 {
			want = total
		}
		if counted < want || counted > want+uint64(4*len(in)) {
			t.Errorf("%d counted of %d, the machine has %d", counted, total, shmem)
		}
	})
}
