package sys

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// OpenFaults counts the minor page faults of all tasks on one CPU
// (PERF_COUNT_SW_PAGE_FAULTS_MIN) and runs the BPF program prog, of type
// PERF_EVENT, at each period of them, on that CPU. Counting begins at once and
// ends with Close. EINVAL: there is no such CPU; ENODEV: it is offline; EACCES
// or EPERM: CAP_PERFMON is missing, or a container's filter refuses it.
func OpenFaults(cpu int, period uint64, prog int) (FD, Errno) {
	attr := unix.PerfEventAttr{
		Type:   unix.PERF_TYPE_SOFTWARE,
		Config: unix.PERF_COUNT_SW_PAGE_FAULTS_MIN,
		Sample: period,
	}
	attr.Size = uint32(unsafe.Sizeof(attr))
	n, err := unix.PerfEventOpen(&attr, -1, cpu, -1, unix.PERF_FLAG_FD_CLOEXEC)
	if err != nil {
		return FD{}, errno(err)
	}
	fd := NewFD(n)
	if err := unix.IoctlSetInt(n, unix.PERF_EVENT_IOC_SET_BPF, prog); err != nil {
		_ = fd.Close()
		return FD{}, errno(err)
	}
	return fd, 0
}
