package e2e

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/byline-proxy/byline/cmd/byline/e2e/faultfs"
)

// newFaultEnv returns a crashEnv whose data folder is on a disk with faults. Only root
// may mount it, so the test is skipped for other users.
func newFaultEnv(t *testing.T, config string, accounts ...string) (*crashEnv, *faultfs.FS) {
	t.Helper()
	_ = t.TempDir() // registers the removal of temporary folders before the unmount, so that it runs after it
	var disk *faultfs.FS
	t.Cleanup(func() {
		if disk != nil {
			if err := disk.Unmount(); err != nil {
				t.Errorf("unmount: %v", err)
			}
		}
	})

	e := newCrashEnv(t, config, accounts...)
	var err error
	disk, err = faultfs.Mount(filepath.Join(e.Dir, "data"))
	if err != nil {
		t.Skipf("mount a disk with faults: %v; run as root", err)
	}
	return e, disk
}

// faultCell says what the server does while one store has one fault.
type faultCell struct {
	create  string // code of POST /v1/tasks; empty: 201
	end     string // code of DELETE /v1/tasks/ID; empty: 200
	ready   bool   // GET /readyz is 200
	request string // code of the refusal of a request; empty: 200
}

// The paths of the stores in the data folder.
var storePaths = map[string][]string{
	"state store":    {"state.db"},
	"log":            {"audit/"},
	"vault":          {"vault"},
	"the whole disk": nil,
}

// faultTable is what holds for each store and fault. A store that fails must not be
// taken for one that works, nor one that works for one that fails.
var faultTable = map[string]faultCell{
	"state store":    {create: "not_stored"},                                             // the end is on record, requests need no write
	"log":            {create: "not_recorded", request: "not_recorded"},                  // the state store has the end
	"vault":          {ready: true},                                                      // the server only reads it
	"the whole disk": {create: "not_stored", end: "not_stored", request: "not_recorded"}, // nothing has the end
}

// TestFaultTable sets each fault for each store under a running server. It checks what
// the control API, the probe and requests answer, that all of them work again after the
// fault, and what the next start finds after a power cut. No request may reach the
// application without an intent (I3), and no task whose end was confirmed may come
// back (I6).
func TestFaultTable(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: starts servers on a disk with faults")
	}
	for store, want := range faultTable {
		for _, fault := range []faultfs.Fault{faultfs.Fails, faultfs.FailsPersists, faultfs.Hangs, faultfs.ReadOnly} {
			t.Run(store+" "+string(fault), func(t *testing.T) {
				e, disk := newFaultEnv(t, "audit: {commit_timeout: 1s, checkpoint_every: 200ms}\n", "agent-01", "agent-02", "agent-03")
				e.checkFault(t, disk, store, fault, want)
			})
		}
	}
}

func (e *crashEnv) checkFault(t *testing.T, disk *faultfs.FS, store string, fault faultfs.Fault, want faultCell) {
	e.Start()
	running, ending := e.load.createTask(), e.load.createTask()
	for _, a := range []*loadAgent{running, ending} {
		if status := a.sendRandom(e.rng); status != http.StatusOK {
			t.Fatalf("a request before the fault: status %d, want 200; refusals %v", status, e.load.refusals)
		}
	}

	disk.Set(fault, storePaths[store]...)
	arrived := len(e.app.allEntries())
	got := faultCell{
		create:  e.codeOf(t, http.MethodPost, "/v1/tasks", taskOfFaults),
		request: running.refusalOf(t, e),
		end:     e.codeOf(t, http.MethodDelete, "/v1/tasks/"+ending.task, nil),
		ready:   e.codeOf(t, http.MethodGet, "/readyz", nil) == "",
	}
	if got != want {
		t.Errorf("while the %s %s: %+v, want %+v", store, fault, got, want)
	}
	if want.request != "" && len(e.app.allEntries()) > arrived {
		t.Errorf("I3: requests reached the application while the %s %s", store, fault)
	}
	if status := ending.sendRandom(e.rng); status == http.StatusOK {
		t.Error("I6: a task that was ended acts")
	}
	if got.end == "" {
		e.load.ended[ending.task] = true
	}
	if store == "vault" && fault != faultfs.Hangs {
		if r := e.Byline("vault", "rm", "ledger/agent-03"); r.Code != 1 {
			t.Errorf("vault rm on a vault that %s exits with %d, want 1", fault, r.Code)
		}
	}

	disk.Set(faultfs.None)
	e.checkRecovery(t, running, ending)
	e.Kill()
	if err := disk.CutPower(); err != nil {
		t.Fatal(err)
	}
	before := e.verifyStoppedLog(t)
	e.Start()
	e.long = []*loadAgent{running}
	e.checkRestart(t, before)
	e.Stop()
	if report := e.verifyStoppedLog(t); !report.Closed {
		t.Errorf("the log is not closed after a clean stop: %+v", report)
	}
}

// checkRecovery checks that everything works when the fault is gone.
func (e *crashEnv) checkRecovery(t *testing.T, running, ending *loadAgent) {
	t.Helper()
	e.WaitUntil("the server is ready", func() bool { return e.codeOf(t, http.MethodGet, "/readyz", nil) == "" })
	if status := running.sendRandom(e.rng); status != http.StatusOK {
		t.Errorf("a request after the fault: status %d, want 200; refusals %v", status, e.load.refusals)
	}
	e.WaitUntil("the end of the task is confirmed", func() bool { return e.load.endTask(ending.task) })
	if a := e.load.createTask(); a == nil {
		t.Error("no task can be created after the fault")
	}
}

// taskOfFaults is the body of a request that creates a task.
var taskOfFaults = map[string]any{
	"agent": "spiffe://acme.test/agent/clerk", "sponsor": "alice@acme.test", "purpose": "INC-9", "ttl": "1h",
	"scope": []map[string]any{{"adapter": "ledger", "actions": []string{"item.*"}}},
}

// codeOf returns the code of the problem with which the control API answers, or the
// empty string if it does what is asked. It fails the test if that takes too long, or
// if the status is not 503.
func (e *crashEnv) codeOf(t *testing.T, method, path string, body any) string {
	t.Helper()
	began := time.Now()
	status, text, err := e.load.callControlAPI(method, path, body)
	if err != nil {
		t.Errorf("%s %s: no answer after %v: %v", method, path, time.Since(began), err)
		return "no answer"
	}
	if status < 300 {
		return ""
	}
	if status != http.StatusServiceUnavailable {
		t.Errorf("%s %s: status %d, want 503: %s", method, path, status, text)
	}
	var problem struct{ Code string }
	_ = json.Unmarshal(text, &problem)
	return problem.Code
}

// refusalOf sends a request and returns the code of its refusal, or the empty string
// if it is carried.
func (a *loadAgent) refusalOf(t *testing.T, e *crashEnv) string {
	t.Helper()
	before := map[string]int{}
	for code, n := range a.refusals {
		before[code] = n
	}
	if a.sendRandom(e.rng) == http.StatusOK {
		return ""
	}
	for code, n := range a.refusals {
		if n > before[code] {
			return code
		}
	}
	return "no answer"
}

// TestI3RefusedIntentOfAHangingDiskHasAnOutcome lets the disk of the log hang under a
// request. The request is refused in time, and its intent, which becomes durable when
// the disk answers, has an outcome that says so.
func TestI3RefusedIntentOfAHangingDiskHasAnOutcome(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: starts a server on a disk with faults")
	}
	e, disk := newFaultEnv(t, "audit: {commit_timeout: 1s, checkpoint_every: 1h}\n", "agent-01")
	e.Start()
	a := e.load.createTask()
	if status := a.sendRandom(e.rng); status != http.StatusOK {
		t.Fatalf("a request before the fault: status %d, want 200", status)
	}
	time.Sleep(100 * time.Millisecond) // its outcome is durable
	arrived := len(e.app.allEntries())

	disk.Set(faultfs.Hangs, "audit/")
	if code := a.refusalOf(t, e); code != "not_recorded" {
		t.Errorf("a request while the disk hangs is answered with %q, want not_recorded", code)
	}
	disk.Set(faultfs.None)
	e.WaitUntil("the server is ready", func() bool { return e.codeOf(t, http.MethodGet, "/readyz", nil) == "" })
	e.Stop()

	report := e.verifyStoppedLog(t)
	if len(report.Open) > 0 {
		t.Errorf("the log has intents without an outcome: %+v", report.Open)
	}
	refused := 0
	for _, r := range e.Records() {
		if r.Kind == "outcome" && r.Intent != "" && r.Code == "not_recorded" {
			refused++
		}
	}
	if refused != 1 {
		t.Errorf("%d outcomes say that an intent was not recorded in time, want 1", refused)
	}
	for _, entry := range e.app.allEntries()[arrived:] {
		if taskInPath(entry.Path) != "" {
			t.Errorf("I3: %v reached the application although it was refused", entry)
		}
	}
}
