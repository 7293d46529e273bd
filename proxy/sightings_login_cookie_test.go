package proxy

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// randomHex returns a value like those of sessions.
func randomHex() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// sendWithFields sends a request with fields of the agent's choice.
func sendWithFields(t *testing.T, agent *http.Client, method, target, body string, fields map[string]string) int {
	t.Helper()
	req, err := http.NewRequest(method, "https://example.com"+target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range fields {
		req.Header.Set(name, value)
	}
	resp, err := agent.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

// TestCookieThatALoginSetIsASession sends sessions of people in a cookie that no key of
// the adapter names: each is an alert. What pages make up for themselves, and masks that
// come back, are none.
func TestCookieThatALoginSetIsASession(t *testing.T) {
	app, dir := newLegacyApp(t), t.TempDir()
	text := fmt.Sprintf(legacyAdapter, app.URL, writeCertificate(t, app.Server))
	text = strings.NewReplacer("hold: [sid], ", "", ", cookie: sid}", "}").Replace(text)
	s := startServer(t, dir, loadRules(t, text), nil)

	alerts := func() int {
		n := 0.0
		all, err := s.metrics.registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, family := range all {
			if family.GetName() != "byline_alerts_total" {
				continue
			}
			for _, m := range family.GetMetric() {
				n += m.GetCounter().GetValue()
			}
		}
		return int(n)
	}
	for i := range 20 {
		agent, task := s.newAgent(t, pagesSpec)
		sendWithFields(t, agent, "GET", "/page/1", "", map[string]string{"Cookie": "theme=dark; sid=" + randomHex() + "; _ga=" + randomHex()})
		if got := alerts(); got != i+1 {
			t.Fatalf("after the session of person %d there are %d alerts", i+1, got)
		}
		if _, err := s.EndTask(task.ID(), "done"); err != nil {
			t.Fatal(err)
		}
	}

	agent, _ := s.newAgent(t, pagesSpec)
	for _, c := range []struct {
		what, target, body string
		fields             map[string]string
	}{
		{"an id that a page made up", "/page/1?session_id=" + randomHex(), "", nil},
		{"an id in JSON", "/page/1", `{"session_id":"` + randomHex() + `"}`, map[string]string{"Content-Type": "application/json"}},
		{"an id in a form", "/page/1", "sessionId=" + randomHex(), map[string]string{"Content-Type": "application/x-www-form-urlencoded"}},
		{"a field", "/page/1", "", map[string]string{"X-Session-Id": randomHex()}},
		{"a mask", "/page/1", "", map[string]string{"Cookie": "sid=" + strings.Repeat("*", 32)}},
		{"a mask in quotes", "/page/1", "", map[string]string{"Cookie": `sid="************"`}},
		{"a mask that is escaped", "/page/1", "", map[string]string{"Cookie": "sid=%2A%2A%2A%2A%2A%2A%2A%2A"}},
		{"a password that is a mask", "/page/1", "", map[string]string{"Authorization": "Basic YWxpY2U6KioqKioqKio="}},
		{"a word in the cookie", "/page/1", "", map[string]string{"Cookie": "sid=dashboard"}},
		{"a cookie that nobody knows", "/page/1", "", map[string]string{"Cookie": "visitor=" + randomHex()}},
	} {
		method := "GET"
		if c.body != "" {
			method = "POST"
		}
		sendWithFields(t, agent, method, c.target, c.body, c.fields)
		if got := alerts(); got != 20 {
			t.Errorf("%s: %d alerts, want 20", c.what, got)
		}
	}

	for _, c := range []struct {
		what, target string
		fields       map[string]string
	}{
		{"a bearer token", "/page/1", map[string]string{"Authorization": "Bearer " + randomHex()}},
		{"a token in the query", "/page/1?access_token=" + randomHex(), nil},
		{"the session's name in the query", "/page/1?sid=" + randomHex(), nil},
		{"a session of PHP in the query", "/page/1?PHPSESSID=" + randomHex(), nil},
		{"a session with a mask around it", "/page/1", map[string]string{"Cookie": "sid=****" + randomHex() + "****"}},
	} {
		before := alerts()
		sendWithFields(t, agent, "GET", c.target, "", c.fields)
		if got := alerts(); got != before+1 {
			t.Errorf("%s: %d alerts more, want 1", c.what, got-before)
		}
	}
}

// TestSessionsOfOneRequestAreOneAlert checks that an alert names all cookies by which the
// application knows the person.
func TestSessionsOfOneRequestAreOneAlert(t *testing.T) {
	app := newLegacyApp(t)
	text := fmt.Sprintf(legacyAdapter, app.URL, writeCertificate(t, app.Server))
	text = strings.Replace(text, "hold: [sid]", "hold: [sid, remember, uid]", 1)
	s := startServer(t, t.TempDir(), loadRules(t, text), nil)
	agent, _ := s.newAgent(t, pagesSpec)
	sendWithFields(t, agent, "GET", "/page/1", "", map[string]string{"Cookie": "sid=" + randomHex() + "; remember=" + randomHex() + "; uid=" + randomHex()})

	found := s.readRecords(t, "alert")
	if len(found) != 1 || len(found[0].Stripped) != 3 {
		t.Errorf("alerts %+v, want one with three cookies", found)
	}
}
