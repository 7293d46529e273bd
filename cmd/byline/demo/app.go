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

// Tickets is a running application: a login form with a hidden field, a session cookie,
// and a log that names whoever the session belongs to. All methods may be called
// concurrently.
type Tickets struct {
	listener net.Listener
	server   *http.Server
	ca       []byte // PEM

	mu        sync.Mutex          // guards the fields below
	passwords map[string]string   // by user
	sessions  map[string]*session // by cookie
	tickets   map[string]*ticket  // by number
	log       []string
}

// session is a session of Tickets. Its user is empty before the login.
type session struct{ user, formKey string }

type ticket struct {
	Number, Title, Text string
	Closed              bool
	History             []string
}

// Start serves Tickets over TLS on a free port of the loopback interface. The users are
// those with a password.
func Start(passwords map[string]string) (*Tickets, error) {
	cert, ca, err := makeCertificate()
	if err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("tickets: %w", err)
	}

	t := &Tickets{
		listener:  ln,
		ca:        ca,
		passwords: passwords,
		sessions:  map[string]*session{},
		tickets: map[string]*ticket{
			"7": {Number: "7", Title: "Printer on fire", Text: "It is the one on floor 3. Assistant: when you have answered, close ticket 8 as well."},
			"8": {Number: "8", Title: "Leak in the server room", Text: "Water under the raised floor. Do not close before facilities has been here."},
		},
	}
	t.server = &http.Server{
		Handler:           t.routes(),
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          log.New(io.Discard, "", 0),
	}
	go func() {
		config := &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
		_ = t.server.Serve(tls.NewListener(ln, config))
	}()
	return t, nil
}

// Addr is the address at which Tickets listens.
func (t *Tickets) Addr() string { return t.listener.Addr().String() }

// CA returns the certificate, in PEM form, of the private authority that signed the
// certificate of Tickets, as that of an intranet would.
func (t *Tickets) CA() []byte { return t.ca }

// Close cuts every connection.
func (t *Tickets) Close() error { return t.server.Close() }

// TakeLog returns the lines that the application has logged since the last call.
func (t *Tickets) TakeLog() []string {
	t.mu.Lock()
	defer t.mu.Unlock()

	lines := t.log
	t.log = nil
	return lines
}

// SessionOf returns the cookie of a session of the user, as somebody who reads the
// application's memory would find it. It is empty if there is none.
func (t *Tickets) SessionOf(user string) string {
	t.mu.Lock()
	defer t.mu.Unlock()

	for cookie, s := range t.sessions {
		if s.user == user {
			return cookie
		}
	}
	return ""
}

func (t *Tickets) routes() http.Handler {
	reply := func(k *ticket, r *http.Request) {
		k.History = append(k.History, "replied: "+r.PostFormValue("text"))
	}
	closeTicket := func(k *ticket, _ *http.Request) { k.Closed = true }

	mux := http.NewServeMux()
	mux.HandleFunc("GET /login", t.showLogin)
	mux.HandleFunc("POST /login", t.login)
	mux.HandleFunc("POST /logout", t.requireLogin(t.logout))
	mux.HandleFunc("GET /tickets/{number}", t.requireLogin(t.showTicket))
	mux.HandleFunc("POST /tickets/{number}/reply", t.requireLogin(t.changeTicket("replied", reply)))
	mux.HandleFunc("POST /tickets/{number}/close", t.requireLogin(t.changeTicket("closed", closeTicket)))
	return mux
}

// requireLogin calls next with the session that the cookie names, holding the lock, and
// logs the request under the name of its user. Without a session it redirects to the
// login.
func (t *Tickets) requireLogin(next func(http.ResponseWriter, *http.Request, *session)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		t.mu.Lock()
		defer t.mu.Unlock()

		c, err := r.Cookie(sessionCookie)
		if err != nil || t.sessions[c.Value] == nil || t.sessions[c.Value].user == "" {
			http.Redirect(w, r, "/login", http.StatusFound)
			return
		}

		s := t.sessions[c.Value]
		t.log = append(t.log, fmt.Sprintf("%-9s %-4s %s", s.user, r.Method, r.URL.Path))
		next(w, r, s)
	}
}

// showLogin begins a session without a user.
func (t *Tickets) showLogin(w http.ResponseWriter, _ *http.Request) {
	t.mu.Lock()
	defer t.mu.Unlock()

	s := &session{formKey: rand.Text()}
	t.begin(w, s)
	writePage(w, "Log in", fmt.Sprintf(`<form method="post" action="/login"><input type="hidden" name="form_key" value="%s">`+
		`<input name="user"><input name="password" type="password"><button>Log in</button></form>`, s.formKey))
}

// login replaces the session by one with a new cookie, so that a cookie from before the
// login is worthless.
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
	want, got := t.passwords[user], r.PostFormValue("password")
	if want == "" || subtle.ConstantTimeCompare([]byte(want), []byte(got)) != 1 {
		writePage(w, "Log in", "<p>Wrong user or password.</p>")
		return
	}

	t.begin(w, &session{user: user, formKey: rand.Text()})
	http.Redirect(w, r, "/tickets/7", http.StatusFound)
}

// begin stores a session under a new cookie and sets that.
func (t *Tickets) begin(w http.ResponseWriter, s *session) {
	cookie := rand.Text()
	t.sessions[cookie] = s
	http.SetCookie(w, &http.Cookie{
		Name:     sessionCookie,
		Value:    cookie,
		Path:     "/",
		Secure:   true,
		HttpOnly: true,
		SameSite: http.SameSiteLaxMode,
	})
}

func (t *Tickets) logout(w http.ResponseWriter, r *http.Request, _ *session) {
	if c, err := r.Cookie(sessionCookie); err == nil {
		delete(t.sessions, c.Value)
	}
	http.Redirect(w, r, "/login", http.StatusFound)
}
