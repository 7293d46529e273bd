package audit_test

import (
	"errors"
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
