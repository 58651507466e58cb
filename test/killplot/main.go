// Command killplot draws docs/kill/speed.svg from docs/kill/speed.csv, which
// the benchmark BesideBusyProcessors of pkg/kill writes: how long after SIGKILL
// a victim was gone and its memory back, on a logarithmic axis.
package main

import (
	"encoding/csv"
	"fmt"
	"io"
	"log"
	"math"
	"os"
	"slices"
	"strconv"
)

// row is one bar: the median of all kills of a class, done one way.
type row struct {
	class, how string
	exit, back []float64 // milliseconds
}

func main() {
	log.SetFlags(0)
	if len(os.Args) != 3 {
		log.Fatal("usage: killplot DATA.csv PLOT.svg")
	}
	in, err := os.Open(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	rows, err := read(in)
	if err != nil {
		log.Fatalf("%s: %v", os.Args[1], err)
	}
	out, err := os.Create(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	draw(out, rows)
	if err := out.Close(); err != nil {
		log.Fatal(err)
	}
}

// read collects the lines class,how,exit,back in the order of their first sight.
func read(r io.Reader) ([]*row, error) {
	lines, err := csv.NewReader(r).ReadAll()
	if err != nil {
		return nil, err
	}
	var rows []*row
	for _, line := range lines {
		if len(line) != 4 {
			return nil, fmt.Errorf("%d fields, want 4", len(line))
		}
		at := slices.IndexFunc(rows, func(r *row) bool { return r.class == line[0] && r.how == line[1] })
		if at < 0 {
			at = len(rows)
			rows = append(rows, &row{class: line[0], how: line[1]})
		}
		exit, err := strconv.ParseFloat(line[2], 64)
		if err != nil {
			return nil, err
		}
		back, err := strconv.ParseFloat(line[3], 64)
		if err != nil {
			return nil, err
		}
		rows[at].exit, rows[at].back = append(rows[at].exit, exit), append(rows[at].back, back)
	}
	return rows, nil
}

// The plot's measures, in pixels.
const (
	width, left, right = 760, 190, 90
	bar, gap, top      = 16, 18, 48
	shortest, longest  = 10.0, 20_000.0 // milliseconds
)

// x gives where on the logarithmic axis a time lies.
func x(ms float64) float64 {
	span := math.Log(longest / shortest)
	return left + (width-left-right)*math.Log(max(ms, shortest)/shortest)/span
}

func draw(w io.Writer, rows []*row) {
	height := top + len(rows)*(2*bar+gap) + 40
	fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">`+"\n", width, height)
	fmt.Fprintf(w, `<rect width="%d" height="%d" fill="white"/>`+"\n", width, height)
	fmt.Fprintln(w, `<text x="10" y="20" font-size="14">From SIGKILL to the exit and to the memory's return: 1 GB, medians</text>`)
	axis(w, height-30)
	for i, r := range rows {
		y := top + i*(2*bar+gap)
		fmt.Fprintf(w, `<text x="%d" y="%d" text-anchor="end">%s, %s</text>`+"\n", left-8, y+bar+4, r.class, r.how)
		oneBar(w, y, "exit", "#4c72b0", r.exit)
		oneBar(w, y+bar, "memory", "#55a868", r.back)
	}
	fmt.Fprintln(w, "</svg>")
}

func axis(w io.Writer, y int) {
	for _, ms := range []float64{10, 100, 1000, 10_000} {
		fmt.Fprintf(w, `<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="#ccc"/>`+"\n", x(ms), top-10, x(ms), y)
		fmt.Fprintf(w, `<text x="%.1f" y="%d" text-anchor="middle">%g s</text>`+"\n", x(ms), y+16, ms/1000)
	}
}

// oneBar draws the median, and a dot for every kill.
func oneBar(w io.Writer, y int, name, color string, times []float64) {
	m := median(times)
	fmt.Fprintf(w, `<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/>`+"\n", left, y, x(m)-left, bar-2, color)
	for _, t := range times {
		fmt.Fprintf(w, `<circle cx="%.1f" cy="%.1f" r="2.5" fill="black" fill-opacity="0.5"/>`+"\n", x(t), float64(y)+bar/2-1)
	}
	fmt.Fprintf(w, `<text x="%.1f" y="%d" font-size="11">%s %.0f ms</text>`+"\n", x(slices.Max(times))+6, y+bar-4, name, m)
}

func median(times []float64) float64 {
	sorted := slices.Sorted(slices.Values(times))
	return sorted[len(sorted)/2]
}
