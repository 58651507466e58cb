package machine

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/lmkd/lmkd/test/vm/wire"
)

// tailLines is how much of the console a failure shows.
const tailLines = 40

// collector gathers what the machine says on its two lines.
type collector struct {
	config  *Config
	started time.Time
	ready   chan struct{} // closed at the guest's first word
	done    chan struct{} // closed at its last

	mu       sync.Mutex
	result   Result
	panicked bool
	failed   string
	file     *os.File
	err      error // of writing what came
}

func newCollector(c *Config) *collector {
	return &collector{config: c, started: time.Now(), ready: make(chan struct{}), done: make(chan struct{})}
}

// console reads the kernel's line to its end.
func (c *collector) console(r io.Reader) {
	if c.config.Console != nil {
		r = io.TeeReader(r, c.config.Console)
	}
	in := bufio.NewReader(r)
	for {
		line, err := in.ReadString('\n')
		c.consoleLine(strings.TrimRight(line, "\r\n"))
		if err != nil {
			return
		}
	}
}

func (c *collector) consoleLine(line string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if line == "" {
		return
	}
	c.result.Console = append(c.result.Console, line)
	if over := len(c.result.Console) - tailLines; over > 0 {
		c.result.Console = c.result.Console[over:]
	}
	if strings.Contains(line, "Kernel panic - not syncing") {
		c.panicked = true
	}
	if _, reason, ok := strings.Cut(line, wire.BootFailed); ok {
		c.failed = reason
	}
}

// frames reads the guest's line to its end.
func (c *collector) frames(r io.Reader) {
	in := wire.NewReader(r)
	for {
		kind, p, err := in.Next()
		if err != nil {
			return
		}
		if err := c.frame(kind, p); err != nil {
			c.mu.Lock()
			c.err = err
			c.mu.Unlock()
		}
	}
}

func (c *collector) frame(kind wire.Kind, p []byte) error {
	switch kind {
	case wire.KindReady:
		return c.gotReady(p)
	case wire.KindEnd:
		return c.gotEnd(p)
	case wire.KindStdout:
		_, err := c.config.Stdout.Write(p)
		return err
	case wire.KindStderr:
		_, err := c.config.Stderr.Write(p)
		return err
	case wire.KindFile:
		return c.beginFile(string(p))
	case wire.KindData:
		if c.file == nil {
			return nil
		}
		_, err := c.file.Write(p)
		return err
	}
	return fmt.Errorf("unknown frame %q from the guest", kind)
}

func (c *collector) gotReady(p []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.result.Ready != nil {
		return fmt.Errorf("the guest said twice that it is ready")
	}
	c.result.Booted = time.Since(c.started)
	c.result.Ready = new(wire.Ready)
	close(c.ready)
	return json.Unmarshal(p, c.result.Ready)
}

func (c *collector) gotEnd(p []byte) error {
	err := c.endFile()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.result.End != nil {
		return fmt.Errorf("the guest said twice that the job ended")
	}
	end := new(wire.End)
	if e := json.Unmarshal(p, end); e != nil {
		return e
	}
	c.result.End = end
	close(c.done)
	return err
}

// beginFile creates a result file; a name that leads out of OutDir is refused.
func (c *collector) beginFile(name string) error {
	if err := c.endFile(); err != nil {
		return err
	}
	if c.config.OutDir == "" {
		return nil
	}
	if !filepath.IsLocal(name) {
		return fmt.Errorf("the guest's result file %q leads out of its directory", name)
	}
	path := filepath.Join(c.config.OutDir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	c.file = f
	c.result.Files = append(c.result.Files, path)
	return nil
}

func (c *collector) endFile() error {
	f := c.file
	c.file = nil
	if f == nil {
		return nil
	}
	return f.Close()
}
