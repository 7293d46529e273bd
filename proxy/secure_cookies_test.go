package proxy

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestSecureCookiesWithTLSTerminatedBefore uses an application without TLS, as
// after a load balancer that terminates it. The application still sets Secure
// cookies and checks Origin against its public address. The cookies are sent for
// agents that use https, and not for others.
func TestSecureCookiesWithTLSTerminatedBefore(t *testing.T) {
	var origin string // of the login
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/login" {
			origin = r.Header.Get("Origin")
			http.SetCookie(w, &http.Cookie{Name: "sid", Value: "the-session-of-agent-01", Path: "/", Secure: true})
			http.Redirect(w, r, "/home", http.StatusFound)
			return
		}
		if cookieValue(r, "sid") == "" {
			http.Redirect(w, r, "/login", http.StatusFound)
		}
	}))
	t.Cleanup(app.Close)
	adapter := strings.ReplaceAll(legacyAdapter, `upstream: {url: "%s", ca: "%s"}`, `upstream: {url: "`+app.URL+`"}`)
	s := startServer(t, t.TempDir(), loadRules(t, adapter), nil)
	agent, _ := s.newAgent(t, pagesSpec)

	if status, body, _ := sendAsAlice(t, agent, "GET", "/page/1", ""); status != 200 {
		t.Errorf("GET https://example.com/page/1: status %d, want 200: %s", status, body)
	}
	if origin != "https://example.com" {
		t.Errorf("the login has Origin %q, want https://example.com", origin)
	}

	resp, err := agent.Get("http://example.com/page/1")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode == http.StatusOK {
		t.Error("GET http://example.com/page/1: status 200, want another: a Secure cookie was sent for plain HTTP")
	}
}
