package journal

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/audit/internal/audittest"
	"github.com/byline-proxy/byline/proxy/audit/internal/segment"
)

var updateVectors = flag.Bool("update", false, "write new test vectors to proxy/audit/testdata")

const vectorsDir = "../testdata/vectors"

// TestUpdateVectors writes new vectors. TestVectors of package audit checks
// them.
func TestUpdateVectors(t *testing.T) {
	if !*updateVectors {
		t.Skip("vectors are written with -update")
	}

	os.RemoveAll(vectorsDir)
	good := filepath.Join(vectorsDir, "good")
	os.MkdirAll(good, 0o755)
	writeVectorLog(t, good)
	os.Remove(filepath.Join(good, "lock"))

	firstKey := audittest.VerifierKey()
	secondKey := verifierKey(audittest.KeyFrom("b"))
	w := &vectorWriter{
		t:     t,
		good:  good,
		keys:  []string{firstKey, secondKey},
		lines: audittest.Lines(t, good),
	}
	witness := []string{audittest.Witness().String()}
	w.add(audittest.Vector{Name: "valid log", Path: "good"})
	w.add(audittest.Vector{Name: "witnessed log", Path: "good", Witnesses: witness, Quorum: 1})
	w.add(audittest.Vector{Name: "too few witnesses", Path: "good", Witnesses: witness, Quorum: 2, Bad: true})
	w.add(audittest.Vector{Name: "second key given first", Path: "good", Keys: []string{secondKey}, Bad: true})
	w.writeLogs()
	w.writeProofs()

	list := audittest.Must(json.MarshalIndent(w.vectors, "", "  "))
	err := os.WriteFile(filepath.Join(vectorsDir, "vectors.json"), append(list, '\n'), 0o644)
	if err != nil {
		t.Fatal(err)
	}
}

// verifierKey returns the verifier key of the tests' origin that belongs to key.
func verifierKey(key ed25519.PrivateKey) string {
	return audit.PublicKey{
		Name: audit.Origin(audittest.Instance),
		Key:  key.Public().(ed25519.PublicKey),
	}.String()
}

// writeVectorLog writes a log with several segments, a change of keys, tasks
// that continue, a crash, a clock that went back, strings with every kind of
// character and a witnessed checkpoint.
func writeVectorLog(t *testing.T, dir string) {
	t.Helper()
	at := time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC)
	cfg := Config{Dir: dir, SegmentBytes: 4096, CheckpointEvery: time.Hour, now: func() time.Time {
		at = at.Add(1500 * time.Microsecond)
		return at
	}}
	writeExchanges := func(l *Log, n int) {
		for i := range n {
			intent := audittest.Intent(i)
			intent.Task = fmt.Sprintf("t_%d", i%2)
			intent.Count = int64(i)
			mustWait(t, l.Append(intent))
			mustWait(t, l.Append(&audit.Record{
				Kind: "outcome", Task: intent.Task, Intent: intent.ID,
				Status: 200 + i, BytesDown: 1 << 40, DurationUS: -3,
				Detail: "a\"\\\n\x00\x7f\u0085\u2028\xff é世🙂",
			}))
		}
	}

	l := audittest.Must(Open(cfg, audittest.Key, audittest.Instance))
	writeExchanges(l, 3)
	mustWait(t, l.Append(&audit.Record{
		Kind: "task", Task: "t_1", Purpose: "INC-1", Scope: []string{"wiki:*"}, Privileged: true, Code: audit.CodeEnded,
	}))
	writeExchanges(l, 1)
	if err := l.ChangeKey(audittest.KeyFrom("b")); err != nil {
		t.Fatal(err)
	}
	at = at.Add(-time.Minute)
	writeExchanges(l, 2)
	l.Close()

	// Make it look as if the writer had been killed.
	os.RemoveAll(filepath.Join(dir, audit.TilesDir))
	segments := audittest.Must(segment.List(dir))
	f := audittest.Must(os.OpenFile(segments[len(segments)-1].Path, os.O_APPEND|os.O_WRONLY, 0))
	f.WriteString(`{"v":1,"seq":` + strings.Repeat("\x00", 100))
	f.Close()

	l = audittest.Must(Open(cfg, audittest.KeyFrom("b"), audittest.Instance))
	writeExchanges(l, 1)
	l.Close()

	tiles := audit.TilesOf(dir)
	signed, _, _ := tiles.Checkpoint()
	text, _, _ := audit.SplitNote(signed)
	signed += audittest.Cosign(audittest.WitnessKey, text)
	os.WriteFile(filepath.Join(tiles.Dir, audit.WitnessedFile), []byte(signed), 0o600)
}

// vectorWriter writes changed copies of a good log, and proofs from it.
type vectorWriter struct {
	t       *testing.T
	good    string   // directory of the good log
	keys    []string // that signed it
	lines   [][]byte // of it
	vectors []audittest.Vector
}

func (w *vectorWriter) add(v audittest.Vector) {
	if v.Keys == nil {
		v.Keys = w.keys
	}
	w.vectors = append(w.vectors, v)
}

// logVector is a log that differs from the good one.
type logVector struct {
	name  string
	lines [][]byte
	tail  string // bytes after the lines
	bad   int    // number of the first bad record; -1: there is none
	kept  string // file of a kept checkpoint
}

// writeLog writes a log with the segments of the good one.
func (w *vectorWriter) writeLog(v logVector) {
	dir := filepath.Join(vectorsDir, strings.ReplaceAll(v.name, " ", "-"))
	os.MkdirAll(dir, 0o755)
	segments := audittest.Must(segment.List(audittest.WriteLines(w.t, w.good, v.lines)))
	for i, s := range segments {
		b := audittest.Must(os.ReadFile(s.Path))
		if i == len(segments)-1 {
			b = append(b, v.tail...)
		}
		os.WriteFile(filepath.Join(dir, filepath.Base(s.Path)), b, 0o644)
	}

	vector := audittest.Vector{Name: v.name, Path: filepath.Base(dir), Kept: v.kept}
	if v.bad >= 0 {
		seq := uint64(v.bad)
		vector.Bad = true
		vector.Seq = &seq
	}
	w.add(vector)
}

// replaceIn returns the good log's lines with the first old in line k replaced.
func (w *vectorWriter) replaceIn(k int, old, new string) [][]byte {
	lines := append([][]byte(nil), w.lines...)
	lines[k] = bytes.Replace(lines[k], []byte(old), []byte(new), 1)
	if bytes.Equal(lines[k], w.lines[k]) {
		w.t.Fatalf("line %d has no %q", k, old)
	}
	return lines
}

func (w *vectorWriter) writeLogs() {
	kept := audittest.LastCheckpoint(w.t, w.good)
	os.WriteFile(filepath.Join(vectorsDir, "kept.checkpoint"), []byte(kept), 0o644)

	n := len(w.lines)
	unclosed := w.lines[:n-1]
	cut := w.lines[:n-2]
	w.writeLog(logVector{"zero padding", unclosed, strings.Repeat("\x00", 300), -1, ""})
	w.writeLog(logVector{"torn tail", unclosed, `{"v":1,` + "\x00\x00\n" + `"x` + "\x00", -1, ""})
	w.writeLog(logVector{"bytes after close", w.lines, "{}\n", n, ""})
	w.writeLog(logVector{"tail cut", cut, "", -1, ""})
	w.writeLog(logVector{"tail cut before kept checkpoint", cut, "", n - 2, "kept.checkpoint"})

	replacements := []struct {
		name     string
		line     int
		old, new string
		bad      int
	}{
		{"white space", 1, `,"kind"`, `, "kind"`, 1},
		{"detail changed", 1, `\u0000`, `\u0001`, 2},
		{"uppercase escape", 1, `\u007f`, `\u007F`, 1},
		{"repeated member", 0, `"kind":"intent"`, `"kind":"intent","kind":"intent"`, 0},
		{"members out of order", 0, `,"method":"POST","host":"wiki.acme.example"`, `,"host":"wiki.acme.example","method":"POST"`, 0},
		{"unknown member", 0, `,"method"`, `,"extra":1,"method"`, 0},
		{"empty member", 0, `"method":"POST"`, `"method":""`, 0},
		{"float number", 1, `"status":200`, `"status":200.0`, 1},
		{"unknown version", 0, `"v":1`, `"v":2`, 0},
		{"impossible date", 0, `2026-11-25`, `2026-02-30`, 0},
		{"sponsor changed", 2, "alice@", "malice@", 3},
	}
	for _, r := range replacements {
		w.writeLog(logVector{r.name, w.replaceIn(r.line, r.old, r.new), "", r.bad, ""})
	}

	w.writeLog(logVector{"missing record", append(append([][]byte(nil), w.lines[:3]...), w.lines[4:]...), "", 3, ""})

	changed := audittest.Rechain(w.lines, 1, func(r *audit.Record) { r.Status = 500 })
	w.writeLog(logVector{"record changed and rechained", changed, "", w.findKind(1, audit.KindCheckpoint), ""})

	changed = audittest.Rechain(w.lines, 2, func(r *audit.Record) { r.TaskSeq++ })
	w.writeLog(logVector{"task_seq changed and rechained", changed, "", 2, ""})

	counts := w.findKind(0, audit.KindCounts)
	changed = audittest.Rechain(w.lines, counts, func(r *audit.Record) { r.Tasks[0].Seq++ })
	w.writeLog(logVector{"counts changed and rechained", changed, "", counts, ""})

	announcement := 0
	for audittest.Must(audit.ParseRecord(w.lines[announcement])).Key == "" {
		announcement++
	}
	changed = w.replaceIn(announcement, w.keys[1], verifierKey(audittest.KeyFrom("m")))
	w.writeLog(logVector{"announced key changed", changed, "", announcement, ""})

	w.writeLogWithoutSegment("missing-segment")
}

// writeLogWithoutSegment writes the good log without its second segment.
func (w *vectorWriter) writeLogWithoutSegment(name string) {
	dir := filepath.Join(vectorsDir, name)
	os.CopyFS(dir, os.DirFS(w.good))
	os.RemoveAll(filepath.Join(dir, audit.TilesDir))
	missing := audittest.Must(segment.List(dir))[1]
	os.Remove(missing.Path)
	w.add(audittest.Vector{Name: strings.ReplaceAll(name, "-", " "), Path: name, Bad: true, Seq: &missing.First})
}

// findKind returns the number of the first record of that kind, from k on.
func (w *vectorWriter) findKind(k int, kind string) int {
	for audittest.Must(audit.ParseRecord(w.lines[k])).Kind != kind {
		k++
	}
	return k
}

func (w *vectorWriter) writeProof(name string, text []byte, bad bool) {
	file := strings.ReplaceAll(name, " ", "-") + ".proof"
	os.WriteFile(filepath.Join(vectorsDir, file), text, 0o644)
	w.add(audittest.Vector{Name: name, Path: file, Bad: bad})
}

func (w *vectorWriter) writeProofs() {
	proveRecord := func(k int) *audit.InclusionProof {
		id := audittest.Must(audit.ParseRecord(w.lines[k])).ID
		return audittest.Must(audit.Prove(w.good, id, nil))
	}
	for _, k := range []int{0, 5, len(w.lines) - 2} {
		w.writeProof(fmt.Sprintf("record %d", k), proveRecord(k).Format(), false)
	}

	p := proveRecord(5)
	p.Index++
	w.writeProof("record wrong index", p.Format(), true)

	p = proveRecord(5)
	p.Line = bytes.Replace(p.Line, []byte(`"test-1"`), []byte(`"test-2"`), 1)
	w.writeProof("record changed", p.Format(), true)

	p = proveRecord(5)
	p.Proof = p.Proof[:len(p.Proof)-1]
	w.writeProof("proof truncated", p.Format(), true)

	var sizes []uint64
	for k := w.findKind(0, audit.KindCheckpoint); k < len(w.lines)-1; k = w.findKind(k+1, audit.KindCheckpoint) {
		sizes = append(sizes, uint64(k))
	}
	for i, from := range sizes[:2] {
		c := audittest.Must(audit.ProveConsistency(w.good, from, sizes[len(sizes)-1], nil))
		w.writeProof(fmt.Sprintf("consistency %d", i), c.Format(), false)
		c.Proof[0] = c.Proof[len(c.Proof)-1]
		w.writeProof(fmt.Sprintf("consistency %d changed", i), c.Format(), true)
	}
}
