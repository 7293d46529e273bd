package proxy

import (
	"context"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/byline-proxy/byline/proxy/admin"
	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/state"
)

// faultyStore is a state store whose writes fail while a fault is set.
type faultyStore struct {
	state.Store
	fault atomic.Pointer[error]
}

func (f *faultyStore) set(err error) { f.fault.Store(&err) }

func (f *faultyStore) err() error {
	if p := f.fault.Load(); p != nil {
		return *p
	}
	return nil
}

func (f *faultyStore) PutTask(t state.Task) error {
	if err := f.err(); err != nil {
		return err
	}
	return f.Store.PutTask(t)
}

func (f *faultyStore) DropTask(ids ...string) error {
	if err := f.err(); err != nil {
		return err
	}
	return f.Store.DropTask(ids...)
}

func (f *faultyStore) Quarantine(adapter, account, why string) error {
	if err := f.err(); err != nil {
		return err
	}
	return f.Store.Quarantine(adapter, account, why)
}

// startWithFaultyStore starts a server of the legacy application whose state store
// can be made to fail.
func startWithFaultyStore(t *testing.T, dir string) (*testServer, *faultyStore) {
	t.Helper()
	app := newLegacyApp(t)
	store := &faultyStore{}
	s := startServer(t, dir, loadLegacyRules(t, app), func(opt *Options) {
		store.Store = opt.State
		opt.State = store
	})
	return s, store
}

// askControl sends a request to the control API and returns status and body.
func (s *testServer) askControl(t *testing.T, method, path, body string) (status int, text string) {
	t.Helper()
	token, err := admin.MakeToken(s.dir + "/control.token")
	if err != nil {
		t.Fatal(err)
	}
	h := s.Control(admin.Config{Token: token})
	req := httptest.NewRequest(method, "http://localhost"+path, strings.NewReader(body))
	req.Header.Set("Authorization", "Bearer "+token.Reveal())
	req.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	b, err := io.ReadAll(w.Result().Body)
	if err != nil {
		t.Fatal(err)
	}
	return w.Code, string(b)
}

// TestI6EndedTaskStaysEndedOverRestarts ends a task whose end reaches the record and
// not the state store, and restarts the server.
func TestI6EndedTaskStaysEndedOverRestarts(t *testing.T) {
	dir := t.TempDir()
	s, store := startWithFaultyStore(t, dir)
	_, task := s.newAgent(t, pagesSpec)
	store.set(syscall.ENOSPC)
	if _, err := s.EndTask(task.ID(), "done"); err != nil {
		t.Errorf("EndTask returned %v although the end is on record", err)
	}
	s.shutDown(t)

	s, _ = startWithFaultyStore(t, dir)
	if restored := s.task(task.ID()); restored == nil || restored.Active() == nil {
		t.Errorf("I6: after the restart the task is %+v, want an ended one", restored)
	}
	if n := countEnds(t, dir, task.ID()); n != 1 {
		t.Errorf("the record has %d ends of the task, want 1", n)
	}
}

// TestI6OldCopyOfStateRevivesNothing restores copies of state.db that were made
// before the task was created, while it was active with a lease, and after its end.
func TestI6OldCopyOfStateRevivesNothing(t *testing.T) {
	app, dir := newLegacyApp(t), t.TempDir()
	copies := map[string][]byte{}
	keep := func(name string) {
		b, err := os.ReadFile(dir + "/state.db")
		if err != nil {
			t.Fatal(err)
		}
		copies[name] = b
	}
	start := func() *testServer { return startLegacyServer(t, app, dir) }

	s := start()
	s.shutDown(t)
	keep("before its creation")
	s = start()
	agent, ended := s.newAgent(t, pagesSpec)
	living, _, err := s.CreateTask(t.Context(), pagesSpec)
	if err != nil {
		t.Fatal(err)
	}
	if status, body, _ := sendAsAlice(t, agent, "GET", "/page/1", ""); status != http.StatusOK {
		t.Fatalf("GET /page/1: status %d, want 200: %s", status, body)
	}
	firstFence := s.leases.Leases()[0].Fence()
	s.shutDown(t)
	keep("with its lease")
	s = start()
	if _, err := s.EndTask(ended.ID(), "done"); err != nil {
		t.Fatal(err)
	}
	s.shutDown(t)
	keep("after its end")

	for _, name := range slices.Sorted(maps.Keys(copies)) {
		t.Run(name, func(t *testing.T) {
			writeFile(t, dir+"/state.db", copies[name])
			s := start()
			if restored := s.task(ended.ID()); restored != nil && restored.Active() == nil {
				t.Error("I6: the task that was ended is active again")
			}
			if leases := waitForNoLease(s); len(leases) > 0 {
				t.Errorf("the server still has %d leases of tasks that are over", len(leases))
			}
			if n := app.countSessions(); n != 1 {
				t.Errorf("%d sessions are live at the application, want only Alice's", n)
			}

			agent, task := s.newAgent(t, pagesSpec)
			if status, body, _ := sendAsAlice(t, agent, "GET", "/page/1", ""); status != http.StatusOK {
				t.Fatalf("a new task: status %d, want 200: %s", status, body)
			}
			if fence := s.leases.Leases()[0].Fence(); fence <= firstFence {
				t.Errorf("the new lease has fence %d, and one on record has %d", fence, firstFence)
			}
			if _, err := s.EndTask(task.ID(), "done"); err != nil {
				t.Error(err)
			}
			s.shutDown(t)
		})
	}

	if n := countEnds(t, dir, living.ID()); n != 1 {
		t.Errorf("the record has %d ends of the task that the state store forgot, want 1", n)
	}
	if n := countEnds(t, dir, ended.ID()); n != 1 {
		t.Errorf("the record has %d ends of the task that was ended, want 1", n)
	}
}

// waitForNoLease waits until the server has released every lease, at most some
// seconds, and returns those that it has.
func waitForNoLease(s *testServer) []string {
	var ids []string
	for range 200 {
		ids = ids[:0]
		for _, l := range s.leases.Leases() {
			ids = append(ids, l.ID())
		}
		if len(ids) == 0 {
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return ids
}

// countEnds counts the records that end the task.
func countEnds(t *testing.T, dir, task string) (n int) {
	t.Helper()
	for r, err := range audit.Tail(context.Background(), dir+"/audit", 10000, false) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Kind == "task" && r.Code == audit.CodeEnded && r.Task == task {
			n++
		}
	}
	return n
}

// TestUnwritableStateIsUnavailable makes the state store fail: the control API and the
// probe say so, and both work again when it does.
func TestUnwritableStateIsUnavailable(t *testing.T) {
	s, store := startWithFaultyStore(t, t.TempDir())
	spec := `{"agent":"a","sponsor":"alice@acme.example","purpose":"p","scope":[{"adapter":"legacy","actions":["page.*"]}]}`
	if status, body := s.askControl(t, "POST", "/v1/tasks", spec); status != http.StatusCreated {
		t.Fatalf("while the store works, POST /v1/tasks: %d, want 201: %s", status, body)
	}

	store.set(syscall.EROFS)
	status, body := s.askControl(t, "POST", "/v1/tasks", spec)
	if status != http.StatusServiceUnavailable || !strings.Contains(body, `"code":"not_stored"`) {
		t.Errorf("while the store fails, POST /v1/tasks: %d %s, want 503 not_stored", status, body)
	}
	if status, body := s.askControl(t, "GET", "/readyz", ""); status != http.StatusServiceUnavailable || !strings.Contains(body, "read-only") {
		t.Errorf("while the store fails, GET /readyz: %d %s, want 503 with the cause", status, body)
	}

	store.set(nil)
	for range 100 {
		if status, _ = s.askControl(t, "GET", "/readyz", ""); status == http.StatusOK {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if status != http.StatusOK {
		t.Errorf("when the store works again, GET /readyz: %d, want 200", status)
	}
	if status, body := s.askControl(t, "POST", "/v1/tasks", spec); status != http.StatusCreated {
		t.Errorf("when the store works again, POST /v1/tasks: %d, want 201: %s", status, body)
	}
}
