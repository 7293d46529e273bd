package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/byline-proxy/byline/cmd/byline/e2e/faultfs"
)

// chaosRow counts the rounds of one kind.
type chaosRow struct {
	kind     string
	rounds   int
	passed   int // rounds after which everything was as it must be
	answers  int // whole answers to requests
	refusals int
	broken   int // requests without a whole answer
}

// TestChaos kills the server, cuts the power, stops the process and sets faults of the
// disk, one after the other under load, for the time in BYLINE_CHAOS. After each round
// the log must verify, have an intent for every request that arrived (I3), and every
// task must be in the state that was confirmed (I6). It prints a table.
func TestChaos(t *testing.T) {
	length, err := time.ParseDuration(os.Getenv("BYLINE_CHAOS"))
	if err != nil {
		t.Skip("BYLINE_CHAOS says for how long, like 5m; see make chaos")
	}
	e, disk := newFaultEnv(t, "audit: {segment_bytes: 300000, checkpoint_every: 200ms, commit_timeout: 1s}\nlease: {wait: 5s, ttl: 30s}\n",
		"agent-01", "agent-02", "agent-03", "agent-04", "agent-05")

	rows := []*chaosRow{{kind: "kill -9"}, {kind: "power cut"}, {kind: "SIGSTOP, SIGCONT"}}
	for _, fault := range []faultfs.Fault{faultfs.Fails, faultfs.FailsPersists, faultfs.Hangs, faultfs.ReadOnly} {
		rows = append(rows, &chaosRow{kind: "disk " + string(fault)})
	}
	e.Start()
	for range longTasks {
		e.long = append(e.long, e.load.createTask())
	}

	for end := time.Now().Add(length); time.Now().Before(end) && !t.Failed(); {
		row := rows[e.rng.IntN(len(rows))]
		row.rounds++
		before := e.load.counts()
		e.chaosRound(t, disk, row.kind)
		if !t.Failed() {
			row.passed++
		}
		after := e.load.counts()
		row.answers += after[0] - before[0]
		row.refusals += after[1] - before[1]
		row.broken += after[2] - before[2]
	}

	t.Logf("\n%s", chaosTable(rows)) // also if the last round failed
	for _, row := range rows {
		if row.rounds == 0 {
			t.Logf("there was no round of %q: run it for longer", row.kind)
		}
	}

	e.Stop()
	report := e.verifyStoppedLog(t)
	if !report.Closed {
		t.Errorf("the log is not closed after a clean stop: %+v", report)
	}
	t.Logf("%d requests arrived, each with an intent; %d tasks, %d confirmed ends; %d records in %d segments",
		len(e.app.allEntries()), len(e.load.created), len(e.load.ended), report.Records, report.Segments)
}

// counts returns the numbers of whole answers, refusals and broken requests.
func (l *load) counts() [3]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	refusals := 0
	for _, n := range l.refusals {
		refusals += n
	}
	return [3]int{len(l.records), refusals, l.broken}
}

// chaosMeaning says what was done to the server in each kind of round.
var chaosMeaning = map[string]string{
	"kill -9":                 "the process is killed and started again",
	"power cut":               "it is killed, and the disk loses what was not synced",
	"SIGSTOP, SIGCONT":        "it stands still for up to three seconds",
	"disk fails":              "each write fails (EIO)",
	"disk fails but persists": "each sync fails, after the disk has taken the data",
	"disk hangs":              "no write returns",
	"disk read-only":          "each write is refused (EROFS)",
}

// chaosTable returns the rounds for people.
func chaosTable(rows []*chaosRow) string {
	var b strings.Builder
	b.WriteString("PASSED: afterwards the record verified, every request that had reached the application was in it, and every task was in the state that had been confirmed.\n" +
		"REFUSED: requests that were answered with a code and not sent. BROKEN: requests whose connection ended without a whole answer.\n\n")
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ROUND\tROUNDS\tPASSED\tANSWERS\tREFUSED\tBROKEN\tWHAT HAPPENS")
	for _, r := range rows {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%s\n", r.kind, r.rounds, r.passed, r.answers, r.refusals, r.broken, chaosMeaning[r.kind])
	}
	_ = w.Flush()
	return b.String()
}

// chaosRound does one thing to a server under load and checks what is left.
func (e *crashEnv) chaosRound(t *testing.T, disk *faultfs.FS, kind string) {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	var agents sync.WaitGroup
	for _, a := range e.long {
		rng := e.forkRand()
		agents.Go(func() { a.sendUntilDone(ctx, rng) })
	}
	rng := e.forkRand()
	agents.Go(func() { e.load.runShortTasks(ctx, rng, &e.unended) })
	e.sleepUpTo(500 * time.Millisecond)

	fault, isDisk := strings.CutPrefix(kind, "disk ")
	switch {
	case isDisk:
		paths := [][]string{{"state.db"}, {"audit/"}, nil}[e.rng.IntN(3)]
		disk.Set(faultfs.Fault(fault), paths...)
		e.sleepUpTo(3 * time.Second)
		if e.rng.IntN(3) > 0 {
			disk.Set(faultfs.None)
			e.sleepUpTo(time.Second)
		}
	case strings.HasPrefix(kind, "SIGSTOP"):
		_ = syscall.Kill(e.ServerPID(), syscall.SIGSTOP)
		e.sleepUpTo(3 * time.Second)
		_ = syscall.Kill(e.ServerPID(), syscall.SIGCONT)
		e.sleepUpTo(time.Second)
	}
	if strings.HasPrefix(kind, "SIGSTOP") || isDisk && e.rng.IntN(2) == 0 { // the server lives on
		disk.Set(faultfs.None)
		stop()
		agents.Wait()
		e.checkLivesOn(t)
		return
	}

	// A process that waits for a disk that hangs cannot be killed before it answers.
	if fault == string(faultfs.Hangs) {
		disk.Set(faultfs.None)
	}
	e.Kill()
	stop()
	agents.Wait()
	disk.Set(faultfs.None)
	if kind == "power cut" || isDisk {
		if err := disk.CutPower(); err != nil {
			t.Fatal(err)
		}
	}
	before := e.verifyStoppedLog(t)
	e.Start()
	e.checkRestart(t, before)
}

func (e *crashEnv) sleepUpTo(d time.Duration) {
	time.Sleep(time.Duration(e.rng.Int64N(int64(d))))
}

// checkLivesOn checks a server that was not killed.
func (e *crashEnv) checkLivesOn(t *testing.T) {
	t.Helper()
	e.WaitUntil("the server is ready", func() bool {
		status, _, _ := e.load.callControlAPI(http.MethodGet, "/readyz", nil)
		return status == http.StatusOK
	})
	e.checkTaskStates(t)
	for _, a := range e.long {
		if status := a.sendRandom(e.rng); status != http.StatusOK {
			t.Errorf("a request of task %s after the round: status %d, want 200; all refusals so far: %v", a.task, status, e.load.refusals)
		}
	}
}
