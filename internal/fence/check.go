package fence

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
)

// Module is the import path that all walls stand in.
const Module = "github.com/lmkd/lmkd"

// Pure are the packages that decide: they, and whatever of the module they
// import, know no file, no clock, no chance and no other goroutine.
var Pure = []string{Module + "/pkg/pressure", Module + "/pkg/victim", Module + "/internal/engine"}

// pureImports is what the standard library offers to a pure package. What is
// missing here is missing until somebody shows that it is pure.
var pureImports = map[string]bool{
	"cmp": true, "errors": true, "math": true, "math/bits": true, "slices": true, "sort": true,
	"strconv": true, "strings": true, "time": true, "unicode": true, "unicode/utf8": true,
}

// clock are the functions of time that know what time it is, or wait.
var clock = map[string]bool{
	"Now": true, "Since": true, "Until": true, "Sleep": true, "After": true, "AfterFunc": true,
	"Tick": true, "NewTimer": true, "NewTicker": true,
}

// kernel are the imports that speak to the kernel: one package's alone.
func kernel(path string) bool {
	return path == "syscall" || path == "golang.org/x/sys" || strings.HasPrefix(path, "golang.org/x/sys/")
}

// file is a parsed source file and what is wrong with it.
type file struct {
	fset  *token.FileSet
	ast   *ast.File
	wrong []string
}

// parse reads a Go file; src nil reads name.
func parse(name string, src any) (*file, error) {
	f := &file{fset: token.NewFileSet()}
	var err error
	f.ast, err = parser.ParseFile(f.fset, name, src, parser.SkipObjectResolution)
	return f, err
}

func (f *file) add(pos token.Pos, format string, args ...any) {
	f.wrong = append(f.wrong, f.fset.Position(pos).String()+": "+fmt.Sprintf(format, args...))
}

// each hands every import to check, which says what is wrong with it, or "".
func (f *file) each(check func(path string) string) {
	for _, spec := range f.ast.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			f.add(spec.Pos(), "%v", err)
			continue
		}
		if wrong := check(path); wrong != "" {
			f.add(spec.Pos(), "%s", wrong)
		}
	}
}

// pure checks one file of a pure package.
func (f *file) pure() {
	f.each(func(path string) string {
		switch {
		case pureImports[path]:
			return ""
		case inside(path, Pure):
			return ""
		case strings.HasPrefix(path, Module+"/"):
			return "a pure package imports " + path
		}
		return "a pure package imports " + path + ", which is not known to be pure"
	})
	names := f.namesOf("time")
	ast.Inspect(f.ast, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			f.add(n.Pos(), "a pure package starts a goroutine")
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && names[x.Name] && clock[n.Sel.Name] {
				f.add(n.Pos(), "a pure package looks at the clock: time.%s", n.Sel.Name)
			}
		}
		return true
	})
}

// namesOf gives the names under which the file knows a package; a dot import
// would hide its functions, and is wrong.
func (f *file) namesOf(path string) map[string]bool {
	names := map[string]bool{}
	for _, spec := range f.ast.Imports {
		if spec.Path.Value != strconv.Quote(path) {
			continue
		}
		name := path
		if spec.Name != nil {
			name = spec.Name.Name
		}
		if name == "." {
			f.add(spec.Pos(), "a pure package imports %s into its own names", path)
		}
		names[name] = true
	}
	return names
}

// door checks that a file outside internal/sys leaves the kernel to it.
func (f *file) door() {
	f.each(func(path string) string {
		if kernel(path) {
			return "only internal/sys imports " + path
		}
		return ""
	})
}

// alone checks a file of a public package: it imports no other one, and of the
// house's own rooms only the door to the kernel.
func (f *file) alone() {
	f.each(func(path string) string {
		if strings.HasPrefix(path, Module+"/") && path != Module+"/internal/sys" {
			return "a public package imports " + path
		}
		return ""
	})
}

// outside is what the loop must not know: who talks to other programs waits for
// them.
var outside = []string{
	"net", "net/http", Module + "/internal/control", Module + "/internal/metrics", Module + "/internal/config", Module + "/pkg/lmkproto",
}

// quiet checks a file of the loop's room: what clients say reaches it as data.
func (f *file) quiet() {
	f.each(func(path string) string {
		if inside(path, outside) {
			return "the loop imports " + path
		}
		return ""
	})
}

func inside(path string, list []string) bool {
	for _, p := range list {
		if p == path {
			return true
		}
	}
	return false
}
