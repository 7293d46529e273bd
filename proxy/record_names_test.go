package proxy

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/byline-proxy/byline/proxy/identity"
)

// TestI1NoRecordShowsAMaskedValueOfThePath sends a value in the path that is masked
// without being proof of an attack: the value of a cookie that is not the session. No record of
// the request shows it, and the outcome shows the same as the intent.
func TestI1NoRecordShowsAMaskedValueOfThePath(t *testing.T) {
	const value = "zq7-pl0v"
	app := newLegacyApp(t)
	serve := app.Config.Handler
	app.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "variant", Value: value, Path: "/"})
		serve.ServeHTTP(w, r)
	})
	s := startLegacyServer(t, app, t.TempDir())
	agent, _ := s.newAgent(t, pagesSpec)
	for _, path := range []string{"/page/1", "/page/2" + value} {
		if status, body, _ := sendAsAlice(t, agent, "GET", path, ""); status != 200 {
			t.Fatalf("%s got status %d, %s", path, status, body)
		}
	}

	if status, _, _ := sendAsAlice(t, agent, "GET", "/page/3"+canaryPassword, ""); status != 403 {
		t.Fatalf("a page out of scope got status %d", status)
	}

	s.shutDown(t)
	for _, r := range s.readRecords(t, "refusal") {
		if strings.Contains(r.Path+r.Resource, canaryPassword) {
			t.Errorf("I1: the refusal shows path %q and resource %q, which hold a password", r.Path, r.Resource)
		}
	}
	masked := strings.Repeat("*", len(value))
	for _, kind := range []string{"intent", "outcome"} {
		found := false
		for _, r := range s.readRecords(t, kind) {
			if strings.Contains(r.Path+r.Resource, value) {
				t.Errorf("I1: the %s shows path %q and resource %q, which hold the value of a cookie", kind, r.Path, r.Resource)
			}
			found = found || r.Path == "/page/2"+masked && r.Resource == "page/2"+masked
		}
		if !found {
			t.Errorf("no %s shows asterisks instead of the value", kind)
		}
	}
}

// TestI1I2NamesInRecordsHoldNoSecret sends what only the account has, and what an agent
// borrowed, as the names of things: fields, cookies, parameters, methods, and what a
// resource is named by.
func TestI1I2NamesInRecordsHoldNoSecret(t *testing.T) {
	const token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJlLW9mLWFsaWNl"
	const key = "ghp_0123456789abcdefghijABCDEFGHIJ012345"
	own := hex.EncodeToString([]byte(canaryPassword))

	app := newLegacyApp(t)
	dir := t.TempDir()
	var log lockedBuffer
	adapter := fmt.Sprintf(legacyAdapter, app.URL, writeCertificate(t, app.Server)) + `
  - {name: item.read, match: {method: GET, path: /item, query: {id: "{id}"}}, resource: "item/{id}"}
  - {name: item.edit, match: {method: POST, path: /item, param: {id: "{id}"}}, resource: "item/{id}"}
  - {name: any.do, match: {path: "/any/**"}}
`
	s := startServer(t, dir, loadRules(t, adapter), func(o *Options) { o.Log = zerolog.New(&log).Level(zerolog.DebugLevel) })
	spec := pagesSpec
	spec.Scope = []identity.ScopeEntry{{Adapter: "legacy", Actions: []string{"*"}}}

	for name, change := range map[string]func(r *http.Request){
		"own secret in the name of a field":  func(r *http.Request) { r.Header.Set("X-"+own, "1") },
		"own secret in the name of a cookie": func(r *http.Request) { r.Header.Set("Cookie", own+"=1") },
		"own secret in a parameter's name":   func(r *http.Request) { r.URL.RawQuery = own + "=" + token },
		"own secret as the method":           func(r *http.Request) { r.Method = canaryPassword },
		"token in the name of a field":       func(r *http.Request) { r.Header["X-"+token] = []string{"1"} },
		"key in the name of a field":         func(r *http.Request) { r.Header["X-"+key] = []string{"1"} },
		"key in the name of a cookie":        func(r *http.Request) { r.Header.Set("Cookie", "a."+key+"=1") },
		"token in a query that decides":      func(r *http.Request) { r.URL.Path, r.URL.RawQuery = "/item", "id="+token },
		"key in a query that decides":        func(r *http.Request) { r.URL.Path, r.URL.RawQuery = "/item", "id="+key },
		"token in a form that decides": func(r *http.Request) {
			r.Method, r.URL.Path = "POST", "/item"
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			body := "id=" + token
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
		},
		"key as the user of Basic": func(r *http.Request) {
			r.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("SecretOfAlice")))
		},
	} {
		agent, task := s.newAgent(t, spec)
		if status, body, _ := sendAsAlice(t, agent, "GET", "/page/1", ""); status != 200 {
			t.Fatalf("%s: before it: status %d, %s", name, status, body)
		}

		r, err := http.NewRequest("GET", "https://example.com/any/1", nil)
		if err != nil {
			t.Fatal(err)
		}
		change(r)
		resp, err := agent.Do(r)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if strings.HasSuffix(name, "query that decides") && !hasCode(string(body), AmbiguousRequest) {
			t.Errorf("I11: %s: got status %d, %s; want ambiguous_request", name, resp.StatusCode, body)
		}
		if strings.HasPrefix(name, "own secret") && !hasCode(string(body), SecretInRequest) {
			t.Errorf("I1: %s: got status %d, %s; want secret_in_request", name, resp.StatusCode, body)
		}

		_, _ = s.EndTask(task.ID(), "test")
		_, _ = s.controlRetryAccount(t.Context(), "legacy/agent-01")
	}

	s.shutDown(t)
	written := log.String()
	for _, kind := range []string{"intent", "outcome", "refusal", "alert"} {
		for _, r := range s.readRecords(t, kind) {
			line, err := json.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			written += string(line) + "\n"
		}
	}
	for what, secret := range map[string]string{"the password in hex": own, "a token": token, "a key": key, "a key of Basic": "SecretOfAlice"} {
		if i := strings.Index(strings.ToLower(written), strings.ToLower(secret)); i >= 0 {
			t.Errorf("%s stands in a record or in the log: …%s…", what, written[max(0, i-200):min(len(written), i+100)])
		}
	}
}
