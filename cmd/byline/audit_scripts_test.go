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

// TestAuditScripts runs the audit commands over a log that this package's
// audit room wrote: one exchange that ended, one that did not.
func TestAuditScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata/audit", Setup: func(env *testscript.Env) error {
		return writeLog(env.WorkDir)
	}})
}

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
	of := func(kind, id string) *audit.Record {
		return &audit.Record{Kind: kind, ID: id, Agent: "spiffe://acme.example/agent/triage", Sponsor: "alice@acme.example", Task: "t_1"}
	}
	lease := of("lease", "r_lease")
	lease.Lease, lease.Account, lease.Detail = "l_1", "agent-01", "checked out"
	l.Append(of("task", "r_task"))
	l.Append(lease)
	for _, id := range []string{"r_first", "r_second"} {
		in := of("intent", id)
		in.Adapter, in.Action, in.Resource, in.Lease, in.Account = "mediawiki", "page.edit", "page/Sandbox", "l_1", "agent-01"
		l.Append(in)
	}
	out := of("outcome", "r_out")
	out.Intent, out.Status, out.Lease = "r_first", 302, "l_1"
	l.Append(out)
	return l.Close()
}

// flipByte changes one byte of a file in place.
func flipByte(path string, at int) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	b[at] ^= 1
	return os.WriteFile(path, b, 0o600)
}

func TestI8ChangedByteEndsVerifyWith1(t *testing.T) {
	dir := t.TempDir()
	if err := writeLog(dir); err != nil {
		t.Fatal(err)
	}
	log, key := filepath.Join(dir, "log"), filepath.Join(dir, "audit.key.pub")
	if got := start([]string{"audit", "verify", "--key", key, log}); got != 0 {
		t.Fatalf("a whole log: exit %d", got)
	}
	segments, err := filepath.Glob(filepath.Join(log, "seg-*.jsonl"))
	if err != nil || len(segments) != 1 {
		t.Fatal(segments, err)
	}
	st, err := os.Stat(segments[0])
	if err != nil {
		t.Fatal(err)
	}
	for at := 0; at < int(st.Size()); at += 211 {
		if err := flipByte(segments[0], at); err != nil {
			t.Fatal(err)
		}
		if got := start([]string{"audit", "verify", "--key", key, log}); got != 1 {
			t.Errorf("byte %d changed: exit %d", at, got)
		}
		if err := flipByte(segments[0], at); err != nil {
			t.Fatal(err)
		}
	}
}
