package protocols

import (
	"crypto/tls"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/byline-proxy/byline/cmd/byline/e2e/testenv"
)

// origin is an application with a login form and a session cookie. It has
// several addresses, each of which speaks one protocol over TLS with a
// certificate of the origin's own authority.
type origin struct {
	t         *testing.T
	env       *testenv.Env
	borrowed  string // value of the agent's cookie, which must not arrive
	authority *authority

	mu        sync.Mutex                  // guards the maps
	passwords map[string]string           // by user
	sessions  map[string]bool             // cookies of live sessions
	handlers  map[string]http.HandlerFunc // by the first element of the path
	received  map[string]int              // path → requests with a session
	closed    map[string]bool             // closed connections by the client's address
}

func newOrigin(t *testing.T, env *testenv.Env, borrowed string) *origin {
	return &origin{
		t: t, env: env, borrowed: borrowed, authority: newAuthority(t, env.Dir, "acme"),
		passwords: map[string]string{}, sessions: map[string]bool{}, handlers: map[string]http.HandlerFunc{},
		received: map[string]int{}, closed: map[string]bool{},
	}
}

// listen opens an address and returns its URL. If change is not nil it is called
// with the server before that starts.
func (o *origin) listen(protocol string, change func(*httptest.Server)) string {
	s := httptest.NewUnstartedServer(o.handler(protocol))
	s.EnableHTTP2 = protocol == "h2"
	s.TLS = &tls.Config{Certificates: []tls.Certificate{o.authority.leaf}}
	s.Config.ErrorLog = log.New(discardWriter{}, "", 0)
	s.Config.HTTP2 = &http.HTTP2Config{ // windows so large that flow control of the origin does not hold up a test
		MaxReceiveBufferPerConnection: 1 << 26,
		MaxReceiveBufferPerStream:     1 << 20,
	}
	s.Config.ConnState = func(c net.Conn, state http.ConnState) {
		if state == http.StateClosed || state == http.StateHijacked {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.closed[c.RemoteAddr().String()] = true
		}
	}
	if change != nil {
		change(s)
	}
	s.StartTLS()
	o.t.Cleanup(s.Close)
	return s.URL
}

// discardWriter discards the log of net/http, whose errors the tests provoke.
type discardWriter struct{}

func (discardWriter) Write(p []byte) (int, error) { return len(p), nil }

func (o *origin) handler(protocol string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(fmt.Sprint(r.Header, r.URL), o.borrowed) {
			o.t.Errorf("I2: the borrowed cookie reached the origin in %s %s", r.Method, r.URL.Path)
		}
		if want := protocolMajor(protocol); r.ProtoMajor != want {
			o.t.Errorf("the origin received %s %s over %s, want HTTP/%d", r.Method, r.URL.Path, r.Proto, want)
		}

		if r.URL.Path == "/login" {
			o.login(w, r)
			return
		}
		h := o.handlerFor(r)
		if h == nil {
			http.Redirect(w, r, "/login", http.StatusFound)
			return
		}
		h(w, r)
	})
}

// handlerFor returns the handler of a request, or nil if it has no session.
func (o *origin) handlerFor(r *http.Request) http.HandlerFunc {
	session := sessionOf(r)
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.sessions[session] {
		return nil
	}
	if r.URL.Path == "/logout" {
		delete(o.sessions, session)
		return func(http.ResponseWriter, *http.Request) {}
	}

	o.received[r.URL.Path]++
	if h := o.handlers[strings.Split(r.URL.Path, "/")[1]]; h != nil {
		return h
	}
	return http.NotFound
}

func (o *origin) login(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		fmt.Fprint(w, `<form method="post"><input name="user"><input name="pass" type="password"></form>`)
		return
	}

	user, password := r.FormValue("user"), r.FormValue("pass")
	o.mu.Lock()
	defer o.mu.Unlock()
	if password == "" || o.passwords[user] != password {
		http.Error(w, "wrong", http.StatusForbidden)
		return
	}
	session := testenv.NewSecret()
	o.env.AddSecret("a session of "+user, session)
	o.sessions[session] = true
	http.SetCookie(w, &http.Cookie{Name: "sid", Value: session, Path: "/", HttpOnly: true, Secure: true})
	http.Redirect(w, r, "/", http.StatusFound)
}

// addUser creates a user and returns its password.
func (o *origin) addUser(user string) (password string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.passwords[user] = testenv.NewSecret()
	return o.passwords[user]
}

// isClosed reports whether the connection from clientAddr was closed.
func (o *origin) isClosed(clientAddr string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.closed[clientAddr]
}

// sessionOf returns the session cookie of a request, which agents must not see.
func sessionOf(r *http.Request) string {
	c, err := r.Cookie("sid")
	if err != nil {
		return ""
	}
	return c.Value
}

// mask returns what an agent sees of a secret.
func mask(secret string) string { return strings.Repeat("*", len(secret)) }

// flush sends what the handler has written so far.
func flush(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() }
