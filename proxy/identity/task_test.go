package identity

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

var triage = Spec{
	Agent:   "spiffe://acme.example/agent/triage",
	Sponsor: "alice@acme.example",
	Purpose: "INC-1234",
	TTL:     "30m",
	Scope:   []ScopeEntry{{Adapter: "mediawiki", Actions: []string{"page.read"}, Resources: []string{"page/Sandbox*"}}},
}

func newTestRegistry(t *testing.T) *Registry {
	t.Helper()
	r := NewRegistry(Config{})
	t.Cleanup(r.Close)
	return r
}

func createTask(t *testing.T, r *Registry, s Spec) (*Task, Token) {
	t.Helper()
	task, token, err := r.Create(s, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return task, token
}

func TestI6EndingATaskCancelsItsContext(t *testing.T) {
	r := newTestRegistry(t)
	task, token := createTask(t, r, triage)

	if _, first := r.End(task.ID(), "revoked"); !first {
		t.Error("the first End did not report that it ended the task")
	}
	if _, first := r.End(task.ID(), "again"); first {
		t.Error("the second End reported that it ended the task")
	}

	if cause := context.Cause(task.Context()); !errors.Is(cause, ErrEnded) {
		t.Errorf("cause of the context is %v, want ErrEnded", cause)
	}
	if _, _, err := r.Authenticate(t.Context(), bearer(token)); !errors.Is(err, ErrEnded) {
		t.Errorf("Authenticate returned %v for an ended task, want ErrEnded", err)
	}
	if _, why, ok := task.Ended(); !ok || why != "revoked" {
		t.Errorf("Ended returned %v, %q; want true, revoked", ok, why)
	}
}

func TestI6ExpiryCancelsTheContextAndIsDelivered(t *testing.T) {
	r := newTestRegistry(t)
	short := triage
	short.TTL = "20ms"
	task, _ := createTask(t, r, short)

	if got := <-r.Expired(); got != task {
		t.Fatalf("Expired delivered %v, want %v", got.ID(), task.ID())
	}
	if err := task.Active(); !errors.Is(err, ErrExpired) || !errors.Is(err, ErrEnded) {
		t.Errorf("Active returned %v, want ErrExpired, which wraps ErrEnded", err)
	}
	if cause := context.Cause(task.Context()); !errors.Is(cause, ErrExpired) {
		t.Errorf("cause of the context is %v, want ErrExpired", cause)
	}
}

func TestRestoreBringsBackLivingAndEndedTasks(t *testing.T) {
	before := newTestRegistry(t)
	alive, token := createTask(t, before, triage)
	dead, _ := createTask(t, before, triage)
	before.End(dead.ID(), "done")

	after := newTestRegistry(t)
	for _, doc := range [][]byte{alive.Doc(), dead.Doc()} {
		if _, err := after.Restore(doc); err != nil {
			t.Fatal(err)
		}
	}

	got, _, err := after.Authenticate(t.Context(), basic(alive.ID(), token.Reveal()))
	if err != nil {
		t.Fatal(err)
	}
	if got.Principal() != alive.Principal() || !got.Expires().Equal(alive.Expires()) {
		t.Errorf("restored %+v until %v, want %+v until %v", got.Principal(), got.Expires(), alive.Principal(), alive.Expires())
	}
	if _, why, over := after.Find(dead.ID()).Ended(); !over || why != "done" {
		t.Errorf("the ended task came back with ended %v, %q; want true, done", over, why)
	}
}

func TestRestoreRefusesDamagedDocs(t *testing.T) {
	r := newTestRegistry(t)
	task, _ := createTask(t, r, triage)
	for _, doc := range []string{
		"",
		"{}",
		`{"id":"t_x","token_sha256":"00"}`,
		`{"id":"t_x","token_sha256":"` + strings.Repeat("00", 33) + `"}`,
		`{"id":"t_x","token_sha256":"` + strings.Repeat("zz", 32) + `"}`,
		string(task.Doc()[1:]),
	} {
		if _, err := r.Restore([]byte(doc)); err == nil {
			t.Errorf("Restore accepted %q", doc)
		}
	}
}

func TestI1StoredTasksHoldNoToken(t *testing.T) {
	task, token := createTask(t, newTestRegistry(t), triage)
	if strings.Contains(string(task.Doc()), token.Reveal()[len(tokenPrefix):]) {
		t.Error("the stored document contains the token")
	}
}

// TestRestoredEndedTasksShareTheirContexts restores tasks that had ended: each is over
// for the reason that is stored, and none has a context of its own.
func TestRestoredEndedTasksShareTheirContexts(t *testing.T) {
	r := NewRegistry(Config{})
	defer r.Close()
	restore := func(expires, ended string) *Task {
		t.Helper()
		task, err := r.Restore([]byte(`{"id":"t_` + expires + ended + `","created":"2026-01-01T00:00:00Z","expires":"` + expires + `","token_sha256":"` + noToken + `","ended":"` + ended + `"}`))
		if err != nil {
			t.Fatal(err)
		}
		return task
	}

	for _, c := range []struct {
		expires, ended string
		want           error
	}{
		{"2026-01-02T00:00:00Z", "2026-01-01T12:00:00Z", ErrEnded},
		{"2026-01-02T00:00:00Z", "2026-01-02T00:00:00Z", ErrExpired},
	} {
		one, other := restore(c.expires, c.ended), restore(c.expires, c.ended)
		cause := context.Cause(one.Context())
		if !errors.Is(cause, c.want) || !errors.Is(one.Active(), c.want) || one.Context().Err() == nil {
			t.Errorf("a task that ended at %s: its context has the cause %v, and Active returns %v, want %v", c.ended, cause, one.Active(), c.want)
		}
		if one.Context() != other.Context() {
			t.Errorf("two tasks that ended at %s have contexts of their own", c.ended)
		}
	}
}
