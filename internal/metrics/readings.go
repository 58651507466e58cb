package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/lmkd/lmkd/pkg/pressure"
)

// reading is a gauge that is there only while the kernel tells its value.
type reading struct {
	vec    *prometheus.GaugeVec
	labels []string
	gauge  prometheus.Gauge
}

func (r *reading) set(told bool, v float64) {
	switch {
	case told:
		if r.gauge == nil {
			r.gauge = r.vec.WithLabelValues(r.labels...)
		}
		r.gauge.Set(v)
	case r.gauge != nil:
		r.vec.DeleteLabelValues(r.labels...)
		r.gauge = nil
	}
}

// stall is one line of a pressure file: its average and its total.
type stall struct {
	average reading
	vec     *prometheus.CounterVec
	total   prometheus.Counter
	seen    uint64 // microseconds already counted
}

func (s *stall) set(told bool, average uint32, total uint64) {
	s.average.set(told, float64(average)/10000)
	if !told {
		return
	}
	if s.total == nil {
		s.total = s.vec.WithLabelValues(s.average.labels...)
	}
	if total > s.seen {
		s.total.Add(float64(total-s.seen) / 1e6)
		s.seen = total
	}
}

// readings are the values of the last look at a domain.
type readings struct {
	size, free, available, fileCache       reading
	swapSize, swapFree, swapFillable       reading
	zramOriginal, zramMemory               reading
	markMin, markLow, markHigh             reading
	thrashing, thrashingLimit              reading
	memorySome, memoryFull, ioSome, ioFull stall
	cpuSome                                stall
}

func newReadings(f *families, name string) *readings {
	of := func(v *prometheus.GaugeVec, more ...string) reading {
		return reading{vec: v, labels: append([]string{name}, more...)}
	}
	line := func(resource, kind string) stall {
		return stall{average: of(f.average, resource, kind), vec: f.stalled}
	}
	return &readings{
		size: of(f.size), free: of(f.free), available: of(f.available), fileCache: of(f.fileCache),
		swapSize: of(f.swapSize), swapFree: of(f.swapFree), swapFillable: of(f.swapFillable),
		zramOriginal: of(f.zramOriginal), zramMemory: of(f.zramMemory),
		markMin: of(f.watermark, "min"), markLow: of(f.watermark, "low"), markHigh: of(f.watermark, "high"),
		thrashing: of(f.thrashing), thrashingLimit: of(f.thrashingLimit),
		memorySome: line("memory", "some"), memoryFull: line("memory", "full"),
		ioSome: line("io", "some"), ioFull: line("io", "full"), cpuSome: line("cpu", "some"),
	}
}

// sample takes what the kernel told.
func (r *readings) sample(s *pressure.Sample) {
	r.size.set(true, float64(s.Memory.Total))
	r.swapSize.set(true, float64(s.Memory.SwapTotal))
	r.swapFree.set(true, float64(s.Memory.SwapFree))
	zram := s.Has&pressure.HasZram != 0
	r.zramOriginal.set(zram, float64(s.Zram.Original))
	r.zramMemory.set(zram, float64(s.Zram.MemUsed))
	marks := s.Has&pressure.HasWatermarks != 0
	r.markMin.set(marks, float64(s.Watermarks.Min))
	r.markLow.set(marks, float64(s.Watermarks.Low))
	r.markHigh.set(marks, float64(s.Watermarks.High))
	r.stalls(s)
}

func (r *readings) stalls(s *pressure.Sample) {
	told := s.Has&pressure.HasStall != 0
	r.memorySome.set(told, s.Stall.SomeAvg10, s.Stall.SomeTotal)
	r.memoryFull.set(told, s.Stall.FullAvg10, s.Stall.FullTotal)
	told = s.Has&pressure.HasStallIO != 0
	r.ioSome.set(told, s.StallIO.SomeAvg10, s.StallIO.SomeTotal)
	r.ioFull.set(told, s.StallIO.FullAvg10, s.StallIO.FullTotal)
	r.cpuSome.set(s.Has&pressure.HasStallCPU != 0, s.StallCPU.SomeAvg10, s.StallCPU.SomeTotal)
}

// facts takes what the judge computed from a sample.
func (r *readings) facts(s *pressure.Sample, f *pressure.Facts) {
	r.free.set(true, float64(f.Free))
	r.available.set(s.Has&pressure.HasAvailable != 0, float64(f.Available))
	r.fileCache.set(true, float64(f.FileLRU))
	r.swapFillable.set(true, float64(f.SwapFree))
	refault := s.Has&pressure.HasRefault != 0
	r.thrashing.set(refault, float64(f.Thrashing)/100)
	r.thrashingLimit.set(refault, float64(f.Limit)/100)
}
