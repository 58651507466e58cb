package metrics

import (
	"errors"
	"fmt"
	"io/fs"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/lmkd/lmkd/internal/sys"
)

// maxConnections bounds what scrapers can make the daemon hold.
const maxConnections = 16

// Server serves /metrics on one socket. It has one owner, which closes it.
type Server struct {
	socket net.Listener
	http   http.Server
}

// Listen binds host:port or unix:/path. A socket that a dead process left at
// the path is replaced, a living one's is not. What goes wrong with single
// requests goes to errs.
func (m *Metrics) Listen(where string, errs *log.Logger) (*Server, error) {
	socket, err := bind(where)
	if err != nil {
		return nil, fmt.Errorf("serve metrics on %s: %w", where, plain(err))
	}
	s := &Server{socket: &bounded{Listener: socket, free: make(chan struct{}, maxConnections)}}
	s.http = http.Server{
		Handler:           m.handler(),
		ErrorLog:          errs,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       5 * time.Second,
		WriteTimeout:      10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    8 << 10,
	}
	return s, nil
}

// Addr gives the address that is bound.
func (s *Server) Addr() net.Addr { return s.socket.Addr() }

// Serve answers requests until Close.
func (s *Server) Serve() error {
	if err := s.http.Serve(s.socket); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve metrics on %s: %w", s.Addr(), err)
	}
	return nil
}

// Close ends Serve and every connection.
func (s *Server) Close() error {
	return errors.Join(s.http.Close(), ignoreClosed(s.socket.Close()))
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// handler answers /metrics, and / with a line that leads there.
func (m *Metrics) handler() http.Handler {
	mux := http.NewServeMux()
	// Compression would cost more memory than it saves.
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		DisableCompression:  true,
		MaxRequestsInFlight: 2,
		Timeout:             5 * time.Second,
	}))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte("<!doctype html><title>lmkd</title><p>lmkd: <a href=\"metrics\">metrics</a>\n"))
	})
	return mux
}

func bind(where string) (net.Listener, error) {
	path, unix := strings.CutPrefix(where, "unix:")
	if !unix {
		return net.Listen("tcp", where)
	}
	socket, err := net.Listen("unix", path)
	if errors.Is(err, sys.EADDRINUSE) && abandoned(path) {
		if err = os.Remove(path); err == nil {
			socket, err = net.Listen("unix", path)
		}
	}
	return socket, err
}

// abandoned tells whether path is a socket at which nobody listens.
func abandoned(path string) bool {
	info, err := os.Lstat(path)
	if err != nil || info.Mode()&fs.ModeSocket == 0 {
		return false
	}
	c, err := net.Dial("unix", path)
	if err == nil {
		_ = c.Close()
	}
	return errors.Is(err, sys.ECONNREFUSED)
}

// plain leaves of the net package's error what it does not share with ours.
func plain(err error) error {
	var call *os.SyscallError
	if errors.As(err, &call) {
		return call.Err
	}
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	return err
}

// bounded accepts no more connections than there is room for; further ones
// wait in the kernel's queue.
type bounded struct {
	net.Listener
	free chan struct{}
}

func (b *bounded) Accept() (net.Conn, error) {
	b.free <- struct{}{}
	c, err := b.Listener.Accept()
	if err != nil {
		<-b.free
		return nil, err
	}
	return &counted{Conn: c, leave: sync.OnceFunc(func() { <-b.free })}, nil
}

type counted struct {
	net.Conn
	leave func()
}

func (c *counted) Close() error {
	c.leave()
	return c.Conn.Close()
}
