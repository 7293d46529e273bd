package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/byline-proxy/byline/cmd/byline/e2e/testenv"
	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/audit/journal"
	"github.com/byline-proxy/byline/proxy/identity"
	"github.com/byline-proxy/byline/proxy/state"
)

// scaleRow is one operation at two sizes, of which the second is four times the first.
type scaleRow struct {
	what   string
	sizes  [2]int
	took   [2]time.Duration
	cpu    [2]time.Duration // of the server or the command
	memory [2]int64         // bytes resident at most, or of the server afterwards
}

const (
	// scaleStep is the ratio of the two sizes.
	scaleStep = 4
	// maxScaleFactor is by how much an operation may take more processor time at the
	// larger size: at most linear, with room for the garbage collector.
	maxScaleFactor = 1.6 * scaleStep
	// scaleFloor is the processor time that operations may take at any size.
	scaleFloor = 500 * time.Millisecond
)

// scaleTest collects rows.
type scaleTest struct {
	t    *testing.T
	rows []*scaleRow
}

// note adds the figures of one size. index says which.
func (s *scaleTest) note(index int, what string, size int, used usage, memory int64) {
	var row *scaleRow
	for _, r := range s.rows {
		if r.what == what {
			row = r
		}
	}
	if row == nil {
		row = &scaleRow{what: what}
		s.rows = append(s.rows, row)
	}
	row.sizes[index], row.took[index], row.cpu[index], row.memory[index] = size, used.took, used.cpu, memory
}

// usage is what an operation took.
type usage struct{ took, cpu time.Duration }

// stopwatch measures an operation of a process.
type stopwatch struct {
	pid   int
	began time.Time
	cpu   time.Duration
}

// startWatch starts to measure a process that runs. 0 stands for this one.
func startWatch(pid int) stopwatch { return stopwatch{pid, time.Now(), cpuTime(pid)} }

func (w stopwatch) stop() usage { return usage{time.Since(w.began), cpuTime(w.pid) - w.cpu} }

// cpuTime returns the processor time that a process has used.
func cpuTime(pid int) time.Duration {
	name := "self"
	if pid != 0 {
		name = strconv.Itoa(pid)
	}
	text, _ := os.ReadFile("/proc/" + name + "/stat")
	_, after, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(after)
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.ParseInt(fields[11], 10, 64)
	system, _ := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * 10 * time.Millisecond // clock ticks of 1/100 s
}

// TestScale measures living tasks, ended tasks, adapters and records at two sizes, and
// fails if an operation grows faster than its input. BYLINE_SCALE is a percentage of the
// full sizes: 10,000 living and 100,000 ended tasks, 1,000 adapters, 5 million records.
// The table is put into BYLINE_SCALE_RESULTS, if that names a file.
func TestScale(t *testing.T) {
	percent, err := strconv.Atoi(os.Getenv("BYLINE_SCALE"))
	if err != nil {
		t.Skip("BYLINE_SCALE is a percentage of the full sizes, like 100; see make scale")
	}
	s := &scaleTest{t: t}
	for index, share := range []int{percent, percent * scaleStep} {
		part := func(full int) int { return max(1, full*share/100/scaleStep) }
		t.Run(fmt.Sprintf("%d%%", share/scaleStep), func(t *testing.T) {
			s.livingTasks(t, index, part(10_000))
			s.endedTasks(t, index, part(100_000))
			s.adapters(t, index, part(1_000))
			s.records(t, index, part(5_000_000))
		})
	}

	table := s.table()
	t.Log("\n" + table)
	if file := os.Getenv("BYLINE_SCALE_RESULTS"); file != "" {
		if err := replaceSection(file, "## Scale\n", table); err != nil {
			t.Error(err)
		}
	}
	for _, r := range s.rows {
		growth := float64(r.sizes[1]) / float64(r.sizes[0]) / scaleStep
		if r.cpu[1] > scaleFloor && float64(r.cpu[1]) > maxScaleFactor*growth*float64(max(r.cpu[0], scaleFloor/scaleStep)) {
			t.Errorf("%s: %d take %v of processor time, %d take %v, want at most linear", r.what, r.sizes[0], r.cpu[0], r.sizes[1], r.cpu[1])
		}
	}
}

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
	e.Stop()
}

// records writes a log of that many records and runs what reads all of it.
func (s *scaleTest) records(t *testing.T, index, n int) {
	e := newCrashEnv(t, "", "agent-01")
	watch := startWatch(0)
	writeScaleLog(t, e, n)
	s.note(index, "records: writing", n, watch.stop(), 0)

	s.start(t, e.Env, index, "records: restart", n)
	e.Stop()
	for _, c := range []struct {
		what string
		args []string
	}{
		{"records: verify", []string{"audit", "verify"}},
		{"records: review", []string{"review"}},
		{"records: evidence", []string{"evidence", "--out", filepath.Join(e.Dir, "evidence")}},
	} {
		used, memory := s.measure(t, e, c.args...)
		s.note(index, c.what, n, used, memory)
	}
	for _, large := range []string{"evidence", "data/audit"} { // would be searched for secrets at the end
		if err := os.RemoveAll(filepath.Join(e.Dir, large)); err != nil {
			t.Error(err)
		}
	}
}

// writeScaleLog writes tasks of a hundred requests each.
func writeScaleLog(t *testing.T, e *crashEnv, n int) {
	t.Helper()
	keyFile := filepath.Join(e.Dir, "data", "audit.key")
	key, err := journal.LoadKey(keyFile)
	if err != nil {
		t.Fatal(err)
	}
	l, err := journal.Open(journal.Config{Dir: filepath.Join(e.Dir, "data", "audit")}, key, "byline")
	if err != nil {
		t.Fatal(err)
	}

	const perTask = 202 // begin, a hundred intents and outcomes, end
	digest := "sha256:" + strings.Repeat("ab", 32)
	for i := 0; i < n; {
		r := audit.Record{Agent: "spiffe://acme.test/agent/clerk", Sponsor: "alice@acme.test", Task: fmt.Sprintf("t_%026d", i/perTask), Grant: digest}
		var ticket journal.Ticket
		for k := range perTask {
			line := r
			switch {
			case k == 0:
				line.Kind, line.Purpose, line.Scope = "task", "INC-9", []string{"ledger:item.*"}
			case k == perTask-1:
				line.Kind, line.Code, line.Detail = "task", audit.CodeEnded, "ended: done"
			case k%2 == 1:
				line.Kind = "intent"
			default:
				line.Kind, line.Intent, line.Status, line.DurationUS = "outcome", ticket.ID(), 200, 5000
			}
			if line.Kind != "task" {
				line.Adapter, line.AdapterDigest, line.PolicyDigest = "ledger", digest, digest
				line.Action, line.Resource, line.Method = "item.write", fmt.Sprintf("item/%d", k), "POST"
				line.Host, line.Path, line.Account, line.Lease = "ledger.acme.test:443", fmt.Sprintf("/item/%d", k), "agent-01", "l_7"
				line.Decision = audit.Decision{Effect: "permit", Policies: []string{"grant.0"}}
			}
			ticket = l.Append(&line)
			i++
		}
		if i%(20*perTask) == 0 || i >= n {
			if err := ticket.Wait(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// start starts the server and notes how long that takes.
func (s *scaleTest) start(t *testing.T, e *testenv.Env, index int, what string, n int) {
	t.Helper()
	began := time.Now()
	e.Start()
	pid := e.ServerPID()
	s.note(index, what, n, usage{time.Since(began), cpuTime(pid)}, residentBytes(t, pid))
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

// measure runs a command of byline and returns how long it took and the most memory that
// it had.
func (s *scaleTest) measure(t *testing.T, e *crashEnv, args ...string) (usage, int64) {
	t.Helper()
	c := exec.Command(testenv.Binary(t), append(args, "--config", e.Config)...)
	c.Dir = e.Dir
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	began := time.Now()
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}

	// The usage that the kernel reports at the end counts the memory of this process,
	// from which the command was forked.
	peak := make(chan int64, 1)
	ended := make(chan struct{})
	go func() {
		most := int64(0)
		for {
			select {
			case <-ended:
				peak <- most
				return
			case <-time.After(20 * time.Millisecond):
				most = max(most, peakBytes(c.Process.Pid))
			}
		}
	}()
	err := c.Wait()
	took := time.Since(began)
	close(ended)
	if err != nil {
		t.Fatalf("byline %v: %v: %s", args, err, out.String())
	}
	return usage{took, c.ProcessState.UserTime() + c.ProcessState.SystemTime()}, <-peak
}

// peakBytes returns the most memory that a process has had since it began its program,
// or 0 if it has ended.
func peakBytes(pid int) int64 {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, after, _ := strings.Cut(string(text), "VmHWM:")
	fields := strings.Fields(after)
	if len(fields) == 0 {
		return 0
	}
	kib, _ := strconv.ParseInt(fields[0], 10, 64)
	return kib << 10
}

func (e *crashEnv) residentBytes(t *testing.T) int64 { return residentBytes(t, e.ServerPID()) }

// residentBytes returns the memory of a process.
func residentBytes(t *testing.T, pid int) int64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.ParseInt(strings.Fields(string(text))[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

// table returns the section for bench/RESULTS.md.
func (s *scaleTest) table() string {
	var b strings.Builder
	b.WriteString("## Scale\n\nEach operation at two sizes (`make scale`): its time, its processor time, and the memory of the server or of the command. " +
		"Times include the start of a process where there is one. Processor time may not grow faster than the input.\n\n" +
		"| operation | size | time | CPU | memory | size | time | CPU | memory | CPU for each, in µs |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n")
	for _, r := range s.rows {
		fmt.Fprintf(&b, "| %s |", r.what)
		for i := range r.sizes {
			fmt.Fprintf(&b, " %d | %.2f s | %.2f s | %d MB |", r.sizes[i], r.took[i].Seconds(), r.cpu[i].Seconds(), r.memory[i]>>20)
		}
		fmt.Fprintf(&b, " %.1f → %.1f |\n", r.perItem(0), r.perItem(1))
	}
	b.WriteString("\n")
	return b.String()
}

func (r *scaleRow) perItem(index int) float64 {
	return float64(r.cpu[index].Microseconds()) / float64(r.sizes[index])
}

// replaceSection puts a section in the place of the one with that heading, or before
// the last section of the file.
func replaceSection(path, heading, section string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, found := strings.Cut(string(text), heading)
	if found {
		_, after, more := strings.Cut(rest, "\n## ")
		if more {
			section += "## " + after
		}
		return os.WriteFile(path, []byte(before+section), 0o644)
	}

	last := strings.LastIndex(before, "\n## ") + 1
	return os.WriteFile(path, []byte(before[:last]+section+before[last:]), 0o644)
}
