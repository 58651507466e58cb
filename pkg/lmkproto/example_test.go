package lmkproto_test

import (
	"fmt"

	"github.com/lmkd/lmkd/pkg/lmkproto"
)

// A client gives a process a place among the cached ones and waits to hear of
// kills.
func Example() {
	c, err := lmkproto.Dial("/dev/socket/lmkd")
	if err != nil {
		return // no daemon on this machine
	}
	defer func() { _ = c.Close() }()
	_ = c.Purge()
	_ = c.Register(lmkproto.Proc{PID: 4242, UID: 10036, Adj: 900})
	_ = c.Subscribe(lmkproto.KillEvent)
	var m lmkproto.Message
	for c.Next(&m) == nil {
		fmt.Println("killed", m.Kill.PID)
	}
}

func ExampleRequest_Decode() {
	var r lmkproto.Request
	err := r.Decode([]byte{0, 0, 0, 2, 0, 0, 0x10, 0x92})
	fmt.Println(r.Command, r.PID, err)
	err = r.Decode([]byte{0, 0, 0, 2})
	fmt.Println(err)
	// Output:
	// LMK_PROCREMOVE 4242 <nil>
	// LMK_PROCREMOVE: 0 words after the command, want 1
}
