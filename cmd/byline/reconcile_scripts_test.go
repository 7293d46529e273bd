package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/audit/journal"
)

// TestReconcileScripts runs byline reconcile on the record of a task that saved five
// issues and deleted one, with logs of the application of the same minute.
func TestReconcileScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/reconcile",
		Setup: func(env *testscript.Env) error {
			now := time.Now()
			if err := writeTrackerRecord(env.WorkDir); err != nil {
				return err
			}
			return writeTrackerLogs(env.WorkDir, now)
		},
	})
}

// writeTrackerRecord writes the folder log.
func writeTrackerRecord(dir string) error {
	key, err := journal.NewKey()
	if err != nil {
		return err
	}
	l, err := journal.Open(journal.Config{Dir: filepath.Join(dir, "log"), CheckpointEvery: time.Hour}, key, "eu-1")
	if err != nil {
		return err
	}
	add := func(kind, id, action, resource, method string) {
		l.Append(&audit.Record{
			Kind: kind, ID: id, Agent: "triage", Sponsor: "alice@acme.example", Task: "t_1", Adapter: "tracker", Account: "agent-01",
			Lease: "l_1", Action: action, Resource: resource, Method: method,
		})
		l.Append(&audit.Record{Kind: "outcome", Intent: id, Adapter: "tracker", Account: "agent-01", Status: 302})
	}

	add("login", "r_login", "", "", "")
	for i := range 5 {
		add("intent", fmt.Sprint("r_save", i), "issue.save", fmt.Sprint("issue/", i), "POST")
	}
	add("intent", "r_drop", "issue.drop", "issue/1", "GET")
	add("logout", "r_logout", "", "", "")
	return l.Close()
}

// writeTrackerLogs writes what the application logged, and variants of it.
func writeTrackerLogs(dir string, now time.Time) error {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		return err
	}
	line := func(at time.Time, user, what string) string {
		return at.In(berlin).Format("Jan _2 15:04:05") + " web1 tracker: " + user + " " + what + "\n"
	}
	log := func(at time.Time, user string) string {
		text := line(at, user, "login")
		for i := range 5 {
			text += line(at, user, fmt.Sprint("issue.updated ", i)) + "    title changed\n    by a form\n" +
				line(at, user, fmt.Sprint("notification.sent ", i))
		}
		return text + line(at, "alice", "issue.updated 7") + line(at, user, "issue.deleted 1") + line(at, user, "search cats") +
			at.In(berlin).Format("Jan _2 15:04:05") + " web1 CRON[7]: started\n" + line(at, user, "logout")
	}

	good := log(now, `CORP\agent-01`)
	for name, text := range map[string]string{
		"good.log":      good,
		"planted.log":   good + line(now, `CORP\agent-01`, "issue.deleted 4"),
		"intruder.log":  good + line(now.Add(-20*time.Minute), "agent-01@corp.example", "login"),
		"renamed.log":   log(now, "Agent Smith"),
		"zone.log":      log(now.Add(-2*time.Hour), `CORP\agent-01`),
		"old.log":       log(now.Add(-72*time.Hour), `CORP\agent-01`),
		"empty.log":     "",
		"strange.log":   good + line(now, `CORP\agent-01`, "issue.exported 4"),
		"malformed.log": good + "who knows\n",
		"stranger.log":  good + line(now, "mallory", "issue.updated 4"),
		"first.log":     good[:strings.Index(good, "alice")-len("Jan _2 15:04:05 web1 tracker: ")],
		"second.log":    good[strings.Index(good, "alice")-len("Jan _2 15:04:05 web1 tracker: "):],
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}
