package victim

import "math/bits"

// Disjoin finds, among the processes of a table that phase two has read, how
// much of the shared memory of each others have too: shmem is all that the
// machine has of it, in bytes, 0 when that is not known. What they have together
// beyond that is counted more than once: first between processes of one name and
// one user, as far as that can be, then between all. A page that n share counts
// as the nth part for each, so that the sum over a unit is right. Nothing but
// their page tables could tell it exactly.
func Disjoin(table []Process, shmem uint64) {
	total := uint64(0)
	for i := range table {
		table[i].Joint = 0
		total += table[i].RssShmem
	}
	if shmem == 0 || total <= shmem {
		return
	}
	twice := total - shmem
	among := uint64(0) // what families can have twice at most
	for i := range table {
		f := familyOf(table, i)
		if f.first == i {
			among += f.total - f.most
		}
	}
	share := min(twice, among)
	for i := range table {
		if f := familyOf(table, i); f.total > f.most {
			table[i].Joint = portion(table[i].RssShmem, portion(f.total-f.most, share, among), f.total)
		}
	}
	left := total - share
	for i := range table {
		table[i].Joint += portion(table[i].RssShmem-table[i].Joint, twice-share, left)
	}
}

// family is those of one name and one user.
type family struct {
	first       int
	total, most uint64 // of shared memory
}

func familyOf(table []Process, i int) family {
	f := family{first: -1}
	for j := range table {
		p := &table[j]
		if p.Comm != table[i].Comm || p.UID != table[i].UID {
			continue
		}
		if f.first < 0 {
			f.first = j
		}
		f.total += p.RssShmem
		f.most = max(f.most, p.RssShmem)
	}
	return f
}

// portion is of*num/den, rounded down; num is at most den.
func portion(of, num, den uint64) uint64 {
	if num == 0 || den == 0 {
		return 0
	}
	hi, lo := bits.Mul64(of, num)
	out, _ := bits.Div64(hi, lo, den)
	return out
}
