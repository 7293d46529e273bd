package proxy

import (
	"context"
	"net/http"
	"testing"

	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/identity"
)

// TestABorrowedSessionIsPutOnRecordAtFirstSight: once for its first agent, once
// for each further one, and not again after a restart.
func TestABorrowedSessionIsPutOnRecordAtFirstSight(t *testing.T) {
	app, dir := newLegacy(t), t.TempDir()
	h := openHouse(t, app, dir)
	other := reader
	other.Agent = "agent/other"
	for _, spec := range []identity.Spec{reader, reader, other} {
		c, task := h.agent(t, spec)
		do(t, c, http.MethodGet, "/elsewhere", "") // refused, and seen all the same
		do(t, c, http.MethodGet, "/page/1", "")
		do(t, c, http.MethodGet, "/page/1", "")
		if _, err := h.EndTask(task.ID(), "done"); err != nil {
			t.Fatal(err)
		}
	}
	h.shut(t)
	h = openHouse(t, app, dir)
	c, _ := h.agent(t, reader)
	do(t, c, http.MethodGet, "/page/1", "")
	h.shut(t)

	type sight struct{ agent, code, name string }
	seen := map[sight]int{}
	scopes := 0
	for r, err := range audit.Tail(context.Background(), dir+"/audit", 1000, false) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Kind == "alert" {
			seen[sight{r.Agent, r.Code, r.Stripped[0].Name}]++
		}
		if len(r.Scope) == 2 && r.Scope[0] == "legacy:page.*@page/1" {
			scopes++
		}
	}
	want := map[sight]int{{"agent/triage", "borrowed_seen", "sid"}: 1, {"agent/other", "borrowed_shared", "sid"}: 1}
	for s, n := range want {
		if seen[s] != n {
			t.Errorf("%v: %d alerts, want %d", s, seen[s], n)
		}
		delete(seen, s)
	}
	if len(seen) > 0 {
		t.Errorf("further alerts: %v", seen)
	}
	if scopes != 4 {
		t.Errorf("%d of 4 tasks have their scope on record", scopes)
	}
}
