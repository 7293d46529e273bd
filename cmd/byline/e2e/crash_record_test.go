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

// knownRecords is what crashEnv has read of the audit log.
type knownRecords struct {
	read    uint64                  // records that are in the maps below
	intents map[string]audit.Record // by path
	begun   map[string]int          // "account login" or "account logout" → records
	unended map[string]string       // ID of a login without an outcome → account
}

func (k *knownRecords) add(r audit.Record) {
	switch r.Kind {
	case "intent":
		k.intents[r.Path] = r
	case "login":
		k.unended[r.ID] = r.Account
		k.begun[r.Account+" login"]++
	case "logout":
		k.begun[r.Account+" logout"]++
	case "outcome":
		delete(k.unended, r.Intent)
	}
}

// verifyStoppedLog verifies the audit log while no server runs and compares its
// records with the application's entries and the agents' answers.
func (e *crashEnv) verifyStoppedLog(t *testing.T) audit.Report {
	t.Helper()

	dir := filepath.Join(e.Dir, "data", "audit")
	if _, err := os.Stat(dir); err != nil {
		return audit.Report{} // no server has run yet
	}
	report, err := audit.Verify(dir, e.auditKey, nil)
	if err != nil {
		t.Fatalf("verify the audit log: %v", err)
	}
	if report.Unfinished > 0 {
		e.tornTails++
	}

	for r, err := range audit.Tail(context.Background(), dir, int(report.Records-e.known.read), false) {
		if err != nil {
			t.Fatal(err)
		}
		e.known.add(r)
	}
	e.known.read = report.Records

	e.checkIntents(t)
	e.checkAccounts(t)
	return report
}

// checkIntents checks that the log has a record of everything that reached the
// application (I3), and the records that answers named.
func (e *crashEnv) checkIntents(t *testing.T) {
	t.Helper()
	unmatched := maps.Clone(e.known.begun)
	for _, entry := range e.app.allEntries() {
		if entry.Path == landingPath {
			continue // Byline's own question whether a session has ended
		}
		if taskInPath(entry.Path) == "" {
			key := entry.User + " " + strings.TrimPrefix(entry.Path, "/")
			unmatched[key]--
			if unmatched[key] < 0 {
				t.Errorf("I3: %v reached the application without a record", entry)
			}
			continue
		}

		r, ok := e.known.intents[entry.Path]
		switch {
		case !ok:
			t.Errorf("I3: %v reached the application without an intent", entry)
		case r.Account != entry.User || r.Method != entry.Method || r.Task != taskInPath(entry.Path) || r.Grant == "" || r.Sponsor == "":
			t.Errorf("I4: the intent of %v does not name account, method, task, grant and sponsor: %+v", entry, r)
		}
	}

	e.load.mu.Lock()
	defer e.load.mu.Unlock()
	for marker, id := range e.load.records {
		if r := e.known.intents[itemPath+marker]; r.ID != id {
			t.Errorf("the answer to %s named record %s, the log has %q", marker, id, r.ID)
		}
	}
}

// checkAccounts checks that no account returns to a task after another task has
// used it (I5).
func (e *crashEnv) checkAccounts(t *testing.T) {
	t.Helper()
	holder := map[string]string{} // account → task that used it last
	past := map[string]bool{}     // "account task" of earlier holders
	for _, entry := range e.app.allEntries() {
		task := taskInPath(entry.Path)
		if task == "" || task == holder[entry.User] {
			continue
		}
		if past[entry.User+" "+task] {
			t.Errorf("I5: account %s returned to task %s", entry.User, task)
		}
		past[entry.User+" "+holder[entry.User]] = true
		holder[entry.User] = task
	}
}

// taskInPath returns the task in the marker of the path of an item or a WebSocket, or
// the empty string for other paths.
func taskInPath(path string) string {
	marker, ok := strings.CutPrefix(path, itemPath)
	if !ok {
		marker, ok = strings.CutPrefix(path, socketPath)
	}
	if !ok {
		return ""
	}
	return marker[:strings.LastIndexByte(marker, '-')]
}

// checkSessions checks that every session that is live at the application is
// from a login that a kill interrupted, and that the log has that login without
// an outcome.
func (e *crashEnv) checkSessions(t *testing.T) {
	t.Helper()
	interrupted := map[string]int{} // by account
	for _, account := range e.known.unended {
		interrupted[account]++
	}
	for _, user := range e.app.loggedInUsers() {
		interrupted[user]--
		if interrupted[user] < 0 {
			t.Errorf("a session of %s is live at the application, and the log has no interrupted login for it", user)
		}
	}
}
