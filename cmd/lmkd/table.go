package main

import (
	"fmt"
	"strings"

	"github.com/lmkd/lmkd/internal/probe"
)

// lineWidth is where a line of text for a person is broken.
const lineWidth = 100

// writeFinding writes one row of a check: what it is, and below it, when it is
// lacking, what is lost and what cures it.
func writeFinding(b *strings.Builder, f *probe.Finding) {
	state := string(f.State)
	if f.Needed && f.Lacking() {
		state = strings.ToUpper(state)
	}
	head := fmt.Sprintf("%-8s%-25s", state, f.Name)
	indent := strings.Repeat(" ", len(head))
	b.WriteString(wrap(f.Detail, head, indent))
	if !f.Lacking() {
		return
	}
	b.WriteString(wrap("lost: "+f.Lost, indent, indent+"      "))
	since := ""
	if f.Since != "" {
		since = " (in Linux since " + f.Since + ")"
	}
	b.WriteString(wrap("cure: "+f.Cure+since, indent, indent+"      "))
}

// wrap breaks text between words so that no line is wider than lineWidth where
// that can be had; first and more stand before the first line and the others.
func wrap(text, first, more string) string {
	var b strings.Builder
	line := first
	empty := true
	for _, word := range strings.Fields(text) {
		if !empty && len(line)+1+len(word) > lineWidth {
			b.WriteString(line + "\n")
			line, empty = more, true
		}
		if !empty {
			line += " "
		}
		line += word
		empty = false
	}
	return b.String() + line + "\n"
}
