package pressure_test

import (
	"fmt"
	"time"

	"github.com/lmkd/lmkd/pkg/pressure"
)

// A machine of 512 MiB without swap: kswapd is awake, and little is available.
func ExampleJudge() {
	policy := pressure.Linux()
	sample := pressure.Sample{
		At:         time.Minute,
		Has:        pressure.HasAvailable | pressure.HasWatermarks,
		Memory:     pressure.Memory{Total: 512 << 20, Free: 9 << 20, Available: 20 << 20},
		Watermarks: pressure.Watermarks{Min: 4 << 20, Low: 10 << 20, High: 16 << 20},
	}
	var state pressure.State
	v := pressure.Judge(&policy, &state, &pressure.Input{
		Sample:  &sample,
		Reclaim: pressure.Reclaim{Known: true, Kswapd: true},
	})
	fmt.Println(v.Act, v.Reason, v.MinAdj)
	fmt.Println(v.Because(&policy))
	// Output:
	// true low_available 0
	// available 20.0MiB is below the floor 25.6MiB and there is no swap
}

func ExampleVerdict_Explain() {
	policy := pressure.Linux()
	v := pressure.Verdict{Reason: pressure.None, Event: pressure.LevelCritical, Facts: pressure.Facts{
		Pressed: true, Plenty: true, Total: 8 << 30, Available: 6 << 30,
	}}
	for _, line := range v.Explain(&policy) {
		fmt.Println(line)
	}
	// Output:
	// nothing is done
	// pressure: a critical event
	// more than 25% of 8.0GiB is available, 6.0GiB: nothing is done, however loud the pressure
}
