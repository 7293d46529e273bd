package proxy

import (
	"context"
	"crypto/tls"
	"net/http"
	"testing"
)

func TestRestartKeepsTaskLeaseAndSession(t *testing.T) {
	app, dir := newLegacyApp(t), t.TempDir()
	s := startLegacyServer(t, app, dir)
	task, token, err := s.CreateTask(context.Background(), pagesSpec)
	if err != nil {
		t.Fatal(err)
	}
	get := func(s *testServer) (status int, body string) {
		transport := &http.Transport{Proxy: http.ProxyURL(s.proxyURL(task, token)), TLSClientConfig: &tls.Config{RootCAs: s.roots}}
		defer transport.CloseIdleConnections()
		status, body, _ = sendAsAlice(t, &http.Client{Transport: transport}, "GET", "/page/1", "")
		return status, body
	}

	if status, body := get(s); status != http.StatusOK {
		t.Fatalf("before the restart: status %d, want 200: %s", status, body)
	}
	s.shutDown(t)
	s = startLegacyServer(t, app, dir)
	if status, body := get(s); status != http.StatusOK {
		t.Fatalf("after the restart: status %d, want 200: %s", status, body)
	}
	if n := app.logins.Load(); n != 1 {
		t.Errorf("%d logins, want 1: the session must be resumed", n)
	}
}

// TestI6TaskThatEndsAfterRestartIsLoggedOut ends a task that sent no request
// since the restart. Its session was created by the server before.
func TestI6TaskThatEndsAfterRestartIsLoggedOut(t *testing.T) {
	app, dir := newLegacyApp(t), t.TempDir()
	s := startLegacyServer(t, app, dir)
	agent, task := s.newAgent(t, pagesSpec)
	if status, body, _ := sendAsAlice(t, agent, "GET", "/page/1", ""); status != http.StatusOK {
		t.Fatalf("GET /page/1: status %d, want 200: %s", status, body)
	}

	s.shutDown(t)
	s = startLegacyServer(t, app, dir)
	if _, err := s.EndTask(task.ID(), "done"); err != nil {
		t.Fatal(err)
	}
	if n := app.countSessions(); n != 1 {
		t.Errorf("I6: %d sessions are live at the application, want only Alice's", n)
	}
}
