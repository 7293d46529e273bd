package e2e

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/audit/journal"
)

// scaleHistory is what the ledger adapter needs for a comparison with the
// application's own log.
const scaleHistory = `log:
  entry: {time: when, user: who, id: n}
  kinds:
    - {when: {what: write}, actions: [item.write], resource: "item/${item}"}
`

// scaleLog is what a written log holds.
type scaleLog struct {
	first   string // ID of the first request
	entries string // file with the application's own log: each request of one task in fifty
}

// records writes a log of that many records and runs what reads all of it.
func (s *scaleTest) records(t *testing.T, index, n int) {
	e := newCrashEnv(t, "", "agent-01")
	e.WriteFile("adapters.d/ledger.yaml", fmt.Sprintf(ledgerAdapter, e.app.URL)+scaleHistory)
	watch := startWatch(0)
	log := writeScaleLog(t, e, n)
	s.note(index, "records: writing", n, watch.stop(), 0)
	t.Logf("%d records take %d MB of disk", n, bytesBelow(t, filepath.Join(e.Dir, "data", "audit"))>>20)

	s.start(t, e.Env, index, "records: restart", n)
	e.Stop()
	archive := filepath.Join(e.Dir, "archive")
	evidence := filepath.Join(e.Dir, "evidence")
	for _, c := range []struct {
		what string
		args []string
	}{
		{"records: `audit verify`", []string{"audit", "verify"}},
		{"records: `review`", []string{"review"}},
		{"records: `evidence`", []string{"evidence", "--out", evidence}},
		{"records: `audit show` of the first", []string{"audit", "show", log.first}},
		{"records: `audit prove` of the first", []string{"audit", "prove", log.first}},
		{"records: `audit tail` of all", []string{"audit", "tail", "--json", "-n", strconv.Itoa(n)}},
		{"records: `audit tail` of 1000", []string{"audit", "tail", "-n", "1000"}},
		{"records: `audit borrowed`", []string{"audit", "borrowed"}},
		{"records: `replay`", []string{"replay"}},
		{"records: `reconcile`", []string{"reconcile", "--adapter", "ledger", "--user", "agent-01=agent-01", "--export", log.entries}},
		{"records: `audit archive`", []string{"audit", "archive", "--to", archive, "--older-than", "0s"}},
		{"records: `audit verify` with the archive", []string{"audit", "verify", filepath.Join(e.Dir, "data", "audit"), archive}},
	} {
		s.row(c.what).streams = !strings.Contains(c.what, "reconcile") // which remembers writes
		s.run(t, e, index, c.what, n, c.args...)
		if size := bytesBelow(t, evidence); size > 0 {
			t.Logf("the evidence takes %d MB of disk", size>>20)
		}
		if err := os.RemoveAll(evidence); err != nil { // would be searched for secrets at the end, and fills the disk
			t.Error(err)
		}
	}
	for _, large := range []string{"archive", "data/audit", "entries.csv"} {
		if err := os.RemoveAll(filepath.Join(e.Dir, large)); err != nil {
			t.Error(err)
		}
	}
}

// writeScaleLog writes tasks of a hundred requests each. One task in fifty writes, the
// others read.
func writeScaleLog(t *testing.T, e *crashEnv, n int) (log scaleLog) {
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
	log.entries = filepath.Join(e.Dir, "entries.csv")
	f, err := os.Create(log.entries)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	entries := bufio.NewWriter(f)
	fmt.Fprintln(entries, "n,when,who,what,item")

	const perTask = 202 // begin, a hundred intents and outcomes, end
	digest := "sha256:" + strings.Repeat("ab", 32)
	for i := 0; i < n; {
		action, method := "item.read", "GET"
		if i/perTask%50 == 0 {
			action, method = "item.write", "POST"
		}
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
				line.Action, line.Resource, line.Method = action, fmt.Sprintf("item/%d", k), method
				line.Host, line.Path, line.Account, line.Lease = "ledger.acme.test:443", fmt.Sprintf("/item/%d", k), "agent-01", "l_7"
				line.Decision = audit.Decision{Effect: "permit", Policies: []string{"grant.0"}}
			}
			ticket = l.Append(&line)
			if log.first == "" && line.Kind == "intent" {
				log.first = ticket.ID()
			}
			if line.Kind == "intent" && method == "POST" {
				fmt.Fprintf(entries, "%d,%s,agent-01,write,%d\n", i, time.Now().UTC().Format(time.RFC3339Nano), k)
			}
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
	if err := entries.Flush(); err != nil {
		t.Fatal(err)
	}
	return log
}

// bytesBelow returns the size of the files below a folder, which need not exist.
func bytesBelow(t *testing.T, dir string) (total int64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			total += info.Size()
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	return total
}
