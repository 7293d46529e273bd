package proxy

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/byline-proxy/byline/proxy/audit"
)

// TestRecordOfAnEndSaysWhoEndedIt ends tasks in each way that the control API knows, and by
// time.
func TestRecordOfAnEndSaysWhoEndedIt(t *testing.T) {
	dir := t.TempDir()
	s, _ := startWithFaultyStore(t, dir)
	create := func(ttl string) string {
		t.Helper()
		spec := `{"agent":"a","sponsor":"alice@acme.example","purpose":"p","ttl":"` + ttl + `","scope":[{"adapter":"legacy","actions":["page.*"]}]}`
		status, body := s.askControl(t, "POST", "/v1/tasks", spec)
		var created struct{ ID string }
		if err := json.Unmarshal([]byte(body), &created); err != nil || status != http.StatusCreated {
			t.Fatalf("POST /v1/tasks: %d %s", status, body)
		}
		return created.ID
	}

	for _, c := range []struct{ query, want string }{
		{"", "ended: by the operator"},
		{"?by=operator", "ended: by the operator"},
		{"?by=sponsor", "ended: by the sponsor alice@acme.example, as the operator states"},
		{"?by=program", "ended: its program ended"},
	} {
		id := create("10m")
		for _, bad := range []string{"?by=progam", "?by=sponsor&by=program", "?by=", "?x=1"} {
			if status, body := s.askControl(t, "DELETE", "/v1/tasks/"+id+bad, ""); status != http.StatusBadRequest || !strings.Contains(body, "by=sponsor") {
				t.Errorf("DELETE with %s: %d %s, want 400", bad, status, body)
			}
		}
		if status, body := s.askControl(t, "DELETE", "/v1/tasks/"+id+c.query, ""); status != http.StatusOK {
			t.Errorf("DELETE with %q: %d %s", c.query, status, body)
		}
		if got := endOnRecord(t, dir, id); got != c.want {
			t.Errorf("DELETE with %q is on record as %q, want %q", c.query, got, c.want)
		}
	}

	id := create("1s")
	for end := time.Now().Add(30 * time.Second); endOnRecord(t, dir, id) == "" && time.Now().Before(end); {
		time.Sleep(20 * time.Millisecond)
	}
	if got := endOnRecord(t, dir, id); got != "ended: its time was over" {
		t.Errorf("a task whose time was over is on record as %q", got)
	}
}

// endOnRecord returns the detail of the record that ends the task, or "".
func endOnRecord(t *testing.T, dir, task string) (detail string) {
	t.Helper()
	for r, err := range audit.Tail(context.Background(), dir+"/audit", 10000, false) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Kind == "task" && r.Code == audit.CodeEnded && r.Task == task {
			detail = r.Detail
		}
	}
	return detail
}
