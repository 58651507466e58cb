package memevent

import (
	"strconv"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
)

// Offsets of the shared words, as the programs address them.
const (
	offArmed      = int16(unsafe.Offsetof(shared{}.armed))
	offNodes      = int16(unsafe.Offsetof(shared{}.nodes))
	offNotBefore  = int16(unsafe.Offsetof(shared{}.notBefore))
	offWokeAt     = int16(unsafe.Offsetof(shared{}.wokeAt))
	offFaulted    = int16(unsafe.Offsetof(shared{}.faulted))
	offFaultLimit = int16(unsafe.Offsetof(shared{}.limit))
	offOOMKills   = int16(unsafe.Offsetof(shared{}.oomKills))
	offVictimAt   = int16(unsafe.Offsetof(shared{}.victimAt))
	offVictim     = int16(unsafe.Offsetof(shared{}.victim))
	offNamed      = int16(unsafe.Offsetof(shared{}.named))
	offOverflow   = int16(unsafe.Offsetof(shared{}.overflow))
	offKswapd     = int16(unsafe.Offsetof(shared{}.kswapd))
	offSlots      = int16(unsafe.Offsetof(shared{}.slots))
	offSince      = int16(unsafe.Offsetof(slot{}.since))
	slotSize      = int16(unsafe.Sizeof(slot{}))
)

// forceWakeup is BPF_RB_FORCE_WAKEUP: tell the reader even when it has not read
// the record before this one.
const forceWakeup = 2

// maxPID is PID_MAX_LIMIT: an argument above it is a task and no pid.
const maxPID = 4 << 20

// The registers that keep their value across helper calls, and their use.
const (
	arg   = asm.R6 // node, thread id or pid
	mem   = asm.R7 // *shared
	now   = asm.R8 // ktime
	slot0 = asm.R9 // *shared, moved on by the index of a node or slot
)

// programs assembles for one pair of maps.
type programs struct{ state, ring int }

// kswapdWake runs at mm_vmscan_kswapd_wake(nid, ...): kswapd begins a round. It
// does so again and again until it sleeps; the first time counts.
func (p programs) kswapdWake() asm.Instructions {
	ins := asm.Instructions{
		asm.LoadMem(arg, asm.R1, 0, asm.DWord),
		asm.And.Imm(arg, maxNodes-1),
		asm.FnKtimeGetNs.Call(),
		asm.Mov.Reg(now, asm.R0),
		asm.LoadMapValue(mem, p.state, 0),
		asm.Mov.Reg(slot0, arg),
		asm.LSh.Imm(slot0, 3),
		asm.Add.Reg(slot0, mem),
		asm.LoadMem(asm.R1, slot0, offKswapd, asm.DWord),
		asm.JNE.Imm(asm.R1, 0, "wake"),
		asm.StoreMem(slot0, offKswapd, now, asm.DWord),
		asm.LoadMem(asm.R1, mem, offNodes, asm.Word),
		asm.JGT.Reg(asm.R1, arg, "wake"),
		asm.Add.Imm(arg, 1),
		asm.StoreMem(mem, offNodes, arg, asm.Word),
	}
	return append(ins, p.wake(Kswapd, 0)...)
}

// kswapdSleep runs at mm_vmscan_kswapd_sleep(nid): kswapd sleeps until woken.
func (p programs) kswapdSleep() asm.Instructions {
	return asm.Instructions{
		asm.LoadMem(arg, asm.R1, 0, asm.DWord),
		asm.And.Imm(arg, maxNodes-1),
		asm.LSh.Imm(arg, 3),
		asm.LoadMapValue(mem, p.state, 0),
		asm.Add.Reg(mem, arg),
		asm.Mov.Imm(asm.R0, 0),
		asm.StoreMem(mem, offKswapd, asm.R0, asm.DWord),
		asm.Return(),
	}
}

// directBegin runs at mm_vmscan_direct_reclaim_begin, in the task that
// reclaims. It takes the slot that the task had before, else a free one. Two
// tasks that take the same one at the same time lose one of them, no more: the
// one that is written last owns it, and the other's end finds nothing.
func (p programs) directBegin() asm.Instructions {
	ins := append(p.taskSlot(),
		asm.FnKtimeGetNs.Call(),
		asm.Mov.Reg(now, asm.R0),
	)
	for i := range int16(window) {
		ins = append(ins,
			asm.LoadMem(asm.R1, slot0, offSlots+i*slotSize, asm.DWord),
			asm.JEq.Reg(asm.R1, arg, at("take", i)))
	}
	for i := range int16(window) {
		ins = append(ins,
			asm.LoadMem(asm.R1, slot0, offSlots+i*slotSize+offSince, asm.DWord),
			asm.JEq.Imm(asm.R1, 0, at("take", i)))
	}
	ins = append(ins,
		asm.Mov.Imm(asm.R1, 1),
		asm.AddAtomic.Mem(mem, asm.R1, asm.DWord, offOverflow),
		asm.Ja.Label("wake"))
	for i := range int16(window) {
		ins = append(ins,
			asm.StoreMem(slot0, offSlots+i*slotSize, arg, asm.DWord).WithSymbol(at("take", i)),
			asm.StoreMem(slot0, offSlots+i*slotSize+offSince, now, asm.DWord),
			asm.Ja.Label("wake"))
	}
	return append(ins, p.wake(DirectReclaim, 1)...)
}

// directEnd runs at mm_vmscan_direct_reclaim_end, in the same task.
func (p programs) directEnd() asm.Instructions {
	ins := p.taskSlot()
	for i := range int16(window) {
		ins = append(ins,
			asm.LoadMem(asm.R1, slot0, offSlots+i*slotSize, asm.DWord),
			asm.JEq.Reg(asm.R1, arg, at("free", i)))
	}
	ins = append(ins, asm.Mov.Imm(asm.R0, 0), asm.Return())
	for i := range int16(window) {
		ins = append(ins,
			asm.Mov.Imm(asm.R0, 0).WithSymbol(at("free", i)),
			asm.StoreMem(slot0, offSlots+i*slotSize+offSince, asm.R0, asm.DWord),
			asm.Return())
	}
	return ins
}

// taskSlot loads the thread id into arg and the place of its first slot, less
// offSlots, into slot0.
func (p programs) taskSlot() asm.Instructions {
	return asm.Instructions{
		asm.FnGetCurrentPidTgid.Call(),
		asm.Mov.Reg32(arg, asm.R0),
		asm.LoadMapValue(mem, p.state, 0),
		asm.Mov.Reg(slot0, arg),
		asm.And.Imm(slot0, homes-1),
		asm.LSh.Imm(slot0, 4),
		asm.Add.Reg(slot0, mem),
	}
}

// markVictim runs at mark_victim, under the kernel's oom_lock: its argument is
// the pid up to Linux 6.8, the task since then and in later stable releases of
// older kernels, for which victimPID has left the pid. The count is the last to
// be written.
func (p programs) markVictim() asm.Instructions {
	ins := asm.Instructions{
		asm.LoadMem(arg, asm.R1, 0, asm.DWord),
		asm.FnKtimeGetNs.Call(),
		asm.Mov.Reg(now, asm.R0),
		asm.LoadMapValue(mem, p.state, 0),
		asm.JLE.Imm(arg, maxPID, "mark"),
		asm.LoadMem(arg, mem, offNamed, asm.DWord),
		asm.StoreMem(mem, offVictim, arg, asm.DWord).WithSymbol("mark"),
		asm.Mov.Imm(asm.R1, 0),
		asm.StoreMem(mem, offNamed, asm.R1, asm.DWord),
		asm.StoreMem(mem, offVictimAt, now, asm.DWord),
		asm.Mov.Imm(asm.R1, 1),
		asm.AddAtomic.Mem(mem, asm.R1, asm.DWord, offOOMKills),
	}
	return append(ins, p.bell()...)
}

// victimPID runs at the formatted event mark_victim, whose pid is at offset: it
// is attached before markVictim and so runs before it.
func (p programs) victimPID(offset int16) asm.Instructions {
	return asm.Instructions{
		asm.LoadMem(arg, asm.R1, offset, asm.Word),
		asm.LoadMapValue(mem, p.state, 0),
		asm.StoreMem(mem, offNamed, arg, asm.DWord),
		asm.Mov.Imm(asm.R0, 0),
		asm.Return(),
	}
}

// wake ends a program at the label "wake": if kind is armed and the time has
// come, disarm and write a record. Two processors that do so at once write two.
func (p programs) wake(kind Kinds, index int16) asm.Instructions {
	ins := asm.Instructions{
		asm.LoadMem(asm.R1, mem, offArmed, asm.Word).WithSymbol("wake"),
		asm.And.Imm(asm.R1, int32(kind)),
		asm.JEq.Imm(asm.R1, 0, "out"),
		asm.LoadMem(asm.R1, mem, offNotBefore, asm.DWord),
		asm.JLT.Reg(now, asm.R1, "out"),
		asm.StoreImm(mem, offArmed, 0, asm.Word),
		asm.StoreMem(mem, offWokeAt+8*index, now, asm.DWord),
	}
	return append(ins, p.bell()...)
}

// bell writes one record of eight bytes and returns. The record is a bell: what
// it says stands in the shared memory already.
func (p programs) bell() asm.Instructions {
	return asm.Instructions{
		asm.StoreMem(asm.RFP, -8, now, asm.DWord),
		asm.LoadMapPtr(asm.R1, p.ring),
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, -8),
		asm.Mov.Imm(asm.R3, 8),
		asm.Mov.Imm(asm.R4, forceWakeup),
		asm.FnRingbufOutput.Call(),
		asm.Mov.Imm(asm.R0, 0).WithSymbol("out"),
		asm.Return(),
	}
}

func at(label string, i int16) string { return label + strconv.Itoa(int(i)) }

func load(kind ebpf.ProgramType, name string, ins asm.Instructions) (*ebpf.Program, error) {
	return ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: name, Type: kind, Instructions: ins, License: "Apache-2.0",
	})
}
