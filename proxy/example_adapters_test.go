package proxy

import (
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/proxy/identity"
	"github.com/byline-proxy/byline/proxy/policy"
	"github.com/byline-proxy/byline/proxy/vault"
)

// saas is an application of the test's own: sessions, a log, and a watch on what must not reach it.
type saas struct {
	t  *testing.T
	mu sync.Mutex

	n        int
	sessions map[string]string // token → user
	log      []string          // "user METHOD path"
}

// open makes a session. Its token is a canary: no agent may see it.
func (s *saas) open(user string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n++
	token := fmt.Sprintf("canary-session-%04d-%s", s.n, strings.Repeat("f", 12))
	s.sessions[token] = user
	return token
}

func (s *saas) close(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, token)
}

// user is whose session a token is; "" is nobody's.
func (s *saas) user(token string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions[token]
}

func (s *saas) alive() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.sessions)
}

// kill ends every session, as an operator of the application would.
func (s *saas) kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.sessions)
}

func (s *saas) page(w http.ResponseWriter, r *http.Request, user string) {
	s.mu.Lock()
	s.log = append(s.log, user+" "+r.Method+" "+r.URL.Path)
	s.mu.Unlock()
	fmt.Fprintf(w, "<p>%s of %s</p>", r.URL.Path, user)
}

// guard fails the test when something that alice lent the agent gets through (I2).
func (s *saas) guard(app http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if head, err := httputil.DumpRequest(r, false); err != nil || strings.Contains(string(head), canaryHuman) {
			s.t.Errorf("I2: the application got %s (%v)", head, err)
		}
		app.ServeHTTP(w, r)
	})
}

func cookieOf(r *http.Request, name string) string {
	c, err := r.Cookie(name)
	if err != nil {
		return ""
	}
	return c.Value
}

// habit is an application with habits, the adapter for which is an example of the reference.
type habit struct {
	example string
	secret  map[string]string
	app     func(s *saas) http.Handler
	away    func(s *saas, home string) http.Handler // a second host; nil: none
	logsOut bool                                    // ending the task ends the session at the application
	says    string                                  // the operator's log does; empty: whatever it likes
	drive   func(t *testing.T, v *visit)
}

var person = map[string]string{"username": "agent-01", "password": canaryPassword}

// visit is one agent at the application, through the whole walk.
type visit struct {
	t    *testing.T
	saas *saas
	http *http.Client
	base string
}

// ask sends a request that carries alice's cookie and token, and gives status, body and header.
func (v *visit) ask(method, target, body string, header ...string) (int, string, http.Header) {
	v.t.Helper()
	r, err := http.NewRequest(method, v.base+target, strings.NewReader(body))
	if err != nil {
		v.t.Fatal(err)
	}
	r.Header.Set("Cookie", "theme=dark; SID="+canaryHuman+"; sid="+canaryHuman)
	r.Header.Set("Authorization", "Bearer "+canaryHuman)
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Cookie" {
			header[i+1] += "; " + r.Header.Get("Cookie")
		}
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := v.http.Do(r)
	if err != nil {
		v.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	head, _ := httputil.DumpResponse(resp, false)
	if whole := string(head) + string(b); strings.Contains(whole, "canary-") {
		v.t.Errorf("I1: the agent got %s", whole)
	}
	return resp.StatusCode, string(b), resp.Header
}

// want asks and compares: a status, and a part of the body.
func (v *visit) want(status int, part, method, target, body string, header ...string) {
	v.t.Helper()
	if got, text, _ := v.ask(method, target, body, header...); got != status || !strings.Contains(text, part) {
		v.t.Errorf("%s %s: %d %.300s, want %d with %q", method, target, got, text, status, part)
	}
}

// refused wants the request to stop at the proxy.
func (v *visit) refused(code Code, method, target, body string, header ...string) {
	v.t.Helper()
	if _, text, _ := v.ask(method, target, body, header...); !strings.Contains(text, `"code":"`+string(code)+`"`) {
		v.t.Errorf("%s %s: %.300s, want the refusal %s", method, target, text, code)
	}
}

const form, jsonType = "application/x-www-form-urlencoded", "application/json"

// reads is the drive of an application whose habits lie in its login: read, be refused the unknown, renew.
func reads(target string) func(*testing.T, *visit) {
	return func(_ *testing.T, v *visit) {
		v.want(200, "of agent-01", "GET", target, "")
		v.want(200, "of agent-01", "GET", target, "")
		v.refused(ActionUnclassified, "GET", "/elsewhere", "")
		v.refused(ActionUnclassified, "DELETE", target, "")
		v.saas.kill()
		v.want(200, "of agent-01", "GET", target, "")
	}
}

func TestHabits(t *testing.T) {
	all := slices.Concat(loginHabits, headerHabits, bodyHabits, otherHabits)
	seen := map[string]bool{}
	for _, h := range all {
		seen[h.example+".yaml"] = true
		t.Run(h.example, func(t *testing.T) { h.run(t) })
	}
	files, err := filepath.Glob("../adapters/examples/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("no examples", err)
	}
	for _, f := range files {
		if !seen[filepath.Base(f)] {
			t.Errorf("%s is driven by no test", f)
		}
	}
}

func (h *habit) run(t *testing.T) {
	s := &saas{t: t, sessions: map[string]string{}}
	app := httptest.NewTLSServer(s.guard(h.app(s)))
	t.Cleanup(app.Close)
	text, err := os.ReadFile("../adapters/examples/" + h.example + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	if h.away != nil {
		other := httptest.NewTLSServer(s.guard(h.away(s, "https://example.com")))
		t.Cleanup(other.Close)
		text = []byte(strings.ReplaceAll(string(text), "SSO_HOST", strings.TrimPrefix(other.URL, "https://")))
		s.mu.Lock()
		s.sessions["sso"] = other.URL // where the application sends browsers
		s.mu.Unlock()
	}
	dir := t.TempDir()
	ca := dir + "/ca.pem"
	writeFile(t, ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: app.Certificate().Raw}))
	text = fmt.Appendf(text, "upstream: {url: %q, ca: %q}\n", app.URL, ca)
	set, err := adapters.Load([]adapters.Source{{Name: h.example + ".yaml", Text: text}})
	if err != nil {
		t.Fatal(err)
	}
	none, err := policy.Parse(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	secret := h.secret
	if secret == nil {
		secret = person
	}
	house := openWith(t, dir, Rules{Adapters: set, Policy: none}, func(o *Options) {
		file := o.Vault.(*vault.File)
		if err := file.Put(h.example, "agent-01", vault.NewSecret(secret)); err != nil {
			t.Fatal(err)
		}
	})
	agent, task := house.agent(t, identity.Spec{Agent: "agent/habits", Sponsor: "alice@acme.example", Purpose: "INC-7",
		Scope: []identity.ScopeEntry{{Adapter: h.example, Actions: []string{"*"}}}})
	h.drive(t, &visit{t: t, saas: s, http: agent, base: "https://example.com"})
	if _, err := house.EndTask(task.ID(), "done"); err != nil {
		t.Fatal(err)
	}
	if h.logsOut && s.alive() > 0 {
		t.Errorf("I6: %d sessions are left at the application", s.alive())
	}
	if log := house.log.String(); strings.Contains(log, "canary-") {
		t.Errorf("I1: the operator's log holds a secret: %s", log)
	} else if !strings.Contains(log, h.says) {
		t.Errorf("the operator's log does not say %s: %s", h.says, log)
	}
}
