package proxy

import (
	"testing"

	"github.com/byline-proxy/byline/proxy/identity"
)

// TestBorrowedSessionIsRecordedAtFirstSight checks that a borrowed session is one
// alert for its first agent and one for each further agent, also across a
// restart, and whether its first request was refused or not.
func TestBorrowedSessionIsRecordedAtFirstSight(t *testing.T) {
	app, dir := newLegacyApp(t), t.TempDir()
	s := startLegacyServer(t, app, dir)
	other := pagesSpec
	other.Agent = "agent/other"
	for _, spec := range []identity.Spec{pagesSpec, pagesSpec, other} {
		agent, task := s.newAgent(t, spec)
		sendAsAlice(t, agent, "GET", "/elsewhere", "") // refused
		sendAsAlice(t, agent, "GET", "/page/1", "")
		sendAsAlice(t, agent, "GET", "/page/1", "")
		if _, err := s.EndTask(task.ID(), "done"); err != nil {
			t.Fatal(err)
		}
	}
	s.shutDown(t)
	s = startLegacyServer(t, app, dir)
	agent, _ := s.newAgent(t, pagesSpec)
	sendAsAlice(t, agent, "GET", "/page/1", "")

	type alert struct{ agent, code, name string }
	got := map[alert]int{}
	scopes := 0
	for _, r := range s.readRecords(t, "") {
		if r.Kind == "alert" {
			got[alert{r.Agent, r.Code, r.Stripped[0].Name}]++
		}
		if len(r.Scope) == 2 && r.Scope[0] == "legacy:page.*@page/1" {
			scopes++
		}
	}
	for _, want := range []alert{
		{"agent/triage", "borrowed_seen", "sid"},
		{"agent/other", "borrowed_shared", "sid"},
	} {
		if got[want] != 1 {
			t.Errorf("%d alerts %v, want 1", got[want], want)
		}
		delete(got, want)
	}
	if len(got) > 0 {
		t.Errorf("unexpected alerts: %v", got)
	}
	if scopes != 4 {
		t.Errorf("%d records have the scope of a task, want 4", scopes)
	}
}
