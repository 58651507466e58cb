package relief

import (
	"strconv"

	"github.com/lmkd/lmkd/internal/sys"
)

// chunk is how much is asked for at once: between two an act can end.
const chunk = 4 << 20

// reclaim takes the amount from the cgroups in their order, each as far as it
// gives. What counts is how much less they hold.
func (w *Worker) reclaim() (r Result) {
	left := w.act.Amount
	for _, dir := range Find(w.tools.Cgroups, w.act.Cgroups) {
		if left == 0 || w.over() {
			break
		}
		r.Cgroups++
		if w.tools.Dry {
			continue
		}
		before := charged(dir)
		var e sys.Errno
		left, e = w.squeeze(dir, left)
		if now := charged(dir); now < before {
			r.Bytes += before - now
		}
		if e != 0 && r.Errno == 0 && !gone(dir) {
			r.Errno = e
		}
	}
	return r
}

// squeeze reclaims from one cgroup until it gives no more, which the kernel
// answers with EAGAIN.
func (w *Worker) squeeze(dir string, left uint64) (uint64, sys.Errno) {
	for left > 0 && !w.over() {
		n := min(left, chunk)
		switch e := write(dir, "memory.reclaim", strconv.FormatUint(n, 10)); e {
		case 0:
			left -= n
		case sys.EAGAIN, sys.EINTR:
			return left, 0
		default:
			return left, e
		}
	}
	return left, 0
}
