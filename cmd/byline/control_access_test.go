package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/byline-proxy/byline/cmd/byline/demo"
	"github.com/byline-proxy/byline/configs"
)

// serving is a server of the real program with Tickets behind it. It is
// stopped, and must end well, when the test ends.
func serving(t *testing.T) (*installation, *configs.Config) {
	t.Helper()
	return servingAfter(t, func(*testing.T, *installation) {})
}

// servingAfter is serving with something done to the files before the start.
func servingAfter(t *testing.T, change spoil) (*installation, *configs.Config) {
	t.Helper()
	app, err := demo.Start(ticketsPasswords)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = app.Close() })
	h := initialized(t)
	h.App = app
	if err := os.WriteFile(h.Path("acme-ca.pem"), app.CA(), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := h.Configure(); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Run(t.Context(), "username=agent-01\npassword="+ticketsPasswords["agent-01"]+"\n", "vault", "put", "tickets/agent-01"); err != nil {
		t.Fatal(err)
	}
	change(t, h)
	if err := h.Serve(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Stop(); err != nil {
			text, _ := os.ReadFile(h.Path("serve.log"))
			t.Errorf("%v\n%s", err, text)
		}
	})
	cfg, err := configs.Load(h.Path("byline.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return h, cfg
}

// TestControlAPIAsksWhoAsks sends requests to the control API of the real
// server as its owner, strangers and web pages do.
func TestControlAPIAsksWhoAsks(t *testing.T) {
	h, cfg := serving(t)
	st, err := os.Stat(cfg.Control.TokenFile)
	if err != nil || st.Mode().Perm() != 0o600 {
		t.Fatalf("token file: %v %v", st.Mode(), err)
	}
	text, err := os.ReadFile(cfg.Control.TokenFile)
	if err != nil {
		t.Fatal(err)
	}
	token := strings.TrimSpace(string(text))
	for _, c := range []struct {
		name, path, authorization, host, origin string
		status                                  int
		code                                    string
	}{
		{"the token", "/v1/tasks", "Bearer " + token, "", "", 200, ""},
		{"the token, by name", "/v1/tasks", "Bearer " + token, "localhost", "", 200, ""},
		{"no token", "/v1/tasks", "", "", "", 401, "auth_required"},
		{"a wrong token", "/v1/tasks", "Bearer bla_wrong", "", "", 401, "auth_required"},
		{"the token but for its end", "/v1/tasks", "Bearer " + token[:len(token)-1], "", "", 401, "auth_required"},
		{"the token as a password", "/v1/tasks", "Basic " + token, "", "", 401, "auth_required"},
		{"metrics without the token", "/metrics", "", "", "", 401, "auth_required"},
		{"health needs none", "/healthz", "", "", "", 200, ""},
		{"readiness needs none", "/readyz", "", "", "", 200, ""},
		{"a name that was rebound to this address", "/v1/tasks", "Bearer " + token, "evil.example", "", 421, "misdirected"},
		{"the same without the token", "/healthz", "", "evil.example", "", 421, "misdirected"},
		{"a web page", "/v1/tasks", "Bearer " + token, "", "https://evil.example", 421, "misdirected"},
		{"a web page of this very address", "/v1/tasks", "Bearer " + token, "", "http://" + cfg.Control.Listen, 421, "misdirected"},
	} {
		t.Run(c.name, func(t *testing.T) {
			req, err := http.NewRequest(http.MethodGet, "http://"+cfg.Control.Listen+c.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			if req.Host = c.host; c.authorization != "" {
				req.Header.Set("Authorization", c.authorization)
			}
			if c.origin != "" {
				req.Header.Set("Origin", c.origin)
			}
			status, code, body := ask(t, http.DefaultClient, req)
			if status != c.status || code != c.code {
				t.Errorf("got %d %q, want %d %q: %s", status, code, c.status, c.code, body)
			}
			if strings.Contains(body, token) {
				t.Error("the answer holds the token")
			}
		})
	}
	t.Run("the command over TCP", func(t *testing.T) {
		if out, err := h.Run(t.Context(), "", "task", "list", "--control", cfg.Control.Listen); err != nil {
			t.Errorf("%v %s", err, out)
		}
		wrong := filepath.Join(t.TempDir(), "token")
		if err := os.WriteFile(wrong, []byte("bla_"+strings.Repeat("x", 43)), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := h.Run(t.Context(), "", "task", "list", "--control", cfg.Control.Listen, "--token-file", wrong); err == nil || !strings.Contains(out, "the control token is missing or wrong") {
			t.Errorf("a wrong token: %v %s", err, out)
		}
		if out, err := h.Run(t.Context(), "", "task", "list", "--control", "control.acme.example:8081"); err == nil || !strings.Contains(out, "would cross the network unencrypted") {
			t.Errorf("another machine: %v %s", err, out)
		}
		if err := os.Chmod(wrong, 0o644); err != nil {
			t.Fatal(err)
		}
		if out, err := h.Run(t.Context(), "", "task", "list", "--control", cfg.Control.Listen, "--token-file", wrong); err == nil || !strings.Contains(out, "is accessible to other users (mode 0644): run chmod 600") {
			t.Errorf("a token that others can read: %v %s", err, out)
		}
	})
}

func ask(t *testing.T, c *http.Client, req *http.Request) (status int, code, body string) {
	t.Helper()
	res, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	var p struct{ Code string }
	_ = json.Unmarshal(b, &p) // an answer that is no problem has no code
	return res.StatusCode, p.Code, string(b)
}

// TestControlSocketKnowsItsPeer asks over the Unix socket as the server's own
// user and as another one, with the socket opened to everybody by mistake.
func TestControlSocketKnowsItsPeer(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can be another user")
	}
	h, cfg := serving(t)
	for _, path := range []string{h.Dir, filepath.Dir(h.Dir), filepath.Dir(filepath.Dir(h.Dir)), cfg.DataDir} {
		if path == filepath.Clean(os.TempDir()) {
			continue // it is everybody's already, and not ours to change
		}
		if err := os.Chmod(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(cfg.Control.Socket, 0o777); err != nil {
		t.Fatal(err)
	}
	for uid, want := range map[int]int{0: 200, 65534: 403} {
		c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(context.Context, string, string) (net.Conn, error) {
			return dialAs(uid, cfg.Control.Socket)
		}}}
		req, err := http.NewRequest(http.MethodGet, "http://control/v1/tasks", nil)
		if err != nil {
			t.Fatal(err)
		}
		if status, code, body := ask(t, c, req); status != want {
			t.Errorf("uid %d: got %d %s, want %d: %s", uid, status, code, want, body)
		}
	}
}

// dialAs connects as another user: the kernel tells the server who connected.
// The thread that changed its user is thrown away.
func dialAs(uid int, path string) (net.Conn, error) {
	type dialled struct {
		fd  int
		err error
	}
	out := make(chan dialled)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with this goroutine
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err == nil {
			if _, _, no := unix.RawSyscall(unix.SYS_SETRESUID, ^uintptr(0), uintptr(uid), ^uintptr(0)); no != 0 {
				err = no
			}
		}
		if err == nil {
			err = unix.Connect(fd, &unix.SockaddrUnix{Name: path})
		}
		out <- dialled{fd, err}
	}()
	d := <-out
	if d.err != nil {
		return nil, d.err
	}
	f := os.NewFile(uintptr(d.fd), path)
	defer f.Close()
	return net.FileConn(f)
}

func fromJSON(t *testing.T, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
}

// answered reads the answer to a CONNECT.
func answered(t *testing.T, conn net.Conn) (status int, code, body string) {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: http.MethodConnect})
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode == http.StatusOK {
		return res.StatusCode, "", "" // the tunnel follows
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	var p struct{ Code string }
	_ = json.Unmarshal(b, &p) // an answer that is no problem has no code
	return res.StatusCode, p.Code, string(b)
}
