package proxy

import (
	"net/http"
	"strings"
	"testing"
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
