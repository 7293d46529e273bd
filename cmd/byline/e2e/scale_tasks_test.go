package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/byline-proxy/byline/proxy/identity"
	"github.com/byline-proxy/byline/proxy/state"
)

// livingTasks creates tasks over the control API and restarts the server with them.
func (s *scaleTest) livingTasks(t *testing.T, index, n int) {
	e := newCrashEnv(t, "", "agent-01")
	e.Start()
	watch := startWatch(e.ServerPID())
	var creators sync.WaitGroup
	next := make(chan struct{})
	for range 32 {
		creators.Go(func() {
			for range next {
				if e.load.createTask() == nil {
					t.Error("a task was not created")
				}
			}
		})
	}
	for range n {
		next <- struct{}{}
	}
	close(next)
	creators.Wait()
	s.note(index, "living tasks: creation", n, watch.stop(), e.residentBytes(t))

	s.list(t, e, index, "living tasks: listing", n)
	s.run(t, e, index, "living tasks: `task list`", n, "task", "list")
	e.Stop()
	s.start(t, e.Env, index, "living tasks: restart", n)
	e.Stop()
}

// endedTasks starts a server whose state store has that many ended tasks.
func (s *scaleTest) endedTasks(t *testing.T, index, n int) {
	e := newCrashEnv(t, "", "agent-01")
	store, err := state.OpenBolt(filepath.Join(e.Dir, "data", "state.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	var config identity.Config
	config.SetDefaults()
	registry := identity.NewRegistry(config)
	var writers sync.WaitGroup
	docs := make(chan state.Task)
	for range 500 {
		writers.Go(func() {
			for task := range docs {
				if err := store.PutTask(task); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range n {
		task, _, err := registry.Create(identity.Spec{Agent: "agent/clerk", Sponsor: "alice@acme.test", Purpose: "INC-9", TTL: "1h",
			Scope: []identity.ScopeEntry{{Adapter: "ledger", Actions: []string{"item.*"}}}}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		registry.End(task.ID(), "done")
		docs <- state.Task{ID: task.ID(), Doc: task.Doc(), Expires: task.Expires().Add(24 * time.Hour)}
		registry.Forget(task)
	}
	close(docs)
	writers.Wait()
	registry.Close()
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}

	s.start(t, e.Env, index, "ended tasks: restart", n)
	s.list(t, e, index, "ended tasks: listing", n)
	s.run(t, e, index, "ended tasks: `task list`", n, "task", "list")
	e.Stop()
}

// adapters starts and reloads a server with that many adapters.
func (s *scaleTest) adapters(t *testing.T, index, n int) {
	e := newCrashEnv(t, "", "agent-01")
	for i := range n {
		name := fmt.Sprintf("ledger%d", i)
		text := strings.ReplaceAll(fmt.Sprintf(ledgerAdapter, e.app.URL), "ledger.acme.test", name+".acme.test")
		e.WriteFile("adapters.d/"+name+".yaml", strings.Replace(text, "name: ledger\n", "name: "+name+"\n", 1))
	}
	s.start(t, e.Env, index, "adapters: start", n)

	watch := startWatch(e.ServerPID())
	e.Reload(func() {
		e.WriteFile("adapters.d/ledger.yaml", fmt.Sprintf(ledgerAdapter, e.app.URL)+"# changed\n")
	})
	s.note(index, "adapters: reload", n, watch.stop(), e.residentBytes(t))

	e.load.createTask()
	watch = startWatch(e.ServerPID())
	for range n { // a creation checks the scope against all adapters
		if e.load.createTask() == nil {
			t.Fatal("a task was not created")
		}
	}
	s.note(index, "adapters: creation of as many tasks", n, watch.stop(), e.residentBytes(t))
	s.run(t, e, index, "adapters: `adapter list`", n, "adapter", "list")
	e.Stop()
}

// list lists the tasks over the control API.
func (s *scaleTest) list(t *testing.T, e *crashEnv, index int, what string, n int) {
	t.Helper()
	watch := startWatch(e.ServerPID())
	status, text, err := e.load.callControlAPI(http.MethodGet, "/v1/tasks", nil)
	used := watch.stop()
	var tasks []struct{ ID string }
	if err != nil || status != http.StatusOK || json.Unmarshal(text, &tasks) != nil || len(tasks) != n {
		t.Fatalf("GET /v1/tasks: status %d, error %v, %d tasks, want %d", status, err, len(tasks), n)
	}
	s.note(index, what, n, used, e.residentBytes(t))
}
