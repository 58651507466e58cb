package main

import (
	"strings"
	"testing"

	"github.com/lmkd/lmkd/internal/config"
)

// The rules of a file are tried on the processes of this machine: the test
// itself is one of them.
func TestMatchRules(t *testing.T) {
	cfg, err := config.Parse("f", []byte(`victim:
  rules:
    - {comm: lmkd.test, effect: last}
    - {comm: "lmkd[.]te.*", adj: -5}
    - {comm: nobody-has-this, effect: never}
`))
	if err != nil {
		t.Fatal(err)
	}
	found, err := matchRules(cfg)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	writeRules(&b, found)
	text := b.String()
	for _, want := range []string{
		"{comm: lmkd.test, effect: last}: 'lmkd.test' (",
		"{comm: lmkd[.]te.*, adj: -5}: WARNING: matches 1 processes, and rules before it hold for all of them",
		"{comm: nobody-has-this, effect: never}: WARNING: matches nobody now",
	} {
		if !strings.Contains(strings.Join(strings.Fields(text), " "), want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if strings.Contains(text, "a container runtime (never): WARNING") {
		t.Errorf("a built-in rule warns:\n%s", text)
	}
}
