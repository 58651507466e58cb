package memevent

import (
	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"

	"github.com/lmkd/lmkd/internal/sys"
)

const (
	// faultStep is how many page faults of a CPU are counted at once, a
	// megabyte on most machines: the program runs that seldom.
	faultStep = 256
	// hugePages is how many pages a huge page fault takes: 2 MiB of 4 KiB.
	hugePages = 512
	// hugeFault is the kernel's function for one. Its faults count as one more
	// where there are none.
	hugeFault = "do_huge_pmd_anonymous_page"
)

// attachFaults counts page faults: by perf events, or where those are refused on
// the tracepoint of user faults, which some architectures have and which runs the
// program at each. Debian wants CAP_SYS_ADMIN for perf events.
func (s *Source) attachFaults(p programs) error {
	err := s.attachFaultEvents(p)
	if err == nil || s.attachFaultTracepoint(p) == nil {
		return nil
	}
	return err
}

// attachFaultTracepoint counts write faults in user mode one by one. Huge ones
// count as one page.
func (s *Source) attachFaultTracepoint(p programs) error {
	var err error
	s.unsummed, err = ebpf.NewMap(&ebpf.MapSpec{
		Name: "lmkd_unsummed", Type: ebpf.PerCPUArray, MaxEntries: 1, KeySize: 4, ValueSize: 8,
	})
	if err != nil {
		return explain("create BPF map for page faults", err)
	}
	s.attached = append(s.attached, s.unsummed)
	return s.attach("page_fault_user", p.userFault(s.unsummed.FD()))
}

// attachFaultEvents counts page faults on every CPU that is online, and huge ones
// where the kernel has them.
func (s *Source) attachFaultEvents(p programs) error {
	prog, err := load(ebpf.PerfEvent, "lmkd_faults", p.faults(faultStep))
	if err != nil {
		return explain("load BPF program for page faults", err)
	}
	s.attached = append(s.attached, prog)
	for cpu := 0; ; cpu++ {
		fd, e := sys.OpenFaults(cpu, faultStep, prog.FD())
		switch {
		case e == sys.ENODEV:
			continue
		case e == sys.EINVAL && cpu > 0:
			return s.attachHuge(p)
		case e != 0:
			return explain("count page faults", e)
		}
		s.attached = append(s.attached, &fd)
	}
}

// attachHuge counts the pages of huge faults. Where the function is not to be
// probed there are none, or they are seen by kswapd's wake alone.
func (s *Source) attachHuge(p programs) error {
	prog, err := load(ebpf.Kprobe, "lmkd_huge", p.faults(hugePages))
	if err != nil {
		return explain("load BPF program for huge page faults", err)
	}
	s.attached = append(s.attached, prog)
	if l, err := link.Kprobe(hugeFault, prog, nil); err == nil {
		s.attached = append(s.attached, l)
	}
	return nil
}

// writeFault is the bit of a fault's error code that tells a write (X86_PF_WRITE):
// what is only read takes no memory of its own.
const writeFault = 2

// userFault runs at page_fault_user(address, regs, error_code): it counts writes
// of its CPU, and adds them up when they are a step.
func (p programs) userFault(unsummed int) asm.Instructions {
	ins := asm.Instructions{
		asm.LoadMem(asm.R1, asm.R1, 16, asm.DWord),
		asm.And.Imm(asm.R1, writeFault),
		asm.JEq.Imm(asm.R1, 0, "out"),
		asm.StoreImm(asm.RFP, -4, 0, asm.Word),
		asm.LoadMapPtr(asm.R1, unsummed),
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, -4),
		asm.FnMapLookupElem.Call(),
		asm.JEq.Imm(asm.R0, 0, "out"),
		asm.LoadMem(asm.R1, asm.R0, 0, asm.DWord),
		asm.Add.Imm(asm.R1, 1),
		asm.StoreMem(asm.R0, 0, asm.R1, asm.DWord),
		asm.JLT.Imm(asm.R1, faultStep, "out"),
		asm.Mov.Imm(asm.R1, 0),
		asm.StoreMem(asm.R0, 0, asm.R1, asm.DWord),
	}
	return append(ins, p.faults(faultStep)...)
}

// faults runs after so many pages were faulted in: it adds them up, and wakes
// when the sum is beyond the limit.
func (p programs) faults(pages int32) asm.Instructions {
	ins := asm.Instructions{
		asm.FnKtimeGetNs.Call(),
		asm.Mov.Reg(now, asm.R0),
		asm.LoadMapValue(mem, p.state, 0),
		asm.Mov.Imm(asm.R1, pages),
		asm.AddAtomic.Mem(mem, asm.R1, asm.DWord, offFaulted),
		asm.LoadMem(asm.R1, mem, offFaulted, asm.DWord),
		asm.LoadMem(asm.R2, mem, offFaultLimit, asm.DWord),
		asm.JLT.Reg(asm.R1, asm.R2, "out"),
	}
	return append(ins, p.wake(Faults, 2)...)
}
