package e2e

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/byline-proxy/byline/cmd/byline/e2e/testenv"
	"github.com/byline-proxy/byline/proxy/audit"
)

const (
	killRounds = 50
	longTasks  = 3 // that live through all rounds
)

// crashEnv is an installation whose server is killed again and again, with an
// application and agents that live on.
type crashEnv struct {
	*testenv.Env
	app      *ledgerApp
	load     *load
	auditKey audit.PublicKey
	rng      *rand.Rand

	long      []*loadAgent // of the long tasks
	unended   []string     // short tasks whose end no server has confirmed
	tornTails int          // rounds that left bytes of an unfinished write
	known     knownRecords
}

// newSeededRand returns a generator whose seed is logged. BYLINE_SEED repeats
// the run with that seed.
func newSeededRand(t *testing.T) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("BYLINE_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("BYLINE_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 1))
}

// newCrashEnv returns an installation for a ledger application with those
// accounts. The server is not started.
func newCrashEnv(t *testing.T, config string, accounts ...string) *crashEnv {
	t.Helper()

	e := &crashEnv{
		Env: testenv.New(t, config),
		app: newLedgerApp(t, accounts...),
		rng: newSeededRand(t),
		known: knownRecords{
			intents: map[string]audit.Record{},
			begun:   map[string]int{},
			unended: map[string]string{},
		},
	}
	e.WriteFile("adapters.d/ledger.yaml", fmt.Sprintf(ledgerAdapter, e.app.URL))
	for _, a := range accounts {
		e.PutAccount("ledger", a, map[string]string{"username": a, "password": e.app.passwords[a]})
	}

	e.load = newLoad(e.Env)
	var err error
	if e.auditKey, err = audit.LoadPublicKey(filepath.Join(e.Dir, "data", "audit.key.pub")); err != nil {
		t.Fatal(err)
	}
	return e
}

// TestI3EveryArrivedRequestHasIntentAfterKills kills the server at random
// moments under load, sometimes while it starts, and sometimes cuts a record in
// half. Each time the log must verify and have an intent for every request that
// reached the application.
func TestI3EveryArrivedRequestHasIntentAfterKills(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: starts the server fifty times")
	}
	e := newCrashEnv(t, "audit: {segment_bytes: 300000, checkpoint_every: 200ms}\nlease: {wait: 5s, ttl: 30s, backoff_max: 1s}\n",
		"agent-01", "agent-02", "agent-03", "agent-04", "agent-05")

	for round := range killRounds {
		switch {
		case round%5 == 4:
			e.killDuringStart(t)
		case round%5 == 2:
			e.writeHalfRecord(t)
		}
		before := e.verifyStoppedLog(t)
		e.Start()
		e.checkRestart(t, before)
		for len(e.long) < longTasks {
			e.long = append(e.long, e.load.createTask())
		}
		e.killUnderLoad()
		if t.Failed() {
			t.Fatalf("failed in round %d", round)
		}
	}

	before := e.verifyStoppedLog(t)
	e.Start()
	e.checkRestart(t, before)
	e.checkAccountsAreFree(t)
	e.Stop()
	after := e.verifyStoppedLog(t)
	if !after.Closed || after.Unfinished != 0 {
		t.Errorf("the log after a clean stop is not closed, or has an unfinished record: %+v", after)
	}
	e.checkSessions(t)

	l := e.load
	t.Logf("%d requests arrived, %d answers were whole (%v), %d were not, refusals %v; %d tasks; %d records in %d segments, %d torn tails",
		len(e.app.allEntries()), len(l.records), l.protocols, l.broken, l.refusals, len(l.created), after.Records, after.Segments, e.tornTails)
	if len(l.records) < killRounds || l.broken == 0 || len(l.protocols) < 2 {
		t.Errorf("the load was too low to show anything: %d whole answers, %d broken, protocols %v; want at least %d, 1 and 2 protocols",
			len(l.records), l.broken, l.protocols, killRounds)
	}
}

// killUnderLoad kills the server at a random moment while all agents send
// requests.
func (e *crashEnv) killUnderLoad() {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()

	var agents sync.WaitGroup
	for _, a := range e.long {
		for range 2 {
			rng := e.forkRand()
			agents.Go(func() { a.sendUntilDone(ctx, rng) })
		}
	}
	rng := e.forkRand()
	agents.Go(func() { e.load.runShortTasks(ctx, rng, &e.unended) })

	time.Sleep(time.Duration(10_000+e.rng.IntN(200_000)) * time.Microsecond)
	e.Kill()
	stop()
	agents.Wait()
}

// forkRand returns a generator for another goroutine.
func (e *crashEnv) forkRand() *rand.Rand { return rand.New(rand.NewPCG(e.rng.Uint64(), 2)) }

// killDuringStart starts a server and kills it at a random moment while it
// recovers the log of the last one.
func (e *crashEnv) killDuringStart(t *testing.T) {
	t.Helper()
	c := e.Command("serve")
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Duration(e.rng.IntN(120_000)) * time.Microsecond)
	_ = c.Process.Kill()
	_ = c.Wait()
}

// writeHalfRecord appends to the log what a crash during a write leaves: the
// beginning of a record that no answer has named.
func (e *crashEnv) writeHalfRecord(t *testing.T) {
	t.Helper()
	segments, err := filepath.Glob(filepath.Join(e.Dir, "data", "audit", "seg-*"))
	if err != nil || len(segments) == 0 {
		t.Fatalf("list the segments of the log: %d, error %v", len(segments), err)
	}
	path := slices.Max(segments)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}

	end := bytes.LastIndexByte(text, '\n') + 1
	half := fmt.Sprintf(`{"v":1,"seq":%d,"prev":"%s`, e.known.read, strings.Repeat("0", 1+e.rng.IntN(60)))
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte(half), int64(end)); err != nil {
		t.Fatal(err)
	}
}

// checkRestart checks a server that has just started after a kill. The log has
// one record of the recovery, which says how many bytes were cut; all tasks are
// in the state that was confirmed; and the long tasks go on.
func (e *crashEnv) checkRestart(t *testing.T, before audit.Report) {
	t.Helper()

	recoveries := 0
	for r, err := range audit.Tail(context.Background(), filepath.Join(e.Dir, "data", "audit"), 500, false) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Seq < before.Records || r.Kind != audit.KindRecovery {
			continue
		}
		recoveries++
		if r.Cut != before.Unfinished {
			t.Errorf("the recovery record says that %d bytes were cut, want %d", r.Cut, before.Unfinished)
		}
	}
	if before.Records > 0 && recoveries != 1 {
		t.Errorf("%d recovery records after a kill, want 1", recoveries)
	}

	e.checkTaskStates(t)
	for _, a := range e.long {
		if status := e.sendAfterLogin(a); status != http.StatusOK {
			t.Errorf("a request of task %s after the restart: status %d, want 200; all refusals so far: %v", a.task, status, e.load.refusals)
		}
	}
}

// checkTaskStates checks that a task is ended if its end was confirmed, and
// active otherwise. Short tasks that were interrupted may be either.
func (e *crashEnv) checkTaskStates(t *testing.T) {
	t.Helper()
	states := e.load.taskStates(t)
	e.load.mu.Lock()
	defer e.load.mu.Unlock()
	for task := range e.load.created {
		want := "active"
		if e.load.ended[task] {
			want = "ended"
		}
		if states[task] != want && !slices.Contains(e.unended, task) {
			t.Errorf("task %s is %q after the restart, want %s", task, states[task], want)
		}
	}
}

// afterInterruptedLogin is longer than the pause before a login with an account whose
// last logins were interrupted, with the backoff_max of this test.
const afterInterruptedLogin = 30 * time.Second

// sendAfterLogin sends a request and returns the status of its answer. While no login is
// allowed it tries again: a login that a kill interrupted may have failed, so that the
// next one waits.
func (e *crashEnv) sendAfterLogin(a *loadAgent) (status int) {
	for end := time.Now().Add(afterInterruptedLogin); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		if status = a.sendRandom(e.rng); status != http.StatusBadGateway {
			break
		}
	}
	return status
}

// checkAccountsAreFree ends all tasks, then uses as many new ones as there are
// accounts. Each must get an account: a lease must not outlive a kill for long.
func (e *crashEnv) checkAccountsAreFree(t *testing.T) {
	t.Helper()

	for task, state := range e.load.taskStates(t) {
		if state == "active" && !e.load.endTask(task) {
			t.Errorf("task %s could not be ended", task)
		}
	}

	var agents []*loadAgent
	for range len(e.app.passwords) {
		a := e.load.createTask()
		if a == nil {
			t.Fatal("a task could not be created")
		}
		agents = append(agents, a)
		if status := e.sendAfterLogin(a); status != http.StatusOK {
			t.Errorf("task %d of %d got status %d, want 200 with a free account; all refusals so far: %v",
				len(agents), len(e.app.passwords), status, e.load.refusals)
		}
	}
	for _, a := range agents {
		a.client.CloseIdleConnections()
		e.load.endTask(a.task)
	}
}
