package proxy

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/proxy/policy"
)

// Where TLS ends before the last stretch, the application still sets Secure
// cookies and checks Origin against its public name.
func TestSecureCookiesGoOutWhereTLSEndsBefore(t *testing.T) {
	var origin string
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/login" {
			origin = r.Header.Get("Origin")
			http.SetCookie(w, &http.Cookie{Name: "sid", Value: "the-session-of-agent-01", Path: "/", Secure: true})
			http.Redirect(w, r, "/home", http.StatusFound)
			return
		}
		if _, err := r.Cookie("sid"); err != nil {
			http.Redirect(w, r, "/login", http.StatusFound)
		}
	}))
	t.Cleanup(app.Close)
	text := strings.ReplaceAll(legacyAdapter, `upstream: {url: "%s", ca: "%s"}`, `upstream: {url: "`+app.URL+`"}`)
	set, err := adapters.Load([]adapters.Source{{Name: "legacy.yaml", Text: []byte(text)}})
	if err != nil {
		t.Fatal(err)
	}
	none, err := policy.Parse(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	h := openWith(t, t.TempDir(), Rules{Adapters: set, Policy: none}, nil)
	agent, _ := h.agent(t, reader)
	if status, body, _ := do(t, agent, "GET", "/page/1", ""); status != 200 {
		t.Errorf("over https: status %d: %s", status, body)
	}
	if origin != "https://example.com" {
		t.Errorf("the login came from %q", origin)
	}
	resp, err := agent.Get("http://example.com/page/1")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode == http.StatusOK {
		t.Error("a Secure cookie went out where nobody used TLS")
	}
}
