package proxy

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

// impatientApp is an application that closes a connection when the second request
// arrives on it, as one does whose idle timeout is over just then.
type impatientApp struct {
	net.Listener
	posts, cut atomic.Int32
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
		if n == 1 {
			a.cut.Add(1)
			return
		}

		head := "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
		if r.URL.Path == "/login" && r.Method == "POST" {
			a.posts.Add(1)
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
func TestALoginPostsItsSecretOnAFreshConnection(t *testing.T) {
	a := newImpatientApp(t)
	adapter := fmt.Sprintf(legacyAdapter, "http://"+a.Addr().String(), "")
	adapter = strings.NewReplacer(`, ca: ""`, "", "    - post: /login", "    - get: /login\n    - post: /login").Replace(adapter)
	s := startServer(t, t.TempDir(), loadRules(t, adapter), nil)
	agent, _ := s.newAgent(t, pagesSpec)

	if status, body, _ := sendAsAlice(t, agent, "GET", "/page/1", ""); status != 200 {
		t.Errorf("status %d, body %s; want 200", status, body)
	}
	if n := a.posts.Load(); n != 1 {
		t.Errorf("the secret arrived %d times, want once", n)
	}
	if n := len(s.leases.Refused()); n != 0 {
		t.Errorf("%d accounts are in back-off, want none", n)
	}
}
