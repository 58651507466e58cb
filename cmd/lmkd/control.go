package main

import (
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strconv"

	"github.com/coreos/go-systemd/v22/activation"

	"github.com/lmkd/lmkd/internal/config"
	"github.com/lmkd/lmkd/internal/control"
	"github.com/lmkd/lmkd/internal/metrics"
	"github.com/lmkd/lmkd/internal/sys"
)

// The names by which init and systemd hand the socket of Android's protocol over.
const (
	androidEnv  = "ANDROID_SOCKET_lmkd"
	androidUnit = "lmkd-android"
	androidDir  = "/dev/socket"
)

// sockets are what clients are heard on; each is nil when it is off.
type sockets struct {
	android *control.Android
	native  *control.Native
	booted  chan struct{} // closed when a client says so; nil where nobody waits for it
}

// openSockets serves what the configuration asks for. What is asked for by path
// must be had; what is auto is done without, and said.
func openSockets(c *config.Control, say *log.Logger) (*sockets, error) {
	s := &sockets{}
	if c.WaitForBoot {
		s.booted = make(chan struct{})
	}
	err := s.serve(c.Android, say, "control.android_socket", func(auto bool) (err error) {
		s.android, err = openAndroid(c, auto, s.booted, say)
		return err
	})
	if err == nil {
		err = s.serve(c.Socket, say, "control.socket", func(bool) (err error) {
			s.native, err = openNative(c.Socket)
			return err
		})
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *sockets) serve(where string, say *log.Logger, key string, open func(auto bool) error) error {
	if where == "" {
		return nil
	}
	err := open(where == config.Auto)
	if err != nil && where == config.Auto {
		say.Printf("%s: %v: nobody is heard there", key, err)
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	return nil
}

func (s *sockets) close() {
	if s.android != nil {
		s.android.Close()
	}
	if s.native != nil {
		s.native.Close()
	}
}

// openAndroid takes the socket that was handed over, or makes one.
func openAndroid(c *config.Control, auto bool, booted chan struct{}, say *log.Logger) (*control.Android, error) {
	opt := control.AndroidOptions{Trusted: c.Trusted, NoStats: !c.Stats, Say: say.Printf}
	if booted != nil {
		opt.Boot = func() { close(booted) }
	}
	if c.SoftLimits {
		var err error
		if opt.SoftLimits, err = control.FindSoftLimits("/"); err != nil {
			say.Printf("android.per_app_memcg: %v", err)
		}
	}
	var listener sys.FD
	if auto {
		listener = inherited()
	}
	if !listener.Open() {
		if opt.Path = c.Android; auto {
			opt.Path = androidPath()
		}
		var err error
		if listener, err = control.BindAndroid(opt.Path); err != nil {
			return nil, err
		}
	}
	return control.ServeAndroid(listener, opt)
}

func openNative(where string) (*control.Native, error) {
	socket, err := control.BindNative(controlPath(where))
	if err != nil {
		return nil, err
	}
	return control.ServeNative(socket, metrics.Machine), nil
}

// inherited gives the socket that Android's init or systemd handed over.
func inherited() sys.FD {
	if n, err := strconv.Atoi(os.Getenv(androidEnv)); err == nil && n > 2 {
		return sys.NewFD(n)
	}
	var fd sys.FD
	for _, f := range activation.Files(true) {
		if f.Name() == androidUnit {
			fd, _ = sys.Dup(int(f.Fd()))
		}
		_ = f.Close()
	}
	return fd
}

// androidPath is where clients look for it, on Android, else where it may be made.
func androidPath() string {
	if info, err := os.Stat(androidDir); err == nil && info.IsDir() {
		return filepath.Join(androidDir, "lmkd")
	}
	return filepath.Join(runDirectory(), "android.sock")
}

// controlPath is the path of the native socket.
func controlPath(where string) string {
	if where == config.Auto {
		return filepath.Join(runDirectory(), "control.sock")
	}
	return where
}

// runDirectory is the one that systemd made, or below /run.
func runDirectory() string {
	if dir := os.Getenv("RUNTIME_DIRECTORY"); dir != "" {
		return dir
	}
	return "/run/lmkd"
}

var errNoSocket = errors.New("control.socket is off")
