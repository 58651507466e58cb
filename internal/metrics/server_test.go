package metrics

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// serve starts a server and gives a client that reaches it, whatever the
// address of a request.
func serve(t *testing.T, where string) *http.Client {
	t.Helper()
	s, err := newTest().Listen(where, log.New(io.Discard, "", 0))
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve() }()
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		if err := <-ended; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	addr := s.Addr()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, addr.Network(), addr.String())
	}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func get(t *testing.T, c *http.Client, path string) (int, string) {
	t.Helper()
	r, err := c.Get("http://lmkd" + path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(body)
}

func TestScrape(t *testing.T) {
	for name, where := range map[string]string{
		"tcp":  "127.0.0.1:0",
		"unix": "unix:" + filepath.Join(t.TempDir(), "metrics.sock"),
	} {
		t.Run(name, func(t *testing.T) {
			c := serve(t, where)
			code, body := get(t, c, "/metrics")
			for _, want := range []string{"\nlmkd_build_info{", "\nlmkd_kills_total{", "\nprocess_resident_memory_bytes "} {
				if code != 200 || !strings.Contains(body, want) {
					t.Errorf("%d, no %q in\n%.500s", code, want, body)
				}
			}
			if code, body = get(t, c, "/"); code != 200 || !strings.Contains(body, `href="metrics"`) {
				t.Errorf("index: %d %s", code, body)
			}
			if code, _ = get(t, c, "/debug/pprof"); code != 404 {
				t.Errorf("an unknown path gives %d", code)
			}
			r, err := c.Post("http://lmkd/metrics", "", nil)
			if err != nil || r.StatusCode != 405 {
				t.Errorf("POST: %v, %v", r, err)
			}
		})
	}
}

// More connections than there is room for wait, and get their answer.
func TestBoundedConnections(t *testing.T) {
	c := serve(t, "127.0.0.1:0")
	answers := make(chan int)
	for range 3 * maxConnections {
		go func() {
			r, err := c.Get("http://lmkd/")
			if err != nil {
				answers <- 0
				return
			}
			_, _ = io.Copy(io.Discard, r.Body)
			_ = r.Body.Close()
			c.CloseIdleConnections()
			answers <- r.StatusCode
		}()
	}
	for range 3 * maxConnections {
		if code := <-answers; code != 200 {
			t.Errorf("got %d", code)
		}
	}
}

// The socket of a process that is gone is replaced; a living one's and a file
// that is none are not.
func TestListenUnixAgain(t *testing.T) {
	dir := t.TempDir()
	stale, file := filepath.Join(dir, "stale"), filepath.Join(dir, "file")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: stale, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	_ = l.Close()
	if err := os.WriteFile(file, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := serve(t, "unix:"+stale)
	if code, _ := get(t, c, "/metrics"); code != 200 {
		t.Errorf("over the replaced socket: %d", code)
	}
	for _, path := range []string{stale, file} {
		_, err := newTest().Listen("unix:"+path, nil)
		want := "serve metrics on unix:" + path + ": address already in use"
		if err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != "mine" {
		t.Errorf("the file is %q, %v", b, err)
	}
}

func TestListenErrors(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	gone := filepath.Join(t.TempDir(), "no", "dir")
	for where, want := range map[string]string{
		taken.Addr().String(): "serve metrics on " + taken.Addr().String() + ": address already in use",
		"unix:" + gone:        "serve metrics on unix:" + gone + ": no such file or directory",
		"192.0.2.1:9":         "serve metrics on 192.0.2.1:9: cannot assign requested address",
	} {
		if _, err := newTest().Listen(where, nil); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
