package adapters

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
)

// account is the secret of an account.
type account map[string]string

func (a account) Fields() []string { return slices.Sorted(maps.Keys(a)) }

func (a account) Reveal(name string) (string, bool) {
	v, ok := a[name]
	return v, ok
}

var alice = account{
	"username": "alice", "password": "correct horse", "totp_seed": "JBSWY3DPEHPK3PXP", "token": "tok-123456789",
	"client_id": "byline", "client_secret": "cs-secret-9", "refresh_token": "rt-secret-9",
}

// firstRequest is the header of an agent's first request.
var firstRequest = []Field{{Name: "User-Agent", Value: "pinned"}}

// formLogin logs in at loginApp with a second factor.
const formLogin = `
  kind: form
  steps:
    - get: /login
      take: {csrf: {css: "form#f.login input[name=csrf]", attr: value}}
    - post: /login
      form: {user: "${username}", pass: "${password}", code: "${totp}", csrf: "${csrf}"}
  success: {status: 302, cookie: "*_session"}
  logout: {steps: [{post: /logout, success: {status: 200}}]}
pin: [User-Agent]`

// loadLogin loads an adapter with this login, so that recipes and dialogues are tested together.
func loadLogin(t testing.TB, login string) *Adapter {
	t.Helper()
	set, err := Load([]Source{{Name: "t.yaml", Text: []byte(`
name: app
hosts: [app.example]
interim: {reason: test, owner: o@app.example, review_by: 2030-01-01}
cookies: {pass: [csrftoken]}
actions: [{name: read, match: {path: "/**"}, resource: all}]
login:` + login + "\n")}})
	if err != nil {
		t.Fatal(err)
	}
	return set.ByName("app")
}

// converse holds a dialogue with a server as the pipeline does.
func converse(t testing.TB, d *Dialogue, url string) error {
	t.Helper()
	d.UseHost("http", strings.TrimPrefix(url, "http://"))
	var last *Reply
	for {
		step, err := d.Next(last)
		if step == nil || err != nil {
			return err
		}
		last = send(t, url, step)
	}
}

// send sends one request of a dialogue and returns the answer.
func send(t testing.TB, url string, step *Step) *Reply {
	t.Helper()
	r, err := http.NewRequest(step.Method, url+step.Path, bytes.NewReader(step.Body))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range step.Fields {
		r.Header.Add(f.Name, f.Value)
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()

	reply := &Reply{Status: resp.StatusCode}
	reply.Body, err = io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range resp.Header {
		for _, v := range values {
			reply.Fields = append(reply.Fields, Field{Name: name, Value: v})
		}
	}
	return reply
}

// loginApp is an application as legacy ones are: a login token that is bound to a session from before
// the login, a test cookie, a check of Origin, a second factor, and a session that changes at login.
type loginApp struct{}

func (app loginApp) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.Method + " " + r.URL.Path {
	case "GET /login":
		w.Header().Add("Set-Cookie", "app_session=before-login; Path=/")
		w.Header().Add("Set-Cookie", "csrftoken=test; Path=/")
		fmt.Fprint(w, `<form class="big login" id=f><p><input name=other value=no><input type=hidden name="csrf" value="a&amp;b+\"></form>`)

	case "POST /login":
		if !app.accepts(r) {
			http.Error(w, "wrong: "+r.FormValue("pass"), http.StatusOK)
			return
		}
		w.Header().Add("Set-Cookie", "app_session=deleted; Path=/; Max-Age=0")
		w.Header().Add("Set-Cookie", "app_session=after-login-0; Path=/; HttpOnly")
		http.Redirect(w, r, "/home", http.StatusFound)

	case "POST /api/login":
		var in struct {
			Auth struct{ Login, Password string }
		}
		if json.NewDecoder(r.Body).Decode(&in) != nil || in.Auth.Login != "alice" || in.Auth.Password != alice["password"] {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		fmt.Fprint(w, `{"result":{"tokens":[{"id":1,"value":"json-token-77"}]}}`)

	case "POST /token":
		id, secret, _ := r.BasicAuth()
		if id != "byline" || secret != "cs-secret-9" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		fmt.Fprintf(w, `{"access_token":"at-%s-1","token_type":"Bearer"}`, r.FormValue("grant_type"))

	case "POST /logout":
		if !hasCookie(r, "app_session", "after-login-0") {
			w.WriteHeader(http.StatusForbidden)
		}

	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// accepts reports whether the application accepts a filled-in login page.
func (loginApp) accepts(r *http.Request) bool {
	code, _ := totp.GenerateCode(alice["totp_seed"], time.Now())
	return hasCookie(r, "app_session", "before-login") && hasCookie(r, "csrftoken", "test") &&
		r.Header.Get("Origin") == "http://"+r.Host && r.Header.Get("Sec-Fetch-Site") == "same-origin" &&
		r.Header.Get("User-Agent") == "pinned" && r.FormValue("csrf") == `a&b+\` &&
		r.FormValue("user") == "alice" && r.FormValue("pass") == alice["password"] && r.FormValue("code") == code
}

func hasCookie(r *http.Request, name, value string) bool {
	c, err := r.Cookie(name)
	return err == nil && c.Value == value
}
