package taskiter

import (
	"unsafe"

	"github.com/cilium/ebpf/asm"
)

// license is the program's own, which its helper and its walk through the
// kernel's structures ask for; GPL-compatible, as the kernel reads it.
const license = "Dual MIT/GPL"

// Where the program builds its record, on its stack.
const (
	size    = int16(unsafe.Sizeof(Task{}))
	atPID   = int16(unsafe.Offsetof(Task{}.PID)) - size
	atFlags = int16(unsafe.Offsetof(Task{}.flags)) - size
	atAdj   = int16(unsafe.Offsetof(Task{}.adj)) - size
	atCount = int16(unsafe.Offsetof(Task{}.counts)) - size
)

// The members of struct bpf_iter__task and of its bpf_iter_meta.
const (
	ctxMeta, ctxTask = 0, 8
	metaSeq          = 0
)

const (
	ctx  = asm.R6
	task = asm.R7
	mm   = asm.R8
)

// program runs once for every task, and once more at the end, without one. It
// writes a record for each that leads its group. A task without mm has counts of
// 0 and is marked so. The loads are checked by the kernel: one from memory that
// is gone gives 0.
func program(l *layout) asm.Instructions {
	ins := asm.Instructions{
		asm.Mov.Reg(ctx, asm.R1),
		asm.LoadMem(task, ctx, ctxTask, asm.DWord),
		asm.JEq.Imm(task, 0, "out"),
		asm.LoadMem(asm.R1, task, l.pid, asm.Word),
		asm.LoadMem(asm.R2, task, l.tgid, asm.Word),
		asm.JNE.Reg(asm.R1, asm.R2, "out"),
		asm.StoreMem(asm.RFP, atPID, asm.R1, asm.Word),
		asm.LoadMem(asm.R1, task, l.flags, asm.Word),
		asm.StoreMem(asm.RFP, atFlags, asm.R1, asm.Word),
		asm.LoadMem(asm.R1, task, l.signal, asm.DWord),
		asm.LoadMem(asm.R1, asm.R1, l.adj, asm.Half),
		asm.LSh.Imm(asm.R1, 48), // its sign, and whether there is an mm, in one word
		asm.ArSh.Imm(asm.R1, 48),
		asm.StoreMem(asm.RFP, atAdj, asm.R1, asm.DWord),
		asm.LoadMem(mm, task, l.mm, asm.DWord),
		asm.JNE.Imm(mm, 0, "memory"),
		asm.Mov.Imm(asm.R1, noMemory),
		asm.StoreMem(asm.RFP, atAdj, asm.R1, asm.DWord),
		asm.Mov.Imm(asm.R1, 0),
	}
	for i := range int16(kinds) {
		ins = append(ins, asm.StoreMem(asm.RFP, atCount+8*i, asm.R1, asm.DWord))
	}
	ins = append(ins, asm.Ja.Label("write"))
	ins = append(ins, readCounts(l)...)
	return append(ins,
		asm.LoadMem(asm.R1, ctx, ctxMeta, asm.DWord).WithSymbol("write"),
		asm.LoadMem(asm.R1, asm.R1, metaSeq, asm.DWord),
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, int32(-size)),
		asm.Mov.Imm(asm.R3, int32(size)),
		asm.FnSeqWrite.Call(),
		asm.Mov.Imm(asm.R0, 0).WithSymbol("out"),
		asm.Return(),
	)
}

// readCounts copies the counters from mm to the record, at the label "memory".
// The plain longs of before Linux 6.2 are copied in one: the verifier does not
// know the way into an array of atomic_long_t.
func readCounts(l *layout) (ins asm.Instructions) {
	if !l.delayed {
		return asm.Instructions{
			asm.Mov.Reg(asm.R1, asm.RFP).WithSymbol("memory"),
			asm.Add.Imm(asm.R1, int32(atCount)),
			asm.Mov.Imm(asm.R2, 8*kinds),
			asm.Mov.Reg(asm.R3, mm),
			asm.Add.Imm(asm.R3, int32(l.counts)),
			asm.FnProbeReadKernel.Call(),
		}
	}
	for i := range int16(kinds) {
		ins = append(ins,
			asm.LoadMem(asm.R1, mm, l.counts+i*l.stride, asm.DWord),
			asm.StoreMem(asm.RFP, atCount+8*i, asm.R1, asm.DWord))
	}
	ins[0] = ins[0].WithSymbol("memory")
	return ins
}
