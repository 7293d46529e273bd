package apps

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"
)

// App is one running application.
type App struct {
	Name   string
	URL    string // where it listens through its recorder: http://127.0.0.1:port
	Public string // what it believes its address is
	Admin  Login  // may do everything

	t        testing.TB
	recorder *recorder
	kind     kind
}

// Login is what a person types.
type Login struct{ User, Password string }

// Change is one entry of the application's own history.
type Change struct {
	User    string
	Time    time.Time
	Title   string // the page's or post's title, or ticket/N
	Kind    string // what was done, in the application's words
	Comment string
}

// kind is what differs from one application to the next.
type kind interface {
	addUser(name, password string) error
	login(j *jar, l Login) error
	history() ([]Change, error)
	killSessions() error
}

// AddUser makes an account that may read and write.
func (a *App) AddUser(name, password string) Login {
	a.t.Helper()
	if err := a.kind.addUser(name, password); err != nil {
		a.t.Fatalf("%s: add user %s: %v", a.Name, name, err)
	}
	return Login{name, password}
}

// LoginAs logs in as a person would, past the recorder's sight, and returns
// the cookies of the session. A wrong password is an error.
func (a *App) LoginAs(user, password string) ([]*http.Cookie, error) {
	j := newJar(a.recorder.upstream, a.Public)
	if err := a.kind.login(j, Login{user, password}); err != nil {
		return nil, fmt.Errorf("%s: log in as %s: %w", a.Name, user, err)
	}
	return j.all(), nil
}

// History is the application's own log, oldest first.
func (a *App) History() []Change {
	a.t.Helper()
	h, err := a.kind.history()
	if err != nil {
		a.t.Fatalf("%s: history: %v", a.Name, err)
	}
	return h
}

// KillSessions ends every session on the side of the application.
func (a *App) KillSessions() {
	a.t.Helper()
	if err := a.kind.killSessions(); err != nil {
		a.t.Fatalf("%s: kill sessions: %v", a.Name, err)
	}
}

// Seen is every request that reached the recorder, in order of arrival.
func (a *App) Seen() []Seen { return a.recorder.all() }

// Cookies are the raw Cookie headers that the application saw.
func (a *App) Cookies() (out []string) {
	for _, s := range a.Seen() {
		out = append(out, s.Header.Values("Cookie")...)
	}
	return out
}

// Sessions are the cookies that the application ever set on answers that
// passed the recorder, whatever was forgotten since.
func (a *App) Sessions() []*http.Cookie { return a.recorder.cookies() }

// Slow makes the answers to the requests for which pause is positive trickle:
// that long after every 512 bytes. nil ends it.
func (a *App) Slow(pause func(*http.Request) time.Duration) {
	a.recorder.mu.Lock()
	defer a.recorder.mu.Unlock()
	a.recorder.slow = pause
}

// For is the same application, whose failures fail t.
func (a *App) For(t testing.TB) *App {
	own := *a
	own.t = t
	return &own
}

// Replay sends a GET with a whole Cookie header straight to the application,
// past the recorder, as somebody would who has stolen it.
func (a *App) Replay(cookie, path string) (status int, page string) {
	a.t.Helper()
	j := newJar(a.recorder.upstream, a.Public)
	j.line = cookie
	status, page, err := j.get(path)
	if err != nil {
		a.t.Fatalf("%s: %v", a.Name, err)
	}
	return status, page
}

// BeforeForget is called with what is forgotten from now on; nil ends it.
func (a *App) BeforeForget(look func([]Seen)) {
	a.recorder.mu.Lock()
	defer a.recorder.mu.Unlock()
	a.recorder.look = look
}

// Forget empties the record.
func (a *App) Forget() { a.recorder.forget() }

// newApp puts a recorder in front of upstream.
func newApp(t testing.TB, name, public, upstream string, admin Login, k kind) *App {
	t.Helper()
	p, err := url.Parse(public)
	if err != nil || p.Host == "" {
		t.Fatalf("%s: public URL %q: want https://host", name, public)
	}
	r, err := record(upstream, p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.close)
	return &App{Name: name, URL: r.url, Public: public, Admin: admin, t: t, recorder: r, kind: k}
}
