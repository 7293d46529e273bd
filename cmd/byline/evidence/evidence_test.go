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

// writeFolder is a folder of evidence over a real log with one of everything.
func writeFolder(t *testing.T, change func(*Export)) (dir string, e *Export) {
	t.Helper()
	log := filepath.Join(t.TempDir(), "audit")
	key, err := journal.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	l, err := journal.Open(journal.Config{Dir: log}, key, "test")
	if err != nil {
		t.Fatal(err)
	}
	keyFile := filepath.Join(t.TempDir(), "audit.key")
	if err := journal.WriteKey(keyFile, audit.Origin("test"), key); err != nil {
		t.Fatal(err)
	}
	who := audit.Record{Agent: "agent/<triage>", Sponsor: "alice@acme.example", Task: "t1", Grant: "sha256:aa"}
	put := func(kind string, fill func(*audit.Record)) string {
		r := who
		r.Kind = kind
		fill(&r)
		ticket := l.Append(&r)
		if err := ticket.Wait(context.Background()); err != nil {
			t.Fatal(err)
		}
		return ticket.ID()
	}
	stripped := []audit.Stripped{{In: "cookie", Name: "sid", Fingerprint: "hmac-sha256:0011223344556677", Person: "alice"}}
	put("task", func(r *audit.Record) { r.Purpose, r.Scope = "INC-1", []string{"wiki:page.read,page.edit"} })
	put("lease", func(r *audit.Record) {
		r.Adapter, r.Account, r.Lease, r.Detail = "wiki", "agent-01", "l1", "checked out"
	})
	put("alert", func(r *audit.Record) { r.Adapter, r.Stripped, r.Code = "wiki", stripped, "borrowed_seen" })
	for _, action := range []string{"page.read", "page.read", "account.manage"} {
		id := put("intent", func(r *audit.Record) {
			r.Adapter, r.Action, r.Resource, r.Method, r.Host, r.Path, r.Stripped = "wiki", action, "page/1", "GET", "wiki.acme.example:443", "/page/1", stripped
			r.Privileged, r.Decision, r.Account = action == "account.manage", audit.Decision{Effect: "permit"}, "agent-01"
		})
		if action == "page.read" {
			put("outcome", func(r *audit.Record) { r.Intent, r.Status = id, 200 })
		}
	}
	put("refusal", func(r *audit.Record) {
		r.Adapter, r.Action, r.Code, r.Status = "wiki", "page.delete", "out_of_scope", 403
	})
	put("task", func(r *audit.Record) { r.Detail = "ended: done" })
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}

	period := reports.Period{From: time.Now().UTC().Add(-time.Hour), To: time.Now().UTC().Add(time.Hour)}
	records := audit.ReadAll(context.Background(), log, period.To, nil)
	pub, err := audit.LoadPublicKey(keyFile + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(keyFile + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	e = &Export{Instance: "test", Version: "v1", Made: time.Now(), Log: log, WholeLog: true, Proofs: 100, Keys: map[string][]byte{"audit.key.pub": text},
		Adapters: []Adapter{{Name: "wiki", Digest: "sha256:bb", Hosts: []string{"wiki.acme.example"}, Reason: "no service identity", Owner: "secops@acme.example", ReviewBy: "2020-01-01", Overdue: true}}}
	if e.Report, err = audit.Verify(log, pub, nil); err != nil {
		t.Fatal(err)
	}
	if e.Figures, err = Count(records, period); err != nil {
		t.Fatal(err)
	}
	if e.Review, err = reports.MakeReview(records, period); err != nil {
		t.Fatal(err)
	}
	if e.Borrowed, err = reports.Borrowed(records, period, false); err != nil {
		t.Fatal(err)
	}
	e.Figures.Borrowed = len(e.Borrowed)
	if change != nil {
		change(e)
	}
	dir = filepath.Join(t.TempDir(), "evidence")
	if _, err := e.Write(dir, records); err != nil {
		t.Fatal(err)
	}
	return dir, e
}

func TestFiguresCountThePeriod(t *testing.T) {
	_, e := writeFolder(t, nil)
	f := e.Figures
	if f.Requests != 3 || f.Privileged != 1 || f.Refusals != 1 || f.Refused["out_of_scope"] != 1 || f.Open != 1 || f.Tasks != 1 || f.Ended != 1 ||
		f.Leases != 1 || f.Alerts != 1 || f.Borrowed != 1 || f.Checkpoints < 1 || f.Actions["wiki:page.read"] != 2 || len(f.Days) == 0 {
		t.Errorf("%+v", f)
	}
}

func TestEveryPracticeSaysWhatItDoesNotCover(t *testing.T) {
	_, e := writeFolder(t, nil)
	want := map[string]bool{}
	for _, id := range strings.Fields("3.1.1 3.1.2 3.1.5 3.1.7 3.1.11 3.1.20 3.3.1 3.3.2 3.3.3 3.3.4 3.3.5 3.3.6 3.3.7 3.3.8 3.3.9 3.5.1 3.5.2 3.5.3 3.5.4 GOVERN MAP MEASURE MANAGE") {
		want[id] = true
	}
	for _, p := range Practices() {
		delete(want, p.ID)
		figure, err := p.Figure(e.Figures)
		if err != nil {
			t.Errorf("%s: %v", p.ID, err)
		}
		if strings.Contains(figure, "no value") || p.Title == "" || p.Does == "" || p.Coverage != Supports && p.Limits == "" {
			t.Errorf("%s: %q %+v", p.ID, figure, p)
		}
	}
	if len(want) > 0 {
		t.Errorf("practices that the map leaves out: %v", want)
	}
}

func TestABrokenLogSatisfiesNothing(t *testing.T) {
	dir, _ := writeFolder(t, func(e *Export) { e.Verified = "the log is broken: line 3" })
	text, _ := os.ReadFile(filepath.Join(dir, "assessment-results.json"))
	if bytes.Contains(text, []byte(`"state": "satisfied"`)) {
		t.Error("a practice is called satisfied")
	}
	page, _ := os.ReadFile(filepath.Join(dir, "report.html"))
	if !bytes.Contains(page, []byte("The log did not verify")) {
		t.Error("the report does not say that the log is broken")
	}
}

func TestTheFolderVerifiesByItself(t *testing.T) {
	dir, e := writeFolder(t, nil)
	key, err := audit.LoadPublicKey(filepath.Join(dir, "keys", "audit.key.pub"))
	if err != nil {
		t.Fatal(err)
	}
	if rep, err := audit.Verify(filepath.Join(dir, "log"), key, nil); err != nil || rep.Records != e.Report.Records {
		t.Errorf("%+v, %v", rep, err)
	}
	lines, err := os.ReadFile(filepath.Join(dir, "records.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(lines) {
		if _, err := audit.ParseRecord(bytes.TrimSuffix(line, []byte("\n"))); err != nil {
			t.Errorf("%v: %s", err, line)
		}
	}
	proofs, err := filepath.Glob(filepath.Join(dir, "proofs", "*.tlog-proof"))
	if err != nil || len(proofs) < 9 {
		t.Errorf("%d proofs, %v", len(proofs), err)
	}
	for _, p := range proofs {
		text, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		if proven, err := audit.VerifyProof(text, audit.Trust{Keys: []audit.PublicKey{key}}); err != nil || filepath.Base(p) != proven.Record.ID+".tlog-proof" {
			t.Errorf("%s: %v", p, err)
		}
	}
	sums, _ := os.ReadFile(filepath.Join(dir, "SHA256SUMS"))
	if !bytes.Contains(sums, []byte("report.html")) || !bytes.Contains(sums, []byte("log/seg-")) {
		t.Errorf("%s", sums)
	}
	var practices []map[string]any
	text, _ := os.ReadFile(filepath.Join(dir, "practices.json"))
	if json.Unmarshal(text, &practices) != nil || len(practices) < 40 {
		t.Errorf("%d practices", len(practices))
	}
	page, _ := os.ReadFile(filepath.Join(dir, "report.html"))
	for _, s := range []string{"Past its review date", "agent/&lt;triage&gt;", "The log verified"} {
		if !bytes.Contains(page, []byte(s)) {
			t.Errorf("the report lacks %q", s)
		}
	}
	for _, s := range []string{"http://", "https://", "<script", "src="} {
		if bytes.Contains(page, []byte(s)) {
			t.Errorf("the report reaches for %q", s)
		}
	}
	if _, err := e.Write(dir, nil); err == nil {
		t.Error("a folder that is not empty was written to")
	}
	if keep := os.Getenv("EVIDENCE_KEEP"); keep != "" {
		if err := os.CopyFS(keep, os.DirFS(dir)); err != nil {
			t.Error(err)
		}
	}
}

// TestTooManyRecordsProveThoseOfNote: a task and an alert, not each request.
func TestTooManyRecordsProveThoseOfNote(t *testing.T) {
	dir, _ := writeFolder(t, func(e *Export) { e.Proofs = 3 })
	proofs, _ := filepath.Glob(filepath.Join(dir, "proofs", "*.tlog-proof"))
	if len(proofs) != 4 { // the task's beginning and end, the alert, the privileged request
		t.Errorf("%d proofs: %v", len(proofs), proofs)
	}
}
