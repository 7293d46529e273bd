package audit_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/audit/internal/audittest"
	"github.com/byline-proxy/byline/proxy/audit/journal"
)

func TestFindReturnsIntentAndOutcome(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, journal.Config{Dir: dir})
	intent := l.Append(audittest.Intent(1))
	l.Append(audittest.Intent(2))
	l.Append(&audit.Record{Kind: "outcome", Intent: intent.ID(), Status: 302})
	mustClose(t, l)

	found, err := audit.Find(dir, intent.ID())
	if err != nil || len(found) != 2 || found[0].Kind != "intent" || found[1].Status != 302 {
		t.Errorf("got %+v, error %v, want the intent and its outcome", found, err)
	}

	found, err = audit.Find(dir, "r_none")
	if found != nil || err != nil {
		t.Errorf("unknown ID: got %+v, error %v, want nothing", found, err)
	}
}

// TestFindRelated asks for each record of two exchanges of one task.
func TestFindRelated(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, journal.Config{Dir: dir, SegmentBytes: 4096, CheckpointEvery: time.Hour})
	task := l.Append(&audit.Record{Kind: "task", Task: "t_1"})
	lease := l.Append(&audit.Record{Kind: "lease", Task: "t_1", Lease: "l_1"})
	l.Append(&audit.Record{Kind: "lease", Task: "t_2", Lease: "l_2"})
	intent := l.Append(&audit.Record{Kind: "intent", Task: "t_1", Lease: "l_1"})
	l.Append(&audit.Record{Kind: "intent", Task: "t_1", Lease: "l_1"})
	outcome := l.Append(&audit.Record{Kind: "outcome", Task: "t_1", Lease: "l_1", Intent: intent.ID()})
	mustClose(t, l)

	r, err := audit.FindRelated(dir, intent.ID())
	if err != nil || r.Record.ID != intent.ID() || r.Intent != nil || r.Outcome == nil || r.Outcome.ID != outcome.ID() {
		t.Errorf("intent: got %+v, error %v, want its outcome", r, err)
	}
	if len(r.Task) != 1 || r.Task[0].ID != task.ID() || len(r.Lease) != 1 || r.Lease[0].ID != lease.ID() {
		t.Errorf("intent: got task records %+v and lease records %+v, want one of each", r.Task, r.Lease)
	}

	r, err = audit.FindRelated(dir, outcome.ID())
	if err != nil || r.Record.ID != outcome.ID() || r.Outcome != nil || r.Intent == nil || r.Intent.ID != intent.ID() {
		t.Errorf("outcome: got %+v, error %v, want its intent", r, err)
	}

	if _, err := audit.FindRelated(dir, "r_none"); !errors.Is(err, audit.ErrNoRecord) {
		t.Errorf("unknown ID: error %v, want ErrNoRecord", err)
	}
}

// TestFindRelatedTellsEventsInOrder asks for a request that was refused twice before it
// was sent, and whose server was killed.
func TestFindRelatedTellsEventsInOrder(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, journal.Config{Dir: dir, SegmentBytes: 4096, CheckpointEvery: time.Hour})
	add := func(id string, r audit.Record) {
		r.ID = id
		r.Agent = "a"
		l.Append(&r)
	}
	const task, lease = "t_1", "l_1"
	add("r_start0", audit.Record{Kind: "start"}) // before the task: not of interest
	add("r_task", audit.Record{Kind: "task", Task: task})
	add("r_busy", audit.Record{Kind: "refusal", Task: task, Method: "POST", Host: "h", Path: "/p", Code: "lease_unavailable"})
	add("r_other_path", audit.Record{Kind: "refusal", Task: task, Method: "POST", Host: "h", Path: "/q", Code: "lease_unavailable"})
	add("r_other_task", audit.Record{Kind: "refusal", Task: "t_2", Method: "POST", Host: "h", Path: "/p", Code: "lease_unavailable"})
	add("r_stop", audit.Record{Kind: "stop"})
	add("r_start1", audit.Record{Kind: "start"})
	add("r_lease", audit.Record{Kind: "lease", Task: task, Lease: lease})
	add("r_login", audit.Record{Kind: "login", Task: task, Lease: lease})
	add("r_login_failed", audit.Record{Kind: "outcome", Task: task, Lease: lease, Intent: "r_login", Code: "login_failed"})
	add("r_refused", audit.Record{Kind: "refusal", Task: task, Method: "POST", Host: "h", Path: "/p", Code: "login_failed"})
	add("r_intent", audit.Record{Kind: "intent", Task: task, Lease: lease, Method: "POST", Host: "h", Path: "/p"})
	add("r_other", audit.Record{Kind: "intent", Task: task, Lease: lease, Method: "POST", Host: "h", Path: "/p"})
	add("r_other_outcome", audit.Record{Kind: "outcome", Task: task, Lease: lease, Intent: "r_other"})
	add("r_alert", audit.Record{Kind: "alert", Task: task, Code: "borrowed_seen"})
	add("r_start2", audit.Record{Kind: "start"})
	add("r_start3", audit.Record{Kind: "start"})
	add("r_start4", audit.Record{Kind: "start"})
	mustClose(t, l)

	r, err := audit.FindRelated(dir, "r_intent")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for i := range r.Events {
		got = append(got, r.Events[i].ID)
		if i > 0 && r.Events[i].Seq <= r.Events[i-1].Seq {
			t.Errorf("event %d has number %d, after %d", i, r.Events[i].Seq, r.Events[i-1].Seq)
		}
	}
	want := "r_task r_busy r_stop r_start1 r_lease r_login r_login_failed r_refused r_intent r_alert r_start2 r_start3"
	if strings.Join(got, " ") != want {
		t.Errorf("events:\n%s\nwant:\n%s", strings.Join(got, " "), want)
	}
}
