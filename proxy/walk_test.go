package proxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/certs"
	"github.com/byline-proxy/byline/proxy/audit/journal"
	"github.com/byline-proxy/byline/proxy/identity"
	"github.com/byline-proxy/byline/proxy/lease"
	"github.com/byline-proxy/byline/proxy/policy"
	"github.com/byline-proxy/byline/proxy/state"
	"github.com/byline-proxy/byline/proxy/vault"
)

// legacy is an application of the old kind: a login form, a session cookie, a
// log that names whoever the session belongs to.
type legacy struct {
	*httptest.Server
	mu       sync.Mutex
	sessions map[string]string // cookie → user
	log      []string          // "user METHOD path"
	cookies  []string          // every Cookie header it saw
	logins   atomic.Int64
}

const (
	canaryPassword = "canary-password-8c1f"
	canaryHuman    = "canary-human-cookie-77aa"
)

func newLegacy(t *testing.T) *legacy {
	l := &legacy{sessions: map[string]string{canaryHuman: "alice"}}
	l.Server = httptest.NewTLSServer(http.HandlerFunc(l.serve))
	t.Cleanup(l.Close)
	return l
}

func (l *legacy) serve(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cookies = append(l.cookies, r.Header.Get("Cookie"))
	if r.URL.Path == "/login" && r.Method == http.MethodPost {
		l.login(w, r)
		return
	}
	c, err := r.Cookie("sid")
	user := ""
	if err == nil {
		user = l.sessions[c.Value]
	}
	if user == "" {
		http.Redirect(w, r, "/login", http.StatusFound)
		return
	}
	l.log = append(l.log, user+" "+r.Method+" "+r.URL.Path)
	if r.URL.Path == "/logout" {
		delete(l.sessions, c.Value)
		return
	}
	body, _ := io.ReadAll(r.Body)
	fmt.Fprintf(w, "<p>hello %s, your session is %s, you sent %s</p>", user, c.Value, body)
}

func (l *legacy) login(w http.ResponseWriter, r *http.Request) {
	l.logins.Add(1)
	if r.FormValue("pass") != canaryPassword {
		fmt.Fprint(w, "wrong")
		return
	}
	sid := fmt.Sprintf("canary-session-%d-0123456789abcdef", l.logins.Load())
	l.sessions[sid] = r.FormValue("user")
	http.SetCookie(w, &http.Cookie{Name: "sid", Value: sid, Path: "/", HttpOnly: true})
	http.Redirect(w, r, "/home", http.StatusFound)
}

// killSessions forgets every session that Byline made.
func (l *legacy) killSessions() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for sid := range l.sessions {
		if sid != canaryHuman {
			delete(l.sessions, sid)
		}
	}
}

func (l *legacy) seen() (log, cookies string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.log, "\n"), strings.Join(l.cookies, "\n")
}

const legacyAdapter = `
name: legacy
interim: {reason: test, owner: secops@acme.example, review_by: 2099-01-01}
hosts: [example.com]
upstream: {url: "%s", ca: "%s"}
cookies: {hold: [sid], pass: [theme]}
login:
  kind: form
  steps:
    - post: /login
      form: {user: "${username}", pass: "${password}"}
  success: {status: [302], cookie: sid}
  ended: [{redirect: "*/login"}]
  logout: {steps: [{get: /logout}]}
actions:
  - {name: page.read, match: {method: [GET, HEAD], path: "/page/{id}"}, resource: "page/{id}"}
  - {name: page.edit, match: {method: POST, path: "/page/{id}"}, resource: "page/{id}"}
  - {name: account.manage, privileged: true, match: {path: /account}}
`

// house is a whole corridor over a legacy application, as a test drives it.
type house struct {
	*Server
	app   *legacy
	dir   string
	addr  string
	roots *x509.CertPool
	log   *syncBuffer
}

type syncBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func rulesFor(t *testing.T, app *legacy, policies ...policy.File) Rules {
	t.Helper()
	ca := t.TempDir() + "/ca.pem"
	writeFile(t, ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: app.Certificate().Raw}))
	up := strings.Replace(app.URL, "127.0.0.1", "127.0.0.1", 1)
	set, err := adapters.Load([]adapters.Source{{Name: "legacy.yaml", Text: []byte(fmt.Sprintf(legacyAdapter, up, ca))}})
	if err != nil {
		t.Fatal(err)
	}
	p, err := policy.Parse(policies, nil)
	if err != nil {
		t.Fatal(err)
	}
	return Rules{Adapters: set, Policy: p}
}

func openHouse(t *testing.T, app *legacy, dir string, policies ...policy.File) *house {
	t.Helper()
	h := openWith(t, dir, rulesFor(t, app, policies...), nil)
	h.app = app
	return h
}

// openWith opens a corridor under rules of the test's own; change may be nil.
func openWith(t testing.TB, dir string, rules Rules, change func(*Options)) *house {
	t.Helper()
	h := &house{dir: dir, log: &syncBuffer{}, roots: x509.NewCertPool()}
	if _, err := readFile(dir + "/certs/root.crt"); err != nil {
		if err := certs.Init(dir + "/certs"); err != nil {
			t.Fatal(err)
		}
	}
	authority, err := certs.Open(dir+"/certs", []string{"example.com"})
	if err != nil {
		t.Fatal(err)
	}
	store, err := state.OpenBolt(dir+"/state.db", nil)
	if err != nil {
		t.Fatal(err)
	}
	key := testKey(t, dir)
	file, err := vault.OpenFile(dir+"/vault", key)
	if err != nil {
		t.Fatal(err)
	}
	if err := file.Put("legacy", "agent-01", vault.NewSecret(map[string]string{"username": "agent-01", "password": canaryPassword})); err != nil {
		t.Fatal(err)
	}
	opt := Options{
		Instance: "test", Log: zerolog.New(h.log).Level(zerolog.DebugLevel), Rules: rules,
		Vault: file, Sealer: key, State: store, Authority: authority, AuditKey: testAuditKey(),
		Audit: journal.Config{Dir: dir + "/audit"}, Lease: lease.Config{Wait: 50 * time.Millisecond},
		Guard: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
	}
	if change != nil {
		change(&opt)
	}
	if h.Server, err = Open(opt); err != nil {
		t.Fatal(err)
	}
	h.roots.AppendCertsFromPEM(authority.RootPEM())
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h.addr = ln.Addr().String()
	served := make(chan error, 1)
	go func() { served <- h.Serve(ln) }()
	t.Cleanup(func() {
		h.shut(t)
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return h
}

func (h *house) shut(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := h.Close(ctx); err != nil {
		t.Errorf("close: %v", err)
	}
}

var reader = identity.Spec{Agent: "agent/triage", Sponsor: "alice@acme.example", Purpose: "INC-1",
	Scope: []identity.ScopeEntry{{Adapter: "legacy", Actions: []string{"page.*"}, Resources: []string{"page/1", "page/2*"}}}}

// agent is an HTTP client that works in a task, with alice's cookie in its jar.
func (h *house) agent(t *testing.T, spec identity.Spec) (*http.Client, *identity.Task) {
	t.Helper()
	task, token, err := h.CreateTask(context.Background(), spec)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &url.URL{Scheme: "http", Host: h.addr, User: url.UserPassword(task.ID(), token.Reveal())}
	tr := &http.Transport{Proxy: http.ProxyURL(proxy), TLSClientConfig: &tls.Config{RootCAs: h.roots}, MaxIdleConnsPerHost: 64, DisableCompression: true}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, task
}

func do(t *testing.T, c *http.Client, method, target, body string) (int, string, http.Header) {
	t.Helper()
	r, err := http.NewRequest(method, "https://example.com"+target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Cookie", "theme=dark; sid="+canaryHuman)
	r.Header.Set("X-Api-Key", canaryHuman)
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b), resp.Header
}

func TestWalkCarriesAnAgentWithoutItsBorrowedSession(t *testing.T) {
	app := newLegacy(t)
	h := openHouse(t, app, t.TempDir())
	c, task := h.agent(t, reader)

	status, body, header := do(t, c, http.MethodGet, "/page/1", "")
	if status != http.StatusOK || !strings.Contains(body, "hello agent-01") {
		t.Fatalf("%d %s", status, body)
	}
	if strings.Contains(body, "canary-session") || !strings.Contains(body, "*****") {
		t.Errorf("I1: the session came back in the body: %s", body)
	}
	if header.Get("Byline-Record") == "" {
		t.Error("the answer names no record")
	}
	if status, body, _ = do(t, c, http.MethodPost, "/page/22", "text=hi"); status != http.StatusOK || !strings.Contains(body, "text=hi") {
		t.Errorf("post: %d %s", status, body)
	}
	for _, r := range []struct {
		method, target string
		code           Code
	}{
		{http.MethodGet, "/page/3", OutOfScope},
		{http.MethodGet, "/account", OutOfScope},
		{http.MethodGet, "/elsewhere", ActionUnclassified},
		{http.MethodPost, "/login", LoginByAgent},
		{http.MethodGet, "/page/%2e%2e/account", AmbiguousRequest},
	} {
		if _, body, _ := do(t, c, r.method, r.target, ""); !strings.Contains(body, `"code":"`+string(r.code)+`"`) {
			t.Errorf("%s %s: %s", r.method, r.target, body)
		}
	}
	if _, err := h.EndTask(task.ID(), "done"); err != nil {
		t.Fatal(err)
	}
	log, cookies := app.seen()
	if want := "agent-01 GET /page/1\nagent-01 POST /page/22\nagent-01 GET /logout"; log != want {
		t.Errorf("the application's log:\n%s\nwant:\n%s", log, want)
	}
	if strings.Contains(cookies, canaryHuman) || !strings.Contains(cookies, "theme=dark") {
		t.Errorf("I2: the application saw %s", cookies)
	}
	if app.logins.Load() != 1 {
		t.Errorf("%d logins", app.logins.Load())
	}
	if strings.Contains(h.log.String(), "canary") {
		t.Error("I1: the operator's log holds a secret")
	}
}

func TestOneLoginForThirtyTwoThatSawTheSessionEnd(t *testing.T) {
	app := newLegacy(t)
	h := openHouse(t, app, t.TempDir())
	c, _ := h.agent(t, reader)
	do(t, c, http.MethodGet, "/page/1", "")
	app.killSessions()
	var wait sync.WaitGroup
	for range 32 {
		wait.Go(func() {
			if status, body, _ := do(t, c, http.MethodGet, "/page/1", ""); status != http.StatusOK {
				t.Errorf("%d %s", status, body)
			}
		})
	}
	wait.Wait()
	if n := app.logins.Load(); n != 2 {
		t.Errorf("%d logins, want the first and one more", n)
	}
}

func TestARestartKeepsTaskLeaseAndSession(t *testing.T) {
	app, dir := newLegacy(t), t.TempDir()
	h := openHouse(t, app, dir)
	task, token, err := h.CreateTask(context.Background(), reader)
	if err != nil {
		t.Fatal(err)
	}
	get := func(h *house) (int, string) {
		proxy := &url.URL{Scheme: "http", Host: h.addr, User: url.UserPassword(task.ID(), token.Reveal())}
		tr := &http.Transport{Proxy: http.ProxyURL(proxy), TLSClientConfig: &tls.Config{RootCAs: h.roots}}
		defer tr.CloseIdleConnections()
		status, body, _ := do(t, &http.Client{Transport: tr}, http.MethodGet, "/page/1", "")
		return status, body
	}
	if status, body := get(h); status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	h.shut(t)
	h = openHouse(t, app, dir)
	if status, body := get(h); status != http.StatusOK {
		t.Fatalf("after the restart: %d %s", status, body)
	}
	if n := app.logins.Load(); n != 1 {
		t.Errorf("%d logins: the session was not taken up again", n)
	}
}

func TestI6EndingATaskCutsItsTunnel(t *testing.T) {
	app := newLegacy(t)
	h := openHouse(t, app, t.TempDir())
	c, task := h.agent(t, reader)
	do(t, c, http.MethodGet, "/page/1", "")
	if _, err := h.EndTask(task.ID(), "revoked"); err != nil {
		t.Fatal(err)
	}
	r, _ := http.NewRequest(http.MethodGet, "https://example.com/page/1", nil)
	if resp, err := c.Do(r); err == nil {
		resp.Body.Close()
		t.Fatalf("the agent goes on: %d", resp.StatusCode)
	}
	app.mu.Lock()
	defer app.mu.Unlock()
	if len(app.sessions) != 1 {
		t.Errorf("sessions left at the application: %v", app.sessions)
	}
}

func TestI5TheSecondTaskIsToldThatNoAccountIsFree(t *testing.T) {
	h := openHouse(t, newLegacy(t), t.TempDir())
	first, _ := h.agent(t, reader)
	second, _ := h.agent(t, reader)
	do(t, first, http.MethodGet, "/page/1", "")
	if _, body, _ := do(t, second, http.MethodGet, "/page/1", ""); !strings.Contains(body, `"code":"lease_unavailable"`) {
		t.Error(body)
	}
}
