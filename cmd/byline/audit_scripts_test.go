package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/audit/journal"
)

// TestAuditScripts runs the audit commands on a log with one exchange that ended and one
// that did not.
func TestAuditScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:   "testdata/audit",
		Setup: func(env *testscript.Env) error { return writeLog(env.WorkDir) },
	})
}

// writeLog writes the folder log and its key, audit.key and audit.key.pub, in dir.
func writeLog(dir string) error {
	key, err := journal.NewKey()
	if err != nil {
		return err
	}
	if err := journal.WriteKey(filepath.Join(dir, "audit.key"), audit.Origin("eu-1"), key); err != nil {
		return err
	}
	l, err := journal.Open(journal.Config{Dir: filepath.Join(dir, "log"), CheckpointEvery: time.Hour}, key, "eu-1")
	if err != nil {
		return err
	}

	record := func(kind, id string) *audit.Record {
		return &audit.Record{Kind: kind, ID: id, Agent: "spiffe://acme.example/agent/triage", Sponsor: "alice@acme.example", Task: "t_1"}
	}
	l.Append(record("task", "r_task"))

	lease := record("lease", "r_lease")
	lease.Lease, lease.Account, lease.Detail = "l_1", "agent-01", "checked out"
	l.Append(lease)

	for _, id := range []string{"r_first", "r_second"} {
		intent := record("intent", id)
		intent.Adapter, intent.Action, intent.Resource = "mediawiki", "page.edit", "page/Sandbox"
		intent.Lease, intent.Account = "l_1", "agent-01"
		l.Append(intent)
	}

	outcome := record("outcome", "r_out")
	outcome.Intent, outcome.Status, outcome.Lease = "r_first", 302, "l_1"
	l.Append(outcome)
	return l.Close()
}

// TestI8ChangedByteEndsVerifyWith1 changes bytes all over the log, one at a time.
func TestI8ChangedByteEndsVerifyWith1(t *testing.T) {
	dir := t.TempDir()
	must(t, writeLog(dir))
	log, key := filepath.Join(dir, "log"), filepath.Join(dir, "audit.key.pub")
	if got := start([]string{"audit", "verify", "--key", key, log}); got != 0 {
		t.Fatalf("byline audit verify of an unchanged log exits with %d, want 0", got)
	}

	segments, err := filepath.Glob(filepath.Join(log, "seg-*.jsonl"))
	if err != nil || len(segments) != 1 {
		t.Fatalf("segments: %v %v, want one", segments, err)
	}
	st, err := os.Stat(segments[0])
	must(t, err)
	for at := 0; at < int(st.Size()); at += 211 {
		flipBit(t, segments[0], at)
		if got := start([]string{"audit", "verify", "--key", key, log}); got != 1 {
			t.Errorf("after a change of byte %d byline audit verify exits with %d, want 1", at, got)
		}
		flipBit(t, segments[0], at)
	}
}

// flipBit flips the lowest bit of one byte of a file.
func flipBit(t *testing.T, path string, at int) {
	t.Helper()
	b, err := os.ReadFile(path)
	must(t, err)
	b[at] ^= 1
	must(t, os.WriteFile(path, b, 0o600))
}
