package exitwait_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/lmkd/lmkd/pkg/exitwait"
)

func Example() {
	child, err := os.StartProcess("/proc/self/exe", []string{"self", "-unknown"}, &os.ProcAttr{})
	if err != nil {
		log.Fatal(err)
	}
	p, err := exitwait.Open(child.Pid) // any process: this one only happens to be a child
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	exit, err := p.Wait(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(exit)
	// Output: exit code 2
}

func ExampleProcess_TryWait() {
	p, err := exitwait.Open(os.Getpid())
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	_, err = p.TryWait()
	fmt.Println(errors.Is(err, exitwait.ErrRunning))
	// Output: true
}

func ExampleReopen() {
	p, err := exitwait.Open(os.Getpid())
	if err != nil {
		log.Fatal(err)
	}
	handle, err := p.Handle()
	if err != nil {
		log.Fatal(err)
	}
	_ = p.Close()
	text := handle.String() // written to a file, and read after a restart

	handle, err = exitwait.ParseHandle(text)
	if err != nil {
		log.Fatal(err)
	}
	p, err = exitwait.Reopen(handle)
	switch {
	case errors.Is(err, exitwait.ErrGone):
		fmt.Println("it has ended meanwhile")
	case err != nil:
		log.Fatal(err)
	default:
		fmt.Println("still running")
		_ = p.Close()
	}
	// Output: still running
}

func ExampleSet() {
	set, err := exitwait.NewSet()
	if err != nil {
		log.Fatal(err)
	}
	defer set.Close()
	for range 3 {
		child, err := os.StartProcess("/proc/self/exe", []string{"self", "-unknown"}, &os.ProcAttr{})
		if err != nil {
			log.Fatal(err)
		}
		p, err := exitwait.Open(child.Pid)
		if err != nil {
			log.Fatal(err)
		}
		defer p.Close()
		if err := set.Add(p); err != nil {
			log.Fatal(err)
		}
	}
	exited := make([]*exitwait.Process, 8)
	for set.Len() > 0 {
		n, err := set.Wait(context.Background(), exited)
		if err != nil {
			log.Fatal(err)
		}
		for _, p := range exited[:n] {
			exit, _ := p.TryWait()
			fmt.Println(exit)
		}
	}
	// Output:
	// exit code 2
	// exit code 2
	// exit code 2
}
