package e2e

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/byline-proxy/byline/proxy/audit"
)

// readDead verifies the log as the killed server left it, and holds it against
// what the application saw and the agents were told.
func (k *killed) readDead(t *testing.T) audit.Report {
	t.Helper()
	dir := filepath.Join(k.Dir, "data", "audit")
	if _, err := os.Stat(dir); err != nil {
		return audit.Report{} // not started yet
	}
	report, err := audit.Verify(dir, k.pub, nil)
	if err != nil {
		t.Fatalf("verify: %v", err)
	}
	if report.Unfinished > 0 {
		k.torn++
	}
	for r, err := range audit.Tail(context.Background(), dir, int(report.Records-k.read), false) {
		if err != nil {
			t.Fatal(err)
		}
		k.learn(r)
	}
	k.read = report.Records
	k.checkIntents(t)
	k.checkAccounts(t)
	return report
}

func (k *killed) learn(r audit.Record) {
	switch r.Kind {
	case "intent":
		k.intents[r.Path] = r
	case "login":
		k.unended[r.ID] = r.Account
		fallthrough
	case "logout":
		k.begun[r.Account+" "+r.Kind]++
	case "outcome":
		delete(k.unended, r.Intent)
	}
}

// checkIntents wants a record for everything that the application saw (I3) and
// for everything that an agent was told is on record.
func (k *killed) checkIntents(t *testing.T) {
	t.Helper()
	begun := maps.Clone(k.begun)
	for _, e := range k.app.seen() {
		if !strings.HasPrefix(e.Path, item) {
			what := e.User + " " + strings.TrimPrefix(e.Path, "/")
			if begun[what]--; begun[what] < 0 {
				t.Errorf("I3: the application saw %v, and the log does not know of it", e)
			}
			continue
		}
		r, ok := k.intents[e.Path]
		if !ok {
			t.Errorf("I3: the application saw %v, and the log has no intent", e)
		} else if r.Account != e.User || r.Method != e.Method || r.Task != taskOf(e.Path) || r.Grant == "" || r.Sponsor == "" {
			t.Errorf("I4: the application saw %v, its intent is %+v", e, r)
		}
	}
	k.load.mu.Lock()
	defer k.load.mu.Unlock()
	for marker, id := range k.load.records {
		if r := k.intents[item+marker]; r.ID != id {
			t.Errorf("the answer to %s names record %s, the log has %q", marker, id, r.ID)
		}
	}
}

// checkAccounts wants each account to go from one task to the next and never
// back (I5).
func (k *killed) checkAccounts(t *testing.T) {
	t.Helper()
	holder, over := map[string]string{}, map[string]bool{}
	for _, e := range k.app.seen() {
		task := taskOf(e.Path)
		if task == "" {
			continue
		}
		if was := holder[e.User]; was != task {
			if over[e.User+" "+task] {
				t.Errorf("I5: %s goes back to task %s", e.User, task)
			}
			over[e.User+" "+was], holder[e.User] = true, task
		}
	}
}

// taskOf is the task in an item's marker.
func taskOf(path string) string {
	marker, ok := strings.CutPrefix(path, item)
	if !ok {
		return ""
	}
	return marker[:strings.LastIndexByte(marker, '-')]
}

// checkSessions wants every session that is left at the application to be one
// whose login was cut off by a kill, and the record to say so.
func (k *killed) checkSessions(t *testing.T) {
	t.Helper()
	lost := map[string]int{}
	for _, account := range k.unended {
		lost[account]++
	}
	for _, user := range k.app.loggedIn() {
		if lost[user]--; lost[user] < 0 {
			t.Errorf("a session of %s is left at the application, and the record knows of no login that was cut off", user)
		}
	}
}
