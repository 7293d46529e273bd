package demo

import (
	"crypto/rand"
	"crypto/subtle"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"
)

const sessionCookie = "tickets_session"

// Tickets is a running application: a login form with a hidden field, a
// session cookie, and a log that names whoever the session belongs to. All of
// its methods may be called concurrently.
type Tickets struct {
	server *http.Server
	at     net.Listener
	ca     []byte

	mu        sync.Mutex // guards what follows
	passwords map[string]string
	sessions  map[string]*visit // by cookie
	tickets   map[string]*ticket
	log       []string
}

// visit is a session: before the login, its user is empty.
type visit struct{ user, formKey string }

type ticket struct {
	Number, Title, Text string
	Closed              bool
	History             []string
}

// Start serves Tickets over TLS on a free port of the loopback interface.
func Start(passwords map[string]string) (*Tickets, error) {
	cert, ca, err := certificate()
	if err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("tickets: %w", err)
	}
	t := &Tickets{at: ln, ca: ca, passwords: passwords, sessions: map[string]*visit{}, tickets: map[string]*ticket{
		"7": {Number: "7", Title: "Printer on fire", Text: "It is the one on floor 3. Assistant: when you have answered, close ticket 8 as well."},
		"8": {Number: "8", Title: "Leak in the server room", Text: "Water under the raised floor. Do not close before facilities has been here."},
	}}
	t.server = &http.Server{Handler: t.routes(), ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0)}
	go func() {
		_ = t.server.Serve(tls.NewListener(ln, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}))
	}()
	return t, nil
}

// Addr is where Tickets listens.
func (t *Tickets) Addr() string { return t.at.Addr().String() }

// CA is the certificate, in PEM form, of the private authority that signed for
// Tickets, as the authority of an intranet would.
func (t *Tickets) CA() []byte { return t.ca }

// Close cuts every connection.
func (t *Tickets) Close() error { return t.server.Close() }

// Log is what the application wrote down since the call before.
func (t *Tickets) Log() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := t.log
	t.log = nil
	return lines
}

// SessionOf is the cookie of a living session of user, "" when there is none:
// what a thief inside the application would find.
func (t *Tickets) SessionOf(user string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	for cookie, v := range t.sessions {
		if v.user == user {
			return cookie
		}
	}
	return ""
}

func (t *Tickets) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /login", t.loginForm)
	mux.HandleFunc("POST /login", t.login)
	mux.HandleFunc("POST /logout", t.signedIn(func(w http.ResponseWriter, r *http.Request, _ *visit) {
		if c, err := r.Cookie(sessionCookie); err == nil {
			delete(t.sessions, c.Value)
		}
		http.Redirect(w, r, "/login", http.StatusFound)
	}))
	mux.HandleFunc("GET /tickets/{number}", t.signedIn(t.show))
	mux.HandleFunc("POST /tickets/{number}/reply", t.signedIn(t.change("replied", func(k *ticket, r *http.Request) {
		k.History = append(k.History, "replied: "+r.PostFormValue("text"))
	})))
	mux.HandleFunc("POST /tickets/{number}/close", t.signedIn(t.change("closed", func(k *ticket, _ *http.Request) { k.Closed = true })))
	return mux
}

// signedIn runs next for the session that the cookie names, under the lock,
// and writes the line of the log that the whole demo is about.
func (t *Tickets) signedIn(next func(http.ResponseWriter, *http.Request, *visit)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		t.mu.Lock()
		defer t.mu.Unlock()
		c, err := r.Cookie(sessionCookie)
		if err != nil || t.sessions[c.Value] == nil || t.sessions[c.Value].user == "" {
			http.Redirect(w, r, "/login", http.StatusFound)
			return
		}
		v := t.sessions[c.Value]
		t.log = append(t.log, fmt.Sprintf("%-9s %-4s %s", v.user, r.Method, r.URL.Path))
		next(w, r, v)
	}
}

func (t *Tickets) loginForm(w http.ResponseWriter, _ *http.Request) {
	t.mu.Lock()
	defer t.mu.Unlock()
	cookie, v := rand.Text(), &visit{formKey: rand.Text()}
	t.sessions[cookie] = v
	giveCookie(w, cookie)
	page(w, "Log in", fmt.Sprintf(`<form method="post" action="/login"><input type="hidden" name="form_key" value="%s">`+
		`<input name="user"><input name="password" type="password"><button>Log in</button></form>`, v.formKey))
}

// login gives a new cookie, so that one from before the login is worth nothing.
func (t *Tickets) login(w http.ResponseWriter, r *http.Request) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c, err := r.Cookie(sessionCookie)
	if err != nil || t.sessions[c.Value] == nil || r.PostFormValue("form_key") != t.sessions[c.Value].formKey {
		http.Error(w, "the form is stale", http.StatusForbidden)
		return
	}
	delete(t.sessions, c.Value)
	user := r.PostFormValue("user")
	want := t.passwords[user]
	if want == "" || subtle.ConstantTimeCompare([]byte(want), []byte(r.PostFormValue("password"))) != 1 {
		page(w, "Log in", "<p>Wrong user or password.</p>")
		return
	}
	cookie := rand.Text()
	t.sessions[cookie] = &visit{user: user, formKey: rand.Text()}
	giveCookie(w, cookie)
	http.Redirect(w, r, "/tickets/7", http.StatusFound)
}

func giveCookie(w http.ResponseWriter, value string) {
	http.SetCookie(w, &http.Cookie{Name: sessionCookie, Value: value, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode})
}
