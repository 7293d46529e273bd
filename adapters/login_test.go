package adapters

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
)

type account map[string]string

func (a account) Reveal(name string) (string, bool) { v, ok := a[name]; return v, ok }

var alice = account{"username": "alice", "password": "correct horse", "totp_seed": "JBSWY3DPEHPK3PXP", "token": "tok-123456789",
	"client_id": "byline", "client_secret": "cs-secret-9", "refresh_token": "rt-secret-9"}

// legacy is an application of the age: a login token bound to a session made before login, a test cookie, an Origin
// check, a second factor, a session that changes at login and rotates with every page.
type legacy struct{}

func (l *legacy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	is := func(name, value string) bool { c, err := r.Cookie(name); return err == nil && c.Value == value }
	sameOrigin := r.Header.Get("Origin") == "http://"+r.Host && r.Header.Get("Sec-Fetch-Site") == "same-origin"
	switch r.Method + " " + r.URL.Path {
	case "GET /login":
		w.Header().Add("Set-Cookie", "app_session=before-login; Path=/")
		w.Header().Add("Set-Cookie", "csrftoken=test; Path=/")
		fmt.Fprint(w, `<form class="big login" id=f><p><input name=other value=no><input type=hidden name="csrf" value="a&amp;b+\"></form>`)
	case "POST /login":
		code, _ := totp.GenerateCode(alice["totp_seed"], time.Now())
		if !is("app_session", "before-login") || !is("csrftoken", "test") || !sameOrigin || r.FormValue("csrf") != `a&b+\` ||
			r.FormValue("user") != "alice" || r.FormValue("pass") != alice["password"] || r.FormValue("code") != code || r.Header.Get("User-Agent") != "pinned" {
			http.Error(w, "wrong: "+r.FormValue("pass"), 200)
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
			w.WriteHeader(401)
			return
		}
		fmt.Fprint(w, `{"result":{"tokens":[{"id":1,"value":"json-token-77"}]}}`)
	case "POST /token":
		id, secret, _ := r.BasicAuth()
		if id != "byline" || secret != "cs-secret-9" {
			w.WriteHeader(401)
			return
		}
		fmt.Fprintf(w, `{"access_token":"at-%s-1","token_type":"Bearer"}`, r.FormValue("grant_type"))
	case "POST /logout":
		if !is("app_session", "after-login-0") {
			w.WriteHeader(403)
		}
	default:
		w.WriteHeader(404)
	}
}

// hold a dialogue with a server as the corridor does.
func converse(t testing.TB, d *Dialogue, url string) error {
	t.Helper()
	d.UseHost("http", strings.TrimPrefix(url, "http://"))
	var last *Reply
	for {
		step, err := d.Next(last)
		if step == nil || err != nil {
			return err
		}
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
		last = &Reply{Status: resp.StatusCode}
		last.Body, _ = io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		for name, values := range resp.Header {
			for _, v := range values {
				last.Fields = append(last.Fields, Field{Name: name, Value: v})
			}
		}
	}
}

var firstRequest = []Field{{Name: "User-Agent", Value: "pinned"}}

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

// loadLogin goes through the language, so that recipe and runtime are tested against each other.
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

func TestLogins(t *testing.T) {
	server := httptest.NewServer(&legacy{})
	defer server.Close()
	for _, c := range []struct{ name, login, want string }{
		{"form with totp", formLogin, "[{User-Agent pinned} {Cookie app_session=after-login-0}]"},
		{"json", "\n  kind: json\n  steps: [{post: /api/login, json: {auth: {login: \"${username}\", password: \"${password}\"}}, take: {token: {json: result.tokens.0.value}}}]\n  success: {status: [200]}\n  headers: {Authorization: \"Bearer ${token}\"}",
			"[{Authorization Bearer json-token-77}]"},
		{"basic", "\n  kind: basic", "[{Authorization Basic YWxpY2U6Y29ycmVjdCBob3JzZQ==}]"},
		{"bearer", "\n  kind: bearer", "[{Authorization Bearer tok-123456789}]"},
		{"header", "\n  kind: header\n  header: X-Key\n  value: \"k=${token|upper}\"", "[{X-Key k=TOK-123456789}]"},
		{"client credentials", "\n  kind: oauth2\n  token_url: /token", "[{Authorization Bearer at-client_credentials-1}]"},
		{"password grant", "\n  kind: oauth2\n  token_url: /token\n  grant_type: password", "[{Authorization Bearer at-password-1}]"},
		{"refresh grant", "\n  kind: oauth2\n  token_url: /token\n  grant_type: refresh_token", "[{Authorization Bearer at-refresh_token-1}]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := loadLogin(t, c.login)
			d := a.Login(alice, firstRequest)
			if d.Session() != nil {
				t.Fatal("a session before the login")
			}
			if err := converse(t, d, server.URL); err != nil {
				t.Fatal(err)
			}
			host := strings.TrimPrefix(server.URL, "http://")
			out := a.putFields(nil, d.Session(), nil, host, "/x", false, time.Now())
			if got := fmt.Sprint(out); got != c.want {
				t.Errorf("injected %s", got)
			}
			body := []byte(out[len(out)-1].Value)
			if d.Session().Mask().InPlace(body); c.name != "form with totp" && !strings.Contains(string(body), "*****") {
				t.Errorf("not masked: %s", body)
			}
			if end := a.Logout(d.Session()); (end != nil) != strings.Contains(c.login, "logout") {
				t.Error("logout")
			} else if end != nil {
				if err := converse(t, end, server.URL); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func TestI1LoginFailuresNameNoSecret(t *testing.T) {
	server := httptest.NewServer(&legacy{})
	defer server.Close()
	wrong := account{"username": "alice", "password": "wrong-canary-1", "totp_seed": "JBSWY3DPEHPK3PXP"}
	for _, c := range []struct {
		login  string
		secret account
		want   string
	}{
		{formLogin, wrong, "step 2 (POST /login): success.status does not hold (status 200)"},
		{strings.Replace(formLogin, "name=csrf", "name=gone", 1), wrong, "step 1 (GET /login): take csrf: the answer (status 200) does not have it"},
		{formLogin, account{"username": "alice", "password": "wrong-canary-1"}, "step 2 (POST /login): form field code: the account's secret has no totp_seed"},
		{"\n  kind: oauth2\n  token_url: /token", account{"client_id": "byline", "client_secret": "wrong-canary-1"}, "the token endpoint answered with status 401"},
		{"\n  kind: bearer", account{}, "header Authorization: the account's secret has no field token"},
	} {
		d := loadLogin(t, c.login).Login(c.secret, firstRequest)
		if err := converse(t, d, server.URL); err == nil || err.Error() != c.want {
			if err == nil || !strings.HasPrefix(c.want, "step 2") || !strings.Contains(err.Error(), "totp_seed") {
				t.Errorf("%v\nnot %s", err, c.want)
			}
		}
		if d.Session() != nil {
			t.Error("a failed login has a session")
		}
	}
}

func TestEnded(t *testing.T) {
	a := small(func(s *Spec) {
		s.Login.Ended = []Condition{{Redirect: "*Special:UserLogin*"}, {Deletes: "*UserID"}, {Status: Ints{401}}, {Status: Ints{200}, ContentType: "text/html", Body: "id=login"},
			{Status: Ints{200}, CSS: "form#signin"}, {Status: Ints{403}, JSON: map[string]string{"error.code": "session_*"}}, {Header: "X-Login-State: anonymous"}}
	})
	set := func(cookies ...string) (fields []Field) {
		for _, c := range cookies {
			fields = append(fields, Field{Name: "Set-Cookie", Value: c})
		}
		return fields
	}
	html := []Field{{Name: "content-type", Value: "text/html; charset=utf-8"}}
	for _, c := range []struct {
		status       int
		fields       []Field
		body         string
		needs, ended bool
	}{
		{302, []Field{{Name: "location", Value: "/index.php?title=Special%3AUserLogin&x=1"}}, "", false, true},
		{302, []Field{{Name: "Location", Value: "/home"}}, "", false, false},
		{200, set("wikiUserID=deleted; expires=Thu, 01 Jan 1970 00:00:01 GMT; Max-Age=0; path=/"), "", true, true},
		{200, set("wikiUserID=; path=/"), "", true, true},
		{200, set("wikiUserID=7; path=/"), "", true, false},
		{200, set("wikiUserID=deleted; Max-Age=0; path=/", "wikiUserID=7; path=/"), "", true, false},
		{200, set("other=deleted; Max-Age=0; path=/"), "", true, false},
		{401, nil, "", false, true},
		{200, html, "<form id=login>", true, true},
		{200, html, "<p>", true, false},
		{200, nil, "<form id=login>", true, false},
		{200, nil, "<form id=signin>", true, true},
		{200, []Field{{Name: "Content-Type", Value: "text/event-stream"}}, "", false, false},
		{403, nil, `{"error": {"code": "session_gone"}}`, true, true},
		{403, nil, `{"error": {"code": "forbidden"}}`, true, false},
		{403, nil, `{"error": {"code": "session_gone"}`, true, false},
		{204, []Field{{Name: "x-login-state", Value: "anonymous"}}, "", false, true},
	} {
		if got := a.EndedNeedsBody(c.status, c.fields); got != c.needs {
			t.Errorf("%d %v needs a body: %v", c.status, c.fields, got)
		}
		if got := a.Ended(c.status, c.fields, []byte(c.body)); got != c.ended {
			t.Errorf("%d %v %q ended: %v", c.status, c.fields, c.body, got)
		}
	}
}

func TestExpand(t *testing.T) {
	value := func(name string) (string, error) {
		if name != "x" {
			return "", fmt.Errorf("no %s", name)
		}
		return ` a"<é `, nil
	}
	for in, want := range map[string]string{"": "", "plain $x": "plain $x", "${x|trim}!": `a"<é!`, "$${x}": "${x}", "${x|trim|base64}": "YSI8w6k=", "${x | trim | query}": "a%22%3C%C3%A9",
		"${x|trim|html}": "a&#34;&lt;é", "${x|trim|hex}": "61223cc3a9", "${x|trim|upper}": `A"<É`} {
		if got, err := expandTemplate(in, value); err != nil || got != want {
			t.Errorf("%s: %q %v", in, got, err)
		}
	}
	for _, bad := range []string{"${x", "${y}", "${x|rot13}"} {
		if _, err := expandTemplate(bad, value); err == nil {
			t.Errorf("%s is accepted", bad)
		}
	}
}

// A session that is logged out may still be stored by another goroutine, so its logout must not write
// to it. The race detector reports a write.
func TestALogoutDoesNotWriteToTheSession(t *testing.T) {
	a := loadLogin(t, `
  kind: json
  steps: [{get: /login, take: {id: {header: X-Id}}}]
  logout: {steps: [{post: /logout, let: {reason: "left-${id}"}, body: "${reason}"}]}`)
	s := sessionWith(a, "app.example", "/")
	s.taken = map[string]string{"id": "0123456789"}

	done := make(chan error)
	go func() {
		_, err := a.Logout(s).Next(nil)
		done <- err
	}()
	text, err := s.Marshal()
	if err := errors.Join(err, <-done); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "left-") || len(s.secrets) > 0 {
		t.Errorf("the session has %q after its logout, want no new secrets", s.secrets)
	}
}
