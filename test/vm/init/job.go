package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/test/vm/wire"
)

// serve runs the job and says all about it on the line.
func serve(line *os.File) error {
	w := wire.NewWriter(line)
	end := wire.End{Code: -1}
	if err := work(w, &end); err != nil {
		end.Failed = err.Error()
	}
	noteOOM(&end)
	end.Uptime = sys.SinceBoot().Seconds()
	if err := w.JSON(wire.KindEnd, end); err != nil {
		return err
	}
	return sys.Err(sys.DrainTerminal(int(line.Fd())))
}

// work is everything between the first word and the last.
func work(w *wire.Writer, end *wire.End) error {
	job, err := readJob()
	if err != nil {
		return err
	}
	if err := overlay(wire.Overlay, "/"); err != nil {
		return err
	}
	if job.Zram > 0 {
		if err := swapOnZram(job.Zram); err != nil {
			return err
		}
	}
	ready := wire.Ready{Kernel: sys.KernelRelease(), Uptime: sys.SinceBoot().Seconds()}
	if err := w.JSON(wire.KindReady, ready); err != nil {
		return err
	}
	if err := runJob(w, job, end); err != nil {
		return err
	}
	return sendFiles(w, wire.OutDir)
}

func readJob() (wire.Job, error) {
	var job wire.Job
	b, err := os.ReadFile(wire.JobFile)
	if err != nil {
		return job, err
	}
	if err := json.Unmarshal(b, &job); err != nil {
		return job, fmt.Errorf("decode %s: %w", wire.JobFile, err)
	}
	if len(job.Argv) == 0 {
		return job, fmt.Errorf("%s names no program", wire.JobFile)
	}
	return job, nil
}

// overlay copies the tree src over dst, modes kept.
func overlay(src, dst string) error {
	return filepath.WalkDir(src, func(path string, d os.DirEntry, err error) error {
		if err != nil || path == src {
			return err
		}
		to := filepath.Join(dst, strings.TrimPrefix(path, src))
		if d.IsDir() {
			return os.MkdirAll(to, 0o755)
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(to, b, info.Mode().Perm())
	})
}

// runJob runs the program to its end and notes how that was.
func runJob(w *wire.Writer, job wire.Job, end *wire.End) error {
	var pumps sync.WaitGroup
	out, err := pump(w, wire.KindStdout, &pumps)
	if err != nil {
		return err
	}
	errs, err := pump(w, wire.KindStderr, &pumps)
	if err != nil {
		return err
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	p, err := os.StartProcess(job.Argv[0], job.Argv, &os.ProcAttr{
		Dir: job.Dir, Env: job.Env, Files: []*os.File{null, out.write, errs.write},
	})
	for _, f := range []*os.File{null, out.write, errs.write} {
		_ = f.Close()
	}
	if err != nil {
		return fmt.Errorf("start the job: %w", err)
	}
	if err := protectSelf(); err != nil {
		return err
	}
	status, err := reapUntil(p.Pid)
	// A grandchild may hold the pipes for ever.
	grace := time.Now().Add(time.Second)
	_ = out.read.SetReadDeadline(grace)
	_ = errs.read.SetReadDeadline(grace)
	pumps.Wait()
	end.Code, end.Signal = sys.EndOf(status)
	return err
}

// reapUntil reaps every child until pid has ended: as init this process
// inherits all orphans.
func reapUntil(pid int) (uint32, error) {
	for {
		got, status, e := sys.WaitAny()
		if e != 0 {
			return 0, fmt.Errorf("wait for the job: %w", e)
		}
		if got == pid {
			return status, nil
		}
	}
}

// protectSelf keeps the messenger alive and awake when memory runs out. It is
// called after the job was started, which would inherit the protection.
func protectSelf() error {
	if err := os.WriteFile("/proc/self/oom_score_adj", []byte(strconv.Itoa(-1000)), 0); err != nil {
		return fmt.Errorf("protect the agent: %w", err)
	}
	return sys.LockMemory()
}

type pipe struct{ read, write *os.File }

// pump makes a pipe whose bytes go to the line until its end.
func pump(w *wire.Writer, k wire.Kind, wg *sync.WaitGroup) (pipe, error) {
	r, wr, err := os.Pipe()
	if err != nil {
		return pipe{}, err
	}
	wg.Go(func() {
		buf := make([]byte, wire.MaxPayload)
		for {
			n, err := r.Read(buf)
			if n > 0 && w.Bytes(k, buf[:n]) != nil {
				return
			}
			if err != nil {
				return
			}
		}
	})
	return pipe{r, wr}, nil
}

// sendFiles sends each regular file below dir.
func sendFiles(w *wire.Writer, dir string) error {
	return filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		return sendFile(w, path, strings.TrimPrefix(path, dir+"/"))
	})
}

func sendFile(w *wire.Writer, path, name string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	if err := w.Bytes(wire.KindFile, []byte(name)); err != nil {
		return err
	}
	buf := make([]byte, wire.MaxPayload)
	for {
		n, err := f.Read(buf)
		if n > 0 {
			if err := w.Bytes(wire.KindData, buf[:n]); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
