package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/byline-proxy/byline/proxy/admin"
)

// heldRun is a byline run whose program does nothing.
type heldRun struct {
	*exec.Cmd
	h       *installation
	task    string
	program int          // its process
	proxy   *url.URL     // that the program has in its environment
	agent   *http.Client // uses that proxy
	stderr  lockedOutput
}

// lockedOutput is a buffer that is safe for concurrent use.
type lockedOutput struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedOutput) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedOutput) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// startRun starts byline run with further flags and waits for its program. The
// program lives on if byline run is killed.
func startRun(t *testing.T, h *installation, flags ...string) *heldRun {
	t.Helper()
	args := append([]string{"run", "--agent", "agent/test", "--sponsor", "alice", "--purpose", "INC-1", "--allow", "tickets:ticket.*"}, flags...)
	r := &heldRun{Cmd: h.Command(t.Context(), append(args, "--", "sh", "-c", `echo "$$ $BYLINE_TASK $HTTPS_PROXY"; trap "" TERM; while :; do sleep 0.1; done`)...), h: h}
	r.Stderr = &r.stderr
	out, err := r.StdoutPipe()
	must(t, err)
	must(t, r.Start())
	var program int
	t.Cleanup(func() {
		if program > 0 {
			_ = syscall.Kill(program, syscall.SIGKILL)
		}
		_ = r.Process.Kill()
		_ = r.Wait()
	})

	var proxy string
	if _, err := fmt.Fscan(out, &program, &r.task, &proxy); err != nil {
		t.Fatalf("the program did not start: %v\n%s", err, r.stderr.String())
	}
	r.program = program
	u, err := url.Parse(proxy)
	must(t, err)
	r.proxy = u
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(h.read(t, "data/certs/root.crt")))
	tr := &http.Transport{Proxy: http.ProxyURL(u), TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true}
	r.agent = &http.Client{Transport: tr, Timeout: 30 * time.Second}
	return r
}

// state returns the task as the server shows it.
func (r *heldRun) state(t *testing.T) admin.Task {
	t.Helper()
	var tasks []admin.Task
	must(t, json.Unmarshal([]byte(r.h.run(t, "", "task", "list", "--json")), &tasks))
	for _, task := range tasks {
		if task.ID == r.task {
			return task
		}
	}
	t.Fatalf("the server does not know task %s", r.task)
	panic("unreachable")
}

// checkEndsWithin waits until the task has ended and compares the time of its end
// with since.
func (r *heldRun) checkEndsWithin(t *testing.T, since time.Time, limit time.Duration) {
	t.Helper()
	for deadline := time.Now().Add(limit + 10*time.Second); ; time.Sleep(20 * time.Millisecond) {
		task := r.state(t)
		if task.State == admin.StateEnded {
			took := task.Ended.Sub(since)
			t.Logf("the task ended after %v", took)
			if took > limit {
				t.Errorf("the task ended after %v (%s), want within %v", took, task.Why, limit)
			}
			if !strings.Contains(task.Why, "nothing was heard") {
				t.Errorf("the task ended because %q, want because nothing was heard of its byline run", task.Why)
			}
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the task is still %s", task.State)
		}
	}
}

// send sends a request as the program would and returns the status, or 0 if the
// proxy did not open a tunnel. The refusal of a CONNECT reaches no Go client, so the
// error says only its status.
func (r *heldRun) send() (int, error) {
	resp, err := r.agent.Get("https://tickets.acme.example/tickets/7")
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusOK {
		err = errors.Join(err, fmt.Errorf("%s", body))
	}
	return resp.StatusCode, err
}

func TestI6ATaskEndsWithinASecondOfItsBylineRun(t *testing.T) {
	h, cfg := serve(t)

	t.Run("killed", func(t *testing.T) {
		r := startRun(t, h)
		if status, err := r.send(); status != http.StatusOK {
			t.Fatalf("before: got status %d, error %v", status, err)
		}
		killed := time.Now()
		must(t, r.Process.Kill())
		r.checkEndsWithin(t, killed, time.Second)
		if status, err := r.send(); err == nil || !strings.Contains(err.Error(), "refused") {
			t.Errorf("the listener is not gone: got status %d, error %v; want a refused connection", status, err)
		}
	})

	t.Run("stopped", func(t *testing.T) {
		r := startRun(t, h)
		stopped := time.Now()
		must(t, r.Process.Signal(syscall.SIGSTOP))
		r.checkEndsWithin(t, stopped, time.Second)

		must(t, r.Process.Signal(syscall.SIGCONT))
		for end := time.Now().Add(10 * time.Second); !strings.Contains(r.stderr.String(), "the task has ended"); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("after SIGCONT byline run does not say that its task has ended: %q", r.stderr.String())
			}
		}
	})

	t.Run("its network is gone", func(t *testing.T) {
		relay := newControlRelay(t, cfg.Control.Listen)
		r := startRun(t, h, "--control", relay.addr, "--token-file", cfg.Control.TokenFile)
		gone := time.Now()
		relay.silent.Store(true)
		r.checkEndsWithin(t, gone, time.Second)
	})

	t.Run("its connection breaks and comes back", func(t *testing.T) {
		relay := newControlRelay(t, cfg.Control.Listen)
		r := startRun(t, h, "--control", relay.addr, "--token-file", cfg.Control.TokenFile)
		for range 3 {
			relay.breakAll()
			time.Sleep(500 * time.Millisecond)
		}
		time.Sleep(time.Second)
		if task := r.state(t); task.State != admin.StateActive {
			t.Errorf("the task is over although byline run connected again: %+v", task)
		}
	})

	t.Run("ended by the operator", func(t *testing.T) {
		r := startRun(t, h)
		h.run(t, "", "task", "end", r.task)
		for end := time.Now().Add(10 * time.Second); !strings.Contains(r.stderr.String(), "ended by the operator"); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("byline run does not say that its task was ended: %q", r.stderr.String())
			}
		}
	})
}

// TestI6ATaskOutlivesTheServerOnlyWithItsBylineRun kills the server. A task whose
// byline run connects again goes on; one whose byline run is dead by then ends, and
// none of its requests is carried meanwhile.
func TestI6ATaskOutlivesTheServerOnlyWithItsBylineRun(t *testing.T) {
	h, _ := serveAfter(t, func(t *testing.T, h *installation) {
		h.write(t, "byline.yaml", strings.Replace(h.read(t, "byline.yaml"), "lifeline_resume: 10s", "lifeline_resume: 2s", 1))
	})
	alive, dead := startRun(t, h), startRun(t, h)

	must(t, h.Server.Process.Kill())
	_ = h.Stop()
	must(t, dead.Process.Kill())
	time.Sleep(time.Second)
	started := time.Now()
	must(t, h.Serve(t.Context()))

	if status, err := dead.send(); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("a request of a task without its byline run: got status %d, error %v; want a refused connection", status, err)
	}
	dead.checkEndsWithin(t, started, 4*time.Second)
	if status, err := alive.send(); status != http.StatusOK {
		t.Errorf("a request of a task whose byline run connected again: got status %d, error %v; want 200", status, err)
	}
	time.Sleep(2 * time.Second)
	if task := alive.state(t); task.State != admin.StateActive {
		t.Errorf("the task is over although byline run connected again: %+v", task)
	}
}

// controlRelay copies TCP connections to the control API.
type controlRelay struct {
	addr   string
	silent atomic.Bool // copies nothing and closes nothing

	mu    sync.Mutex
	conns []net.Conn
}

func newControlRelay(t *testing.T, to string) *controlRelay {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	r := &controlRelay{addr: ln.Addr().String()}
	t.Cleanup(func() {
		ln.Close()
		r.breakAll()
	})

	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			upstream, err := net.Dial("tcp", to)
			if err != nil {
				conn.Close()
				continue
			}
			r.mu.Lock()
			r.conns = append(r.conns, conn, upstream)
			r.mu.Unlock()
			go r.copy(upstream, conn)
			go r.copy(conn, upstream)
		}
	}()
	return r
}

func (r *controlRelay) copy(to, from net.Conn) {
	var b [4096]byte
	for {
		n, err := from.Read(b[:])
		if r.silent.Load() {
			return
		}
		if n > 0 {
			_, _ = to.Write(b[:n])
		}
		if err != nil {
			to.Close()
			return
		}
	}
}

// breakAll closes every connection.
func (r *controlRelay) breakAll() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.conns {
		c.Close()
	}
	r.conns = nil
}
