package evidence

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/byline-proxy/byline/cmd/byline/reports"
	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/audit/journal"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// writeFolder writes a folder of evidence about a real log with a record of each kind. If
// change is not nil it changes the export before that.
func writeFolder(t *testing.T, change func(*Export)) (dir string, e *Export) {
	t.Helper()
	log, keyFile := writeLog(t)

	period := reports.Period{From: time.Now().UTC().Add(-time.Hour), To: time.Now().UTC().Add(time.Hour)}
	records := audit.ReadAll(context.Background(), log, period.To, nil)
	key, err := audit.LoadPublicKey(keyFile)
	must(t, err)
	keyText, err := os.ReadFile(keyFile)
	must(t, err)

	e = &Export{
		Instance: "test",
		Version:  "v1",
		Made:     time.Now(),
		Log:      audit.Folders{log},
		WholeLog: true,
		Proofs:   100,
		Keys:     map[string][]byte{"audit.key.pub": keyText},
		Adapters: []Adapter{{
			Name:     "wiki",
			Digest:   "sha256:bb",
			Hosts:    []string{"wiki.acme.example"},
			Reason:   "no service identity",
			Owner:    "secops@acme.example",
			ReviewBy: "2020-01-01",
			Overdue:  true,
		}},
	}
	e.Report, err = audit.Verify(log, key, nil)
	must(t, err)
	e.Figures, err = Count(records, period)
	must(t, err)
	e.Review, err = reports.MakeReview(records, period)
	must(t, err)
	e.Borrowed, err = reports.Borrowed(records, period, false)
	must(t, err)
	e.Figures.Borrowed = len(e.Borrowed)
	if change != nil {
		change(e)
	}

	dir = filepath.Join(t.TempDir(), "evidence")
	_, err = e.Write(dir, records)
	must(t, err)
	return dir, e
}

// writeLog writes a log of one task: a lease, an alert, three requests of which one has no
// outcome, a refusal. It returns the folder of the log and the file of its public key.
func writeLog(t *testing.T) (dir, publicKey string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "audit")
	keyFile := filepath.Join(t.TempDir(), "audit.key")
	key, err := journal.NewKey()
	must(t, err)
	must(t, journal.WriteKey(keyFile, audit.Origin("test"), key))
	l, err := journal.Open(journal.Config{Dir: dir}, key, "test")
	must(t, err)

	add := func(kind string, fill func(*audit.Record)) string {
		r := &audit.Record{Kind: kind, Agent: "agent/<triage>", Sponsor: "alice@acme.example", Task: "t1", Grant: "sha256:aa"}
		fill(r)
		ticket := l.Append(r)
		must(t, ticket.Wait(context.Background()))
		return ticket.ID()
	}
	stripped := []audit.Stripped{{In: "cookie", Name: "sid", Fingerprint: "hmac-sha256:0011223344556677", Person: "alice"}}

	add("task", func(r *audit.Record) {
		r.Purpose = "INC-1"
		r.Scope = []string{"wiki:page.read,page.edit"}
	})
	add("lease", func(r *audit.Record) {
		r.Adapter, r.Account, r.Lease, r.Detail = "wiki", "agent-01", "l1", "checked out"
	})
	add("alert", func(r *audit.Record) {
		r.Adapter, r.Stripped, r.Code = "wiki", stripped, "borrowed_seen"
	})
	for _, action := range []string{"page.read", "page.read", "account.manage"} {
		id := add("intent", func(r *audit.Record) {
			r.Adapter, r.Action, r.Resource = "wiki", action, "page/1"
			r.Method, r.Host, r.Path = "GET", "wiki.acme.example:443", "/page/1"
			r.Privileged = action == "account.manage"
			r.Decision = audit.Decision{Effect: "permit"}
			r.Account = "agent-01"
			r.Stripped = stripped
		})
		if action == "page.read" {
			add("outcome", func(r *audit.Record) { r.Intent, r.Status = id, 200 })
		}
	}
	add("refusal", func(r *audit.Record) {
		r.Adapter, r.Action, r.Code, r.Status = "wiki", "page.delete", "out_of_scope", 403
	})
	add("task", func(r *audit.Record) { r.Detail = "ended: done" })
	must(t, l.Close())
	return dir, keyFile + ".pub"
}

func readFile(t *testing.T, dir, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name))
	must(t, err)
	return text
}

func TestFiguresCountThePeriod(t *testing.T) {
	_, e := writeFolder(t, nil)
	f := e.Figures
	for name, c := range map[string]struct{ got, want int }{
		"requests":     {f.Requests, 3},
		"privileged":   {f.Privileged, 1},
		"refusals":     {f.Refusals, 1},
		"out_of_scope": {f.Refused["out_of_scope"], 1},
		"open":         {f.Open, 1},
		"tasks":        {f.Tasks, 1},
		"ended":        {f.Ended, 1},
		"leases":       {f.Leases, 1},
		"alerts":       {f.Alerts, 1},
		"borrowed":     {f.Borrowed, 1},
		"page.read":    {f.Actions["wiki:page.read"], 2},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %d, want %d", name, c.got, c.want)
		}
	}
	if f.Checkpoints < 1 || len(f.Days) == 0 {
		t.Errorf("%d checkpoints on %d days, want some", f.Checkpoints, len(f.Days))
	}
}

func TestEveryPracticeSaysWhatItDoesNotCover(t *testing.T) {
	_, e := writeFolder(t, nil)
	missing := map[string]bool{}
	const ids = "3.1.1 3.1.2 3.1.5 3.1.7 3.1.11 3.1.20 3.3.1 3.3.2 3.3.3 3.3.4 3.3.5 3.3.6 3.3.7 3.3.8 3.3.9 " +
		"3.5.1 3.5.2 3.5.3 3.5.4 GOVERN MAP MEASURE MANAGE"
	for _, id := range strings.Fields(ids) {
		missing[id] = true
	}

	for _, p := range Practices() {
		delete(missing, p.ID)
		figure, err := p.Figure(e.Figures)
		if err != nil {
			t.Errorf("%s: %v", p.ID, err)
		}
		if strings.Contains(figure, "no value") {
			t.Errorf("%s: the figure is %q", p.ID, figure)
		}
		if p.Title == "" || p.Does == "" || p.Coverage != Supports && p.Limits == "" {
			t.Errorf("%s lacks a title, what Byline does or what is not covered: %+v", p.ID, p)
		}
	}
	if len(missing) > 0 {
		t.Errorf("the map lacks the practices %v", missing)
	}
}

func TestABrokenLogSatisfiesNothing(t *testing.T) {
	dir, _ := writeFolder(t, func(e *Export) { e.Verified = "the log is broken: line 3" })
	if bytes.Contains(readFile(t, dir, "assessment-results.json"), []byte(`"state": "satisfied"`)) {
		t.Error("assessment-results.json calls a practice satisfied")
	}
	if !bytes.Contains(readFile(t, dir, "report.html"), []byte("The log did not verify")) {
		t.Error("report.html does not say that the log is broken")
	}
}

// TestTheFolderVerifiesByItself checks log and proofs with nothing but the folder.
func TestTheFolderVerifiesByItself(t *testing.T) {
	dir, e := writeFolder(t, nil)
	key, err := audit.LoadPublicKey(filepath.Join(dir, "keys", "audit.key.pub"))
	must(t, err)

	rep, err := audit.Verify(filepath.Join(dir, "log"), key, nil)
	if err != nil || rep.Records != e.Report.Records {
		t.Errorf("the copied log has %d records and error %v, want %d", rep.Records, err, e.Report.Records)
	}
	for line := range bytes.Lines(readFile(t, dir, "records.jsonl")) {
		if _, err := audit.ParseRecord(bytes.TrimSuffix(line, []byte("\n"))); err != nil {
			t.Errorf("records.jsonl: %v: %s", err, line)
		}
	}

	proofs, err := filepath.Glob(filepath.Join(dir, "proofs", "*.tlog-proof"))
	if err != nil || len(proofs) < 9 {
		t.Errorf("%d proofs and error %v, want at least 9", len(proofs), err)
	}
	for _, p := range proofs {
		text, err := os.ReadFile(p)
		must(t, err)
		proven, err := audit.VerifyProof(text, audit.Trust{Keys: []audit.PublicKey{key}})
		if err != nil || filepath.Base(p) != proven.Record.ID+".tlog-proof" {
			t.Errorf("%s: %v", p, err)
		}
	}
}

func TestTheFolderIsComplete(t *testing.T) {
	dir, e := writeFolder(t, nil)

	sums := readFile(t, dir, "SHA256SUMS")
	for _, name := range []string{"report.html", "log/seg-", "README.txt", "keys/audit.key.pub"} {
		if !bytes.Contains(sums, []byte(name)) {
			t.Errorf("SHA256SUMS lacks %s:\n%s", name, sums)
		}
	}
	var practices []map[string]any
	if err := json.Unmarshal(readFile(t, dir, "practices.json"), &practices); err != nil || len(practices) < 40 {
		t.Errorf("practices.json has %d practices and error %v, want at least 40", len(practices), err)
	}

	page := readFile(t, dir, "report.html")
	for _, s := range []string{"Past its review date", "<bdi>agent/&lt;triage&gt;</bdi>", "The log verified", "overflow-wrap:anywhere"} {
		if !bytes.Contains(page, []byte(s)) {
			t.Errorf("report.html lacks %q", s)
		}
	}
	for _, s := range []string{"http://", "https://", "<script", "src="} {
		if bytes.Contains(page, []byte(s)) {
			t.Errorf("report.html has %q, which may load something", s)
		}
	}

	if _, err := e.Write(dir, nil); err == nil {
		t.Error("a folder that is not empty was written to")
	}
	if keep := os.Getenv("EVIDENCE_KEEP"); keep != "" { // for people who want to look at it
		must(t, os.CopyFS(keep, os.DirFS(dir)))
	}
}

// TestAboveTheLimitOnlyRecordsOfNoteAreProved expects proofs of the task's beginning and end,
// the alert and the privileged request.
func TestAboveTheLimitOnlyRecordsOfNoteAreProved(t *testing.T) {
	dir, _ := writeFolder(t, func(e *Export) { e.Proofs = 3 })
	proofs, err := filepath.Glob(filepath.Join(dir, "proofs", "*.tlog-proof"))
	if err != nil || len(proofs) != 4 {
		t.Errorf("%d proofs and error %v, want 4: %v", len(proofs), err, proofs)
	}
}

// TestThePageSaysThatNothingIsSealed expects no praise for a log without a checkpoint.
func TestThePageSaysThatNothingIsSealed(t *testing.T) {
	dir, _ := writeFolder(t, func(e *Export) {
		e.Report.Last = nil
		e.Report.Unsealed = e.Report.Records
	})
	page := readFile(t, dir, "report.html")
	if !bytes.Contains(page, []byte("Nothing is sealed yet")) || bytes.Contains(page, []byte("The log verified")) {
		t.Error("report.html says that a log without a checkpoint verified, want that nothing is sealed yet")
	}
}

// TestThePageSaysIfNothingSealsWhereTheBeginningIs expects a warning for a record of moved
// segments that anyone could have added.
func TestThePageSaysIfNothingSealsWhereTheBeginningIs(t *testing.T) {
	for _, pending := range []bool{false, true} {
		dir, _ := writeFolder(t, func(e *Export) {
			e.Report.Start = 7
			e.Report.StartMoved = &audit.ArchivedSegment{Seq: 9, Code: audit.CodeMoved, Detail: "it is in /mnt", Pending: pending}
		})
		page := string(readFile(t, dir, "report.html"))
		warned := strings.Contains(page, `<div class="verdict bad"><b>The log starts at`) && strings.Contains(page, "No checkpoint covers that record yet")
		if warned != pending {
			t.Errorf("pending %v: warned %v", pending, warned)
		}
	}
}
