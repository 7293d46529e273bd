package apps

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"
)

// App is a running application. Its methods are safe for concurrent use.
type App struct {
	Name      string // of the adapter in the library that describes it
	URL       string // where it listens through its recorder: http://127.0.0.1:port
	PublicURL string // the address it is configured to have: https://wiki.acme.test
	Admin     Login  // may do everything

	t        testing.TB
	recorder *recorder
	driver   driver
}

// Login is a user name with its password.
type Login struct{ User, Password string }

// Change is one entry of the application's own history.
type Change struct {
	User    string
	Time    time.Time
	Title   string // title of the page or post, or ticket/N
	Kind    string // what was done, in the application's terms
	Comment string
}

// driver is implemented by each application.
type driver interface {
	addUser(name, password string) error
	login(b *browser, l Login) error
	history() ([]Change, error)
	killSessions() error
}

// newApp puts a recorder in front of the application at upstream.
func newApp(t testing.TB, name, publicURL, upstream string, admin Login, d driver) *App {
	t.Helper()

	public, err := url.Parse(publicURL)
	if err != nil || public.Host == "" {
		t.Fatalf("%s: public URL is %q, want https://host", name, publicURL)
	}

	r, err := startRecorder(upstream, public)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.close)

	return &App{Name: name, URL: r.url, PublicURL: publicURL, Admin: admin, t: t, recorder: r, driver: d}
}

// WithTest returns the same application, whose failures fail t.
func (a *App) WithTest(t testing.TB) *App {
	own := *a
	own.t = t
	return &own
}

// AddUser creates an account that may read and write.
func (a *App) AddUser(name, password string) Login {
	a.t.Helper()
	if err := a.driver.addUser(name, password); err != nil {
		a.t.Fatalf("%s: add user %s: %v", a.Name, name, err)
	}
	return Login{name, password}
}

// LoginAs logs in as a person would, bypassing the recorder, and returns the
// cookies of the session. It returns an error if the application rejects the
// password.
func (a *App) LoginAs(user, password string) ([]*http.Cookie, error) {
	b := newBrowser(a.recorder.upstream, a.PublicURL)
	if err := a.driver.login(b, Login{user, password}); err != nil {
		return nil, fmt.Errorf("%s: log in as %s: %w", a.Name, user, err)
	}
	return b.cookies, nil
}

// History returns the application's own log, oldest entry first.
func (a *App) History() []Change {
	a.t.Helper()
	changes, err := a.driver.history()
	if err != nil {
		a.t.Fatalf("%s: read the history: %v", a.Name, err)
	}
	return changes
}

// KillSessions ends every session inside the application.
func (a *App) KillSessions() {
	a.t.Helper()
	if err := a.driver.killSessions(); err != nil {
		a.t.Fatalf("%s: kill sessions: %v", a.Name, err)
	}
}

// Replay sends a GET with the given Cookie header straight to the application,
// bypassing the recorder, as somebody who stole the session would.
func (a *App) Replay(cookieHeader, path string) (status int, page string) {
	a.t.Helper()
	b := newBrowser(a.recorder.upstream, a.PublicURL)
	b.cookieHeader = cookieHeader
	status, page, err := b.get(path)
	if err != nil {
		a.t.Fatalf("%s: replay GET %s: %v", a.Name, path, err)
	}
	return status, page
}

// Requests returns every request that reached the recorder since the last
// ForgetRequests, in order of arrival.
func (a *App) Requests() []Request { return a.recorder.recordedRequests() }

// CookieHeaders returns the Cookie headers of [App.Requests].
func (a *App) CookieHeaders() []string {
	var headers []string
	for _, r := range a.Requests() {
		headers = append(headers, r.Header.Values("Cookie")...)
	}
	return headers
}

// CookiesSet returns the cookies that the application set on any answer that
// passed the recorder. ForgetRequests does not remove them.
func (a *App) CookiesSet() []*http.Cookie { return a.recorder.cookiesSet() }

// SlowDown makes the recorder pause after every 512 bytes of an answer, for as
// long as pause returns for its request. A nil pause ends it.
func (a *App) SlowDown(pause func(*http.Request) time.Duration) {
	a.recorder.mu.Lock()
	defer a.recorder.mu.Unlock()
	a.recorder.pause = pause
}

// OnForget makes ForgetRequests call f with the requests that it is about to
// remove. A nil f ends it.
func (a *App) OnForget(f func([]Request)) {
	a.recorder.mu.Lock()
	defer a.recorder.mu.Unlock()
	a.recorder.onForget = f
}

// ForgetRequests removes all recorded requests.
func (a *App) ForgetRequests() { a.recorder.forgetRequests() }
