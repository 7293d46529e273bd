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

	"github.com/byline-proxy/byline/cmd/byline/e2e/testenv"
)

// parrot is an application of the worst kind: it logs in with a password and a
// one-time code, changes its session cookie at every answer, and repeats all
// that it was sent wherever it can.
type parrot struct {
	*httptest.Server
	password, seed string

	mu       sync.Mutex
	n        int
	live     map[string]bool
	raw      []string // every request, as it came
	codes    int      // logins with a right code
	sessions []string // all that it ever gave out
}

func newParrot(t *testing.T) *parrot {
	p := &parrot{password: testenv.NewSecret(), seed: "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", live: map[string]bool{}}
	p.Server = httptest.NewServer(http.HandlerFunc(p.serve))
	t.Cleanup(p.Close)
	return p
}

// session is a new one: with the signs that codings differ about.
func (p *parrot) session() string {
	p.n++
	s := fmt.Sprintf("%s/%d+&=%d", testenv.NewSecret(), p.n, time.Now().UnixNano())
	p.live[s] = true
	p.sessions = append(p.sessions, s)
	return s
}

func (p *parrot) serve(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = r.ParseForm()
	var raw bytes.Buffer
	_ = r.Write(&raw)
	p.raw = append(p.raw, raw.String()+fmt.Sprint(r.Form, r.Trailer))
	if r.URL.Path == "/login" {
		p.login(w, r)
		return
	}
	c, err := r.Cookie("sid")
	sid := ""
	if err == nil {
		sid, _ = url.QueryUnescape(c.Value)
	}
	if !p.live[sid] {
		http.Redirect(w, r, "/login", http.StatusFound)
		return
	}
	if r.URL.Path == "/logout" {
		delete(p.live, sid)
		return
	}
	next := p.session() // both live on: requests may be under way
	w.Header().Add("Set-Cookie", "sid="+url.QueryEscape(next)+"; Path=/; HttpOnly")
	p.repeat(w, r, c.Value, sid, next)
}

func (p *parrot) login(w http.ResponseWriter, r *http.Request) {
	if r.Method != "POST" {
		fmt.Fprint(w, "<form>")
		return
	}
	if !totp.Validate(r.Form.Get("code"), p.seed) || r.Form.Get("pass") != p.password {
		fmt.Fprintf(w, "wrong: %v", r.Form)
		return
	}
	p.codes++
	w.Header().Add("Set-Cookie", "sid="+url.QueryEscape(p.session())+"; Path=/; HttpOnly")
	http.Redirect(w, r, "/?hello="+url.QueryEscape(p.password), http.StatusFound)
}

// repeat says everything it knows in every way it can.
func (p *parrot) repeat(w http.ResponseWriter, r *http.Request, all ...string) {
	all = append(all, p.password, p.seed)
	h := w.Header()
	h.Set("Trailer", "X-Trailer")
	for i, v := range all {
		h.Add("X-Session", v)
		h.Add("Link", "</next?sid="+url.QueryEscape(v)+">; rel=next")
		h.Add("Set-Cookie", fmt.Sprintf("copy%d=%s; Path=/", i, url.QueryEscape(v)))
		h.Add("Set-Cookie", fmt.Sprintf("theme=%s; Path=/", url.QueryEscape(v)))
		h.Set("Etag", `"`+base64.RawURLEncoding.EncodeToString([]byte(v))+`"`)
	}
	h.Set("X-Authorization", r.Header.Get("Authorization")+r.Header.Get("Cookie"))
	quoted, _ := json.Marshal(map[string]any{"cookie": r.Header.Get("Cookie"), "all": all})
	var page bytes.Buffer
	page.Write(quoted)
	for _, v := range all {
		fmt.Fprintf(&page, "\n<a href='/?sid=%s'>%s</a> %s %s %s", url.QueryEscape(v), html.EscapeString(v), url.PathEscape(v), v, base64.StdEncoding.EncodeToString([]byte(v)))
	}
	text := page.Bytes()
	switch r.URL.Path {
	case "/text":
		h.Set("Content-Type", "text/plain")
	case "/events":
		h.Set("Content-Type", "text/event-stream")
		text = []byte("data: " + strings.ReplaceAll(page.String(), "\n", "\ndata: ") + "\n\n")
	case "/script":
		h.Set("Content-Type", "application/javascript")
	case "/redirect":
		h.Set("Location", "/?sid="+url.QueryEscape(all[0]))
		w.WriteHeader(http.StatusFound)
	case "/broken":
		h.Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusInternalServerError)
	case "/zipped":
		if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			h.Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			_, _ = z.Write(text)
			_ = z.Close()
			return
		}
	case "/ranged":
		http.ServeContent(w, r, "x.txt", time.Time{}, bytes.NewReader(text))
		return
	}
	for len(text) > 0 && r.Method != "HEAD" { // a secret may lie across two pieces
		n := min(7, len(text))
		if _, err := w.Write(text[:n]); err != nil {
			return
		}
		text = text[n:]
		if len(text)%3 == 0 {
			w.(http.Flusher).Flush()
		}
	}
	h.Set("X-Trailer", all[0])
}

const parrotAdapter = `name: parrot
interim: {reason: "test", owner: secops@acme.test, review_by: 2099-01-01}
hosts: [parrot.acme.test]
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
  - {name: read, match: {method: [GET, HEAD], path: "/**"}, resource: page}
  - {name: write, match: {method: POST, path: "/**"}, resource: page}
`

// parrotHouse is a running house before a parrot.
func parrotHouse(t *testing.T, p *parrot, more string) *testenv.Env {
	h := testenv.New(t, more)
	h.WriteFile("adapters.d/parrot.yaml", fmt.Sprintf(parrotAdapter, p.URL))
	h.PutAccount("parrot", "agent-01", map[string]string{"username": "agent-01", "password": p.password, "totp_seed": p.seed})
	h.Start()
	return h
}

// marked tells the house of every session that there has been.
func (p *parrot) marked(h *testenv.Env) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.sessions {
		h.AddSecret("a session of the parrot", s)
	}
}
