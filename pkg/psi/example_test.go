package psi_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/lmkd/lmkd/pkg/psi"
)

func ExampleParse() {
	p, err := psi.Parse([]byte("some avg10=0.22 avg60=0.17 avg300=1.11 total=58761459\n" +
		"full avg10=0.00 avg60=0.00 avg300=0.03 total=8123\n"))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(p.Some.Avg10, "hundredths of a percent,", time.Duration(p.Full.Total)*time.Microsecond, "of full stall")
	// Output: 22 hundredths of a percent, 8.123ms of full stall
}

// A trigger is armed as wished, or else as the kernel allows to everyone.
func ExampleArm() {
	want := psi.Threshold{Kind: psi.Some, Stall: 70 * time.Millisecond, Window: time.Second}
	trigger, err := psi.Arm("/proc/pressure/memory", want)
	if errors.Is(err, psi.ErrPrivilege) {
		trigger, err = psi.Arm("/proc/pressure/memory", want.Unprivileged())
	}
	if err != nil {
		// The sentence ends in the cure; go on with a poorer source.
		_ = err.Error()
		return
	}
	defer trigger.Close()
	_ = trigger.Fd() // for an epoll, with EPOLLPRI
}

func ExampleThreshold_Unprivileged() {
	want := psi.Threshold{Kind: psi.Full, Stall: 700 * time.Millisecond, Window: time.Second}
	fmt.Println(want, "becomes", want.Unprivileged())
	// Output: full 700ms in 1s becomes full 1.4s in 2s
}
