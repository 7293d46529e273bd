package e2e

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
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
	longTasks  = 3
)

// killed is a house that is killed again and again, with the application and
// the agents that do not notice.
type killed struct {
	*testenv.Env
	app  *ledger
	load *load
	pub  audit.PublicKey
	rand *rand.Rand

	long []*agent
	left []string // short tasks that a killed server left behind
	torn int      // rounds that left bytes of an unfinished group

	read    uint64                  // records of the log that are in the next three
	intents map[string]audit.Record // by path
	begun   map[string]int          // account and kind → logins and logouts
	unended map[string]string       // login → account, while it has no outcome
}

// seeded is random, but can be repeated: BYLINE_SEED names the seed that a
// failed run printed.
func seeded(t *testing.T) *rand.Rand {
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

// openLedger is a house that serves a ledger and has an account for each name.
func openLedger(t *testing.T, more string, accounts ...string) *killed {
	t.Helper()
	k := &killed{Env: testenv.New(t, more), app: newLedger(t, accounts...), rand: seeded(t),
		intents: map[string]audit.Record{}, begun: map[string]int{}, unended: map[string]string{}}
	k.WriteFile("adapters.d/ledger.yaml", fmt.Sprintf(ledgerAdapter, k.app.URL))
	for _, a := range accounts {
		k.PutAccount("ledger", a, map[string]string{"username": a, "password": k.app.passwords[a]})
	}
	k.load = newLoad(t, k.Env)
	var err error
	if k.pub, err = audit.LoadPublicKey(filepath.Join(k.Dir, "data", "audit.key.pub")); err != nil {
		t.Fatal(err)
	}
	return k
}

// TestI3EveryRequestThatArrivedHasItsIntentWhateverWasKilledAndWhen kills the
// server at random moments under load and reads, each time, what it left.
func TestI3EveryRequestThatArrivedHasItsIntentWhateverWasKilledAndWhen(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: fifty starts of the server")
	}
	k := openLedger(t, "audit: {segment_bytes: 300000, checkpoint_every: 200ms}\nlease: {wait: 5s, ttl: 30s}\n",
		"agent-01", "agent-02", "agent-03", "agent-04", "agent-05")
	for round := range killRounds {
		switch {
		case round%5 == 4:
			k.killStarting(t)
		case round%5 == 2:
			k.tear(t)
		}
		before := k.readDead(t)
		k.Start()
		k.checkRestart(t, before)
		for len(k.long) < longTasks {
			k.long = append(k.long, k.load.create())
		}
		k.killUnderLoad()
		if t.Failed() {
			t.Fatalf("in round %d", round)
		}
	}
	before := k.readDead(t)
	k.Start()
	k.checkRestart(t, before)
	k.checkAccountsAreFree(t)
	k.Stop()
	after := k.readDead(t)
	if !after.Closed || after.Unfinished != 0 {
		t.Errorf("a server that was stopped leaves %+v", after)
	}
	k.checkSessions(t)
	l := k.load
	t.Logf("%d requests arrived, %d answers came whole (%v), %d broke off, refusals %v; %d tasks; %d records in %d segments, %d torn tails",
		len(k.app.seen()), len(l.records), l.protocols, l.broken, l.refused, len(l.made), after.Records, after.Segments, k.torn)
	if len(l.records) < killRounds || l.broken == 0 || len(l.protocols) < 2 {
		t.Error("there was no load to speak of")
	}
}

// killUnderLoad kills the server at a random moment of its work.
func (k *killed) killUnderLoad() {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	var working sync.WaitGroup
	for _, a := range k.long {
		for range 2 {
			r := k.fork()
			working.Go(func() { a.work(ctx, r) })
		}
	}
	r := k.fork()
	working.Go(func() { k.load.churn(ctx, r, &k.left) })
	time.Sleep(time.Duration(10_000+k.rand.IntN(200_000)) * time.Microsecond)
	k.Kill()
	stop()
	working.Wait()
}

func (k *killed) fork() *rand.Rand { return rand.New(rand.NewPCG(k.rand.Uint64(), 2)) }

// killStarting kills a server while it starts, when it opens what the last one
// left.
func (k *killed) killStarting(t *testing.T) {
	t.Helper()
	c := k.Command("serve")
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Duration(k.rand.IntN(120_000)) * time.Microsecond)
	_ = c.Process.Kill()
	_ = c.Wait()
}

// tear leaves what a crash leaves in the middle of a write: the beginning of a
// record that nobody was told of.
func (k *killed) tear(t *testing.T) {
	t.Helper()
	segments, err := filepath.Glob(filepath.Join(k.Dir, "data", "audit", "seg-*"))
	if err != nil || len(segments) == 0 {
		t.Fatalf("no segment: %v", err)
	}
	path := slices.Max(segments)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	end := bytes.LastIndexByte(text, '\n') + 1
	half := fmt.Sprintf(`{"v":1,"seq":%d,"prev":"%s`, k.read, strings.Repeat("0", 1+k.rand.IntN(60)))
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte(half), int64(end)); err != nil {
		t.Fatal(err)
	}
}

// checkRestart looks at a server that has just come up after a kill: a record
// says so, and how much of the tail was cut, and what was made is still there.
func (k *killed) checkRestart(t *testing.T, before audit.Report) {
	t.Helper()
	recoveries := 0
	for r, err := range audit.Tail(context.Background(), filepath.Join(k.Dir, "data", "audit"), 500, false) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Seq >= before.Records && r.Kind == audit.KindRecovery {
			recoveries++
			if r.Cut != before.Unfinished {
				t.Errorf("the recovery says %d bytes were cut, the kill left %d", r.Cut, before.Unfinished)
			}
		}
	}
	if before.Records > 0 && recoveries != 1 {
		t.Errorf("%d records of a recovery after a kill", recoveries)
	}
	states := k.load.states(t)
	k.load.mu.Lock()
	for task := range k.load.made {
		if want := map[bool]string{false: "active", true: "ended"}[k.load.ended[task]]; states[task] != want && !slices.Contains(k.left, task) {
			t.Errorf("task %s is %q after the restart, want %s", task, states[task], want)
		}
	}
	k.load.mu.Unlock()
	for _, a := range k.long {
		if status := a.send(k.rand); status != 200 {
			t.Errorf("task %s: %d after the restart; refusals so far: %v", a.task, status, k.load.refused)
		}
	}
}

// checkAccountsAreFree ends every task and wants an account for as many new
// ones as there are accounts: no kill holds a lease for ever.
func (k *killed) checkAccountsAreFree(t *testing.T) {
	t.Helper()
	for task, state := range k.load.states(t) {
		if state == "active" && !k.load.end(task) {
			t.Errorf("task %s cannot be ended", task)
		}
	}
	var fresh []*agent
	for range len(k.app.passwords) {
		a := k.load.create()
		if a == nil {
			t.Fatal("no task can be made")
		}
		fresh = append(fresh, a)
		if status := a.send(k.rand); status != 200 {
			t.Errorf("no account for task %d of %d: %d %v", len(fresh), len(k.app.passwords), status, k.load.refused)
		}
	}
	for _, a := range fresh {
		a.client.CloseIdleConnections()
		k.load.end(a.task)
	}
}
