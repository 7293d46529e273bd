package main

import (
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestControlAPIAsksWhoAsks sends requests to the control API of a real server, as its
// operator, as strangers and as web pages.
func TestControlAPIAsksWhoAsks(t *testing.T) {
	h, cfg := serve(t)
	st, err := os.Stat(cfg.Control.TokenFile)
	must(t, err)
	if st.Mode().Perm() != 0o600 {
		t.Errorf("the token file has mode %04o, want 0600", st.Mode().Perm())
	}
	text, err := os.ReadFile(cfg.Control.TokenFile)
	must(t, err)
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
		{"the token without its last character", "/v1/tasks", "Bearer " + token[:len(token)-1], "", "", 401, "auth_required"},
		{"the token as a password", "/v1/tasks", "Basic " + token, "", "", 401, "auth_required"},
		{"metrics without the token", "/metrics", "", "", "", 401, "auth_required"},
		{"health without the token", "/healthz", "", "", "", 200, ""},
		{"readiness without the token", "/readyz", "", "", "", 200, ""},
		{"a name that was rebound to this address", "/v1/tasks", "Bearer " + token, "evil.example", "", 421, "misdirected"},
		{"the same without the token", "/healthz", "", "evil.example", "", 421, "misdirected"},
		{"a web page", "/v1/tasks", "Bearer " + token, "", "https://evil.example", 421, "misdirected"},
		{"a web page of this address", "/v1/tasks", "Bearer " + token, "", "http://" + cfg.Control.Listen, 421, "misdirected"},
	} {
		t.Run(c.name, func(t *testing.T) {
			req, err := http.NewRequest(http.MethodGet, "http://"+cfg.Control.Listen+c.path, nil)
			must(t, err)
			req.Host = c.host
			if c.authorization != "" {
				req.Header.Set("Authorization", c.authorization)
			}
			if c.origin != "" {
				req.Header.Set("Origin", c.origin)
			}

			res, err := http.DefaultClient.Do(req)
			must(t, err)
			status, code, body := readProblem(t, res)
			if status != c.status || code != c.code {
				t.Errorf("GET %s is answered %d %q, want %d %q: %s", c.path, status, code, c.status, c.code, body)
			}
			if strings.Contains(body, token) {
				t.Error("the answer holds the token")
			}
		})
	}

	t.Run("the command over TCP", func(t *testing.T) {
		h.run(t, "", "task", "list", "--control", cfg.Control.Listen)

		wrong := filepath.Join(t.TempDir(), "token")
		must(t, os.WriteFile(wrong, []byte("bla_"+strings.Repeat("x", 43)), 0o600))
		wantFailure := func(want string, args ...string) {
			t.Helper()
			code, out := h.exitCode(t, append([]string{"task", "list"}, args...)...)
			if code != 1 || !strings.Contains(out, want) {
				t.Errorf("byline task list %q exits with %d, want 1 with %q:\n%s", args, code, want, out)
			}
		}
		wantFailure("the control token is missing or wrong", "--control", cfg.Control.Listen, "--token-file", wrong)
		wantFailure("would cross the network unencrypted", "--control", "control.acme.example:8081")
		must(t, os.Chmod(wrong, 0o644))
		wantFailure("is accessible to other users (mode 0644)", "--control", cfg.Control.Listen, "--token-file", wrong)
	})
}

// TestControlSocketKnowsItsPeer asks over the Unix socket as the server's user and as
// another one, with a socket that was opened to everybody by mistake.
func TestControlSocketKnowsItsPeer(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can be another user")
	}
	h, cfg := serve(t)
	for _, path := range []string{h.Dir, filepath.Dir(h.Dir), filepath.Dir(filepath.Dir(h.Dir)), cfg.DataDir} {
		if path != filepath.Clean(os.TempDir()) { // everybody can enter that one
			must(t, os.Chmod(path, 0o755))
		}
	}
	must(t, os.Chmod(cfg.Control.Socket, 0o777))

	const nobody = 65534
	for uid, want := range map[int]int{0: 200, nobody: 403} {
		client := &http.Client{Transport: &http.Transport{
			DisableKeepAlives: true,
			DialContext: func(context.Context, string, string) (net.Conn, error) {
				return dialAs(uid, cfg.Control.Socket)
			},
		}}
		res, err := client.Get("http://control/v1/tasks")
		must(t, err)
		if status, code, body := readProblem(t, res); status != want {
			t.Errorf("uid %d is answered %d %s, want %d: %s", uid, status, code, want, body)
		}
	}
}

// dialAs connects to a Unix socket as another user, which the kernel tells the server. The
// thread that changed its user is not used again.
func dialAs(uid int, path string) (net.Conn, error) {
	type result struct {
		fd  int
		err error
	}
	done := make(chan result)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with this goroutine
		fd, err := connectAs(uid, path)
		done <- result{fd, err}
	}()
	r := <-done
	if r.err != nil {
		return nil, r.err
	}

	f := os.NewFile(uintptr(r.fd), path)
	defer f.Close()
	return net.FileConn(f)
}

// connectAs changes the effective user of this thread and connects.
func connectAs(uid int, path string) (int, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, ^uintptr(0), uintptr(uid), ^uintptr(0)); errno != 0 {
		return 0, errno
	}
	return fd, unix.Connect(fd, &unix.SockaddrUnix{Name: path})
}
