package taskwatch_test

import (
	"context"
	"fmt"
	"log"

	"github.com/lmkd/lmkd/pkg/taskwatch"
)

func Example() {
	w, err := taskwatch.Watch(taskwatch.Config{Kinds: taskwatch.Exec | taskwatch.Exit})
	if err != nil {
		log.Fatal(err) // "join process events: needs CAP_NET_ADMIN on kernels before 6.6"
	}
	defer w.Close()
	events := make([]taskwatch.Event, 64)
	for {
		n, err := w.Read(context.Background(), events)
		if err != nil {
			log.Fatal(err)
		}
		for _, ev := range events[:n] {
			if ev.Kind == taskwatch.Lost {
				fmt.Println("look at /proc again")
				continue
			}
			fmt.Println(ev.Time, &ev)
		}
	}
}
