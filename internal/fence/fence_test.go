package fence

import (
	"io/fs"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// root is the module's root, seen from here.
const root = "../.."

// sources gives every Go file of the module below dir, build tags or not.
func sources(t *testing.T, dir string) (files []string) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(root, dir), func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && d.Name() != ".." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata"):
			return filepath.SkipDir
		case strings.HasSuffix(path, ".go"):
			files = append(files, path)
		}
		return nil
	})
	if err != nil || len(files) == 0 {
		t.Fatalf("no Go files below %s: %v", dir, err)
	}
	return files
}

func report(t *testing.T, path string, check func(*file)) {
	t.Helper()
	f, err := parse(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	check(f)
	for _, wrong := range f.wrong {
		t.Error(wrong)
	}
}

// TestDecisionsArePure walks whatever the pure packages import of the module.
func TestDecisionsArePure(t *testing.T) {
	args := append([]string{"list", "-deps", "-f", `{{if not .Standard}}{{.ImportPath}}{{end}}`}, Pure...)
	cmd := exec.Command("go", args...)
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, out)
	}
	packages := strings.Fields(string(out))
	for _, p := range Pure {
		if !inside(p, packages) {
			t.Errorf("go list does not know %s", p)
		}
	}
	for _, p := range packages {
		if !inside(p, Pure) {
			t.Errorf("the pure packages import %s", p)
			continue
		}
		for _, path := range sources(t, strings.TrimPrefix(p, Module+"/")) {
			if !strings.HasSuffix(path, "_test.go") {
				report(t, path, (*file).pure)
			}
		}
	}
}

// TestOneDoorToTheKernel: everything outside internal/sys, tests included.
func TestOneDoorToTheKernel(t *testing.T) {
	door := filepath.Join(root, "internal", "sys") + string(filepath.Separator)
	seen := false
	for _, path := range sources(t, ".") {
		if strings.HasPrefix(path, door) {
			seen = true
			continue
		}
		report(t, path, (*file).door)
	}
	if !seen {
		t.Error("internal/sys was not found: the walk is wrong")
	}
}

// TestPublicPackagesStandAlone: each can be used without the others.
func TestPublicPackagesStandAlone(t *testing.T) {
	for _, path := range sources(t, "pkg") {
		if !strings.HasSuffix(path, "_test.go") {
			report(t, path, (*file).alone)
		}
	}
}

// TestTheLoopKnowsNoSockets: what clients say, and who is told, is not its affair.
func TestTheLoopKnowsNoSockets(t *testing.T) {
	for _, path := range sources(t, "internal/daemon") {
		if !strings.HasSuffix(path, "_test.go") {
			report(t, path, (*file).quiet)
		}
	}
}

// TestTheFenceHolds: each check finds what it is there for.
func TestTheFenceHolds(t *testing.T) {
	for name, test := range map[string]struct {
		check func(*file)
		body  string
		want  string // in what is found, "" for nothing
	}{
		"clean":        {(*file).pure, `import "time"; var d = time.Second`, ""},
		"engine":       {(*file).pure, `import _ "github.com/lmkd/lmkd/pkg/pressure"`, ""},
		"os":           {(*file).pure, `import "os"; var p = os.Getpid()`, "imports os"},
		"rand":         {(*file).pure, `import _ "math/rand/v2"`, "imports math/rand/v2"},
		"log":          {(*file).pure, `import _ "log/slog"`, "imports log/slog"},
		"room":         {(*file).pure, `import _ "github.com/lmkd/lmkd/internal/sys"`, "imports github.com/lmkd/lmkd/internal/sys"},
		"foreign":      {(*file).pure, `import _ "gopkg.in/yaml.v3"`, "imports gopkg.in/yaml.v3"},
		"now":          {(*file).pure, `import "time"; var t = time.Now()`, "time.Now"},
		"renamed":      {(*file).pure, `import clock "time"; func f() { clock.Sleep(1) }`, "time.Sleep"},
		"as a value":   {(*file).pure, `import "time"; var tick = time.Tick`, "time.Tick"},
		"dot":          {(*file).pure, `import . "time"; var d = Now()`, "into its own names"},
		"goroutine":    {(*file).pure, `func f() { go f() }`, "starts a goroutine"},
		"no door":      {(*file).door, `import _ "os"`, ""},
		"unix":         {(*file).door, `import _ "golang.org/x/sys/unix"`, "only internal/sys imports golang.org/x/sys/unix"},
		"syscall":      {(*file).door, `import _ "syscall"`, "only internal/sys imports syscall"},
		"alone":        {(*file).alone, `import _ "github.com/lmkd/lmkd/internal/sys"`, ""},
		"not alone":    {(*file).alone, `import _ "github.com/lmkd/lmkd/pkg/psi"`, "imports github.com/lmkd/lmkd/pkg/psi"},
		"quiet":        {(*file).quiet, `import _ "github.com/lmkd/lmkd/pkg/psi"`, ""},
		"sockets":      {(*file).quiet, `import _ "github.com/lmkd/lmkd/internal/control"`, "the loop imports github.com/lmkd/lmkd/internal/control"},
		"protocol":     {(*file).quiet, `import _ "github.com/lmkd/lmkd/pkg/lmkproto"`, "the loop imports"},
		"network":      {(*file).quiet, `import _ "net"`, "the loop imports net"},
		"another room": {(*file).alone, `import _ "github.com/lmkd/lmkd/internal/engine"`, "imports github.com/lmkd/lmkd/internal/engine"},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := parse("planted.go", "package p; "+test.body)
			if err != nil {
				t.Fatal(err)
			}
			test.check(f)
			found := strings.Join(f.wrong, "\n")
			if test.want == "" && found != "" || !strings.Contains(found, test.want) {
				t.Errorf("found %q, want %q", found, test.want)
			}
		})
	}
}
