package proxy

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/byline-proxy/byline/proxy/vault"
)

// impatientApp is an application that closes a connection when the second request
// arrives on it, as one does whose idle timeout is over just then.
type impatientApp struct {
	net.Listener

	mu       sync.Mutex // guards what follows
	posts    int32      // logins that were answered
	cutPosts int32      // logins that got no answer
}

func newImpatientApp(t *testing.T) *impatientApp {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	a := &impatientApp{Listener: ln}
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go a.serve(conn)
		}
	}()
	return a
}

func (a *impatientApp) serve(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	for n := range 2 {
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		isLogin := r.URL.Path == "/login" && r.Method == "POST"
		a.mu.Lock()
		switch {
		case isLogin && n == 0:
			a.posts++
		case isLogin:
			a.cutPosts++
		}
		a.mu.Unlock()
		if n == 1 {
			return
		}

		head := "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
		if isLogin {
			if err := r.ParseForm(); err != nil {
				return
			}
			head = "HTTP/1.1 302 Found\r\nLocation: /page/1\r\nSet-Cookie: sid=canary-session-0123456789; Path=/\r\n"
		}
		fmt.Fprintf(conn, "%sContent-Length: 4\r\n\r\nfine", head)
	}
}

// A login page and the form on it go over one connection in a browser. The application
// may close it meanwhile, at the latest while a one-time code is waited for, and that is
// no failed login.
func TestALoginOnAStaleConnectionIsNoFailedLogin(t *testing.T) {
	for name, c := range map[string]struct {
		form string
		cut  int32 // connections that were closed when the form arrived
	}{
		"a password":                        {"pass: \"${password}\"", 1},
		"a one-time code, never sent twice": {"pass: \"${password}\", code: \"${totp}\"", 0},
	} {
		t.Run(name, func(t *testing.T) {
			a := newImpatientApp(t)
			adapter := fmt.Sprintf(legacyAdapter, "http://"+a.Addr().String(), "")
			adapter = strings.NewReplacer(`, ca: ""`, "", "    - post: /login", "    - get: /login\n    - post: /login", `pass: "${password}"`, c.form).Replace(adapter)
			s := startServer(t, t.TempDir(), loadRules(t, adapter), nil)
			putAccount(t, s.vault.(*vault.File), "legacy", "agent-01", map[string]string{
				"username": "agent-01", "password": canaryPassword, "totp_seed": "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP",
			})
			agent, _ := s.newAgent(t, pagesSpec)

			if status, body, _ := sendAsAlice(t, agent, "GET", "/page/1", ""); status != 200 {
				t.Errorf("status %d, body %s; want 200", status, body)
			}
			a.mu.Lock()
			defer a.mu.Unlock()
			if a.posts != 1 || a.cutPosts != c.cut {
				t.Errorf("the form arrived %d times and once more on %d closed connections, want 1 and %d", a.posts, a.cutPosts, c.cut)
			}
			if n := len(s.leases.Refused()); n != 0 {
				t.Errorf("%d accounts are in back-off, want none", n)
			}
		})
	}
}
