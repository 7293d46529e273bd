package e2e

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/byline-proxy/byline/cmd/byline/e2e/apps"
	"github.com/byline-proxy/byline/cmd/byline/e2e/testenv"
)

// echoApp is an application that is as careless with secrets as it can be. It
// takes a password and a one-time code at login, sets a new session cookie in
// every answer, and repeats every secret that it knows wherever it can.
type echoApp struct {
	*httptest.Server
	password, seed string

	mu       sync.Mutex // guards the fields below
	live     map[string]bool
	sessions []string // every session that it created
	logins   int      // with a right password and code
	requests []string // every request, serialized
}

const echoAdapter = `name: echo
interim: {reason: "test", owner: secops@acme.test, review_by: 2099-01-01}
hosts: [echo.acme.test]
upstream: {url: "%s"}
cookies: {hold: [sid, "copy*"], pass: [theme, lang]}
query: {strip: [access_token]}
login:
  kind: form
  steps:
    - get: /login
    - post: /login
      form: {user: "${username}", pass: "${password}", code: "${totp}"}
  success: {status: [302], cookie: sid}
  ended: [{redirect: "/login"}]
  logout: {steps: [{get: /logout}]}
actions:
  - {name: read, match: {method: [GET, HEAD], path: "/**"}, resource: page, websocket: true}
  - {name: write, match: {method: POST, path: "/**"}, resource: page}
`

func newEchoApp(t *testing.T) *echoApp {
	a := &echoApp{password: testenv.NewSecret(), seed: "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", live: map[string]bool{}}
	a.Server = httptest.NewServer(http.HandlerFunc(a.serve))
	t.Cleanup(a.Close)
	return a
}

// startEchoEnv starts an installation for the application with one account.
func startEchoEnv(t *testing.T, a *echoApp, config string) *testenv.Env {
	t.Helper()
	env := testenv.New(t, config)
	env.WriteFile("adapters.d/echo.yaml", fmt.Sprintf(echoAdapter, a.URL))
	a.putAccount(env, a.password, a.seed)
	env.Start()
	return env
}

// putAccount stores the account agent-01 with those secrets in the vault.
func (a *echoApp) putAccount(env *testenv.Env, password, seed string) {
	env.PutAccount("echo", "agent-01", map[string]string{"username": "agent-01", "password": password, "totp_seed": seed})
}

// newEchoAgent creates a task that may do everything and returns its agent.
func newEchoAgent(env *testenv.Env, cookies []*http.Cookie) (*testenv.Agent, *testenv.Task) {
	task := env.CreateTask(testenv.TaskSpec{Allow: []string{"echo:*"}})
	return env.NewAgent(task, &apps.App{PublicURL: "https://echo.acme.test"}, cookies), task
}

// registerSessions registers every session so far as a secret.
func (a *echoApp) registerSessions(env *testenv.Env) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, s := range a.sessions {
		env.AddSecret("a session of the echo application", s)
	}
}

// createSession creates a session whose value contains characters that URL
// encodings treat differently.
func (a *echoApp) createSession() string {
	s := fmt.Sprintf("%s/%d+&=%d", testenv.NewSecret(), len(a.sessions)+1, time.Now().UnixNano())
	a.live[s] = true
	a.sessions = append(a.sessions, s)
	return s
}

func (a *echoApp) serve(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()

	_ = r.ParseForm()
	var raw bytes.Buffer
	_ = r.Write(&raw)
	a.requests = append(a.requests, raw.String()+fmt.Sprint(r.Form, r.Trailer))
	if r.URL.Path == "/login" {
		a.serveLogin(w, r)
		return
	}

	cookie, session := "", ""
	if c, err := r.Cookie("sid"); err == nil {
		cookie = c.Value
		session, _ = url.QueryUnescape(cookie)
	}
	if !a.live[session] {
		http.Redirect(w, r, "/login", http.StatusFound)
		return
	}
	if r.URL.Path == "/logout" {
		delete(a.live, session)
		return
	}

	next := a.createSession() // the old one stays valid for concurrent requests
	w.Header().Add("Set-Cookie", "sid="+url.QueryEscape(next)+"; Path=/; HttpOnly")
	a.echoSecrets(w, r, cookie, session, next)
}

func (a *echoApp) serveLogin(w http.ResponseWriter, r *http.Request) {
	if r.Method != "POST" {
		fmt.Fprint(w, "<form>")
		return
	}
	if !totp.Validate(r.Form.Get("code"), a.seed) || r.Form.Get("pass") != a.password {
		fmt.Fprintf(w, "wrong: %v", r.Form)
		return
	}
	a.logins++
	w.Header().Add("Set-Cookie", "sid="+url.QueryEscape(a.createSession())+"; Path=/; HttpOnly")
	http.Redirect(w, r, "/?hello="+url.QueryEscape(a.password), http.StatusFound)
}

// echoSecrets answers with the given secrets, the password and the seed, in
// header fields, cookies, trailers and the body, in several encodings. The path
// chooses the media type, the status or the framing.
func (a *echoApp) echoSecrets(w http.ResponseWriter, r *http.Request, secrets ...string) {
	secrets = append(secrets, a.password, a.seed)
	a.echoInHeader(w.Header(), r, secrets)

	page := echoPage(r, secrets)
	switch r.URL.Path {
	case "/text":
		w.Header().Set("Content-Type", "text/plain")
	case "/events":
		w.Header().Set("Content-Type", "text/event-stream")
		page = []byte("data: " + strings.ReplaceAll(string(page), "\n", "\ndata: ") + "\n\n")
	case "/script":
		w.Header().Set("Content-Type", "application/javascript")
	case "/redirect":
		w.Header().Set("Location", "/?sid="+url.QueryEscape(secrets[0]))
		w.WriteHeader(http.StatusFound)
	case "/broken":
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusInternalServerError)
	case "/zipped":
		if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			_, _ = z.Write(page)
			_ = z.Close()
			return
		}
	case "/ranged":
		http.ServeContent(w, r, "x.txt", time.Time{}, bytes.NewReader(page))
		return
	}

	writeInPieces(w, r, page)
	w.Header().Set("X-Trailer", secrets[0])
}

func (a *echoApp) echoInHeader(h http.Header, r *http.Request, secrets []string) {
	h.Set("Trailer", "X-Trailer")
	for i, s := range secrets {
		h.Add("X-Session", s)
		h.Add("Link", "</next?sid="+url.QueryEscape(s)+">; rel=next")
		h.Add("Set-Cookie", fmt.Sprintf("copy%d=%s; Path=/", i, url.QueryEscape(s)))
		h.Add("Set-Cookie", fmt.Sprintf("theme=%s; Path=/", url.QueryEscape(s)))
		h.Set("Etag", `"`+base64.RawURLEncoding.EncodeToString([]byte(s))+`"`)
	}
	h.Set("X-Authorization", r.Header.Get("Authorization")+r.Header.Get("Cookie"))
}

// echoPage returns a page with the secrets in JSON, HTML, URLs and base64.
func echoPage(r *http.Request, secrets []string) []byte {
	var page bytes.Buffer
	quoted, _ := json.Marshal(map[string]any{"cookie": r.Header.Get("Cookie"), "all": secrets})
	page.Write(quoted)
	for _, s := range secrets {
		fmt.Fprintf(&page, "\n<a href='/?sid=%s'>%s</a> %s %s %s",
			url.QueryEscape(s), html.EscapeString(s), url.PathEscape(s), s, base64.StdEncoding.EncodeToString([]byte(s)))
	}
	return page.Bytes()
}

// writeInPieces writes the page in pieces of 7 bytes and flushes now and then,
// so that every secret spans several pieces.
func writeInPieces(w http.ResponseWriter, r *http.Request, page []byte) {
	if r.Method == "HEAD" {
		return
	}
	for len(page) > 0 {
		n := min(7, len(page))
		if _, err := w.Write(page[:n]); err != nil {
			return
		}
		page = page[n:]
		if len(page)%3 == 0 {
			w.(http.Flusher).Flush()
		}
	}
}
