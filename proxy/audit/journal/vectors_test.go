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

// vectorLog has several segments, a change of keys, tasks that go on, a crash, a
// clock that went back, strings of every kind and a witnessed checkpoint.
func vectorLog(t *testing.T, dir string) {
	t.Helper()
	at := time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC)
	cfg := Config{Dir: dir, SegmentBytes: 4096, CheckpointEvery: time.Hour, now: func() time.Time { at = at.Add(1500 * time.Microsecond); return at }}
	write := func(l *Log, n int) {
		for i := range n {
			r := audittest.Intent(i)
			r.Task, r.Count = fmt.Sprintf("t_%d", i%2), int64(i)
			mustWait(t, l.Append(r))
			out := &audit.Record{Kind: "outcome", Task: r.Task, Intent: r.ID, Status: 200 + i, BytesDown: 1 << 40, DurationUS: -3, Detail: "a\"\\\n\x00\x7f\u0085\u2028\xff é世🙂"}
			mustWait(t, l.Append(out))
		}
	}
	l := audittest.Must(Open(cfg, audittest.Key, "test-1"))
	write(l, 3)
	mustWait(t, l.Append(&audit.Record{Kind: "task", Task: "t_1", Purpose: "INC-1", Scope: []string{"wiki:*"}, Privileged: true, Code: audit.CodeEnded}))
	write(l, 1)
	if err := l.ChangeKey(audittest.KeyFrom("b")); err != nil {
		t.Fatal(err)
	}
	at = at.Add(-time.Minute)
	write(l, 2)
	l.Close()
	os.RemoveAll(filepath.Join(dir, audit.TilesDir))
	path := audittest.Must(segment.List(dir))
	f := audittest.Must(os.OpenFile(path[len(path)-1].Path, os.O_APPEND|os.O_WRONLY, 0))
	f.WriteString(`{"v":1,"seq":` + strings.Repeat("\x00", 100))
	f.Close()
	l = audittest.Must(Open(cfg, audittest.KeyFrom("b"), "test-1"))
	write(l, 1)
	l.Close()
	files := audit.TilesOf(dir)
	signed, _, _ := files.Checkpoint()
	text, _, _ := audit.SplitNote(signed)
	os.WriteFile(filepath.Join(files.Dir, audit.WitnessedFile), []byte(signed+audittest.Cosign(audittest.WitnessKey, text)), 0o600)
}

var updateVectors = flag.Bool("update", false, "write the vectors of proxy/audit anew")

const vectorsDir = "../testdata/vectors"

// TestWriteVectors writes the vectors that the tests of proxy/audit check.
func TestWriteVectors(t *testing.T) {
	if !*updateVectors {
		t.Skip("writes vectors only with -update")
	}
	os.RemoveAll(vectorsDir)
	good := filepath.Join(vectorsDir, "good")
	os.MkdirAll(good, 0o755)
	vectorLog(t, good)
	os.Remove(filepath.Join(good, "lock"))
	first, second := audittest.VerifierKey(), audit.PublicKey{Name: audit.Origin("test-1"), Key: audittest.KeyFrom("b").Public().(ed25519.PublicKey)}.String()
	w := &vectorWriter{t: t, good: good, keys: []string{first, second}}
	w.lines = audittest.Lines(t, good)
	w.add(audittest.Vector{Name: "a whole log", Path: "good"})
	w.add(audittest.Vector{Name: "a witnessed log", Path: "good", Witnesses: []string{audittest.Witness().String()}, Quorum: 1})
	w.add(audittest.Vector{Name: "not witnessed by two", Path: "good", Witnesses: []string{audittest.Witness().String()}, Quorum: 2, Bad: true})
	w.add(audittest.Vector{Name: "under the second key", Path: "good", Keys: []string{second}, Bad: true})
	w.logs()
	w.proofs()
	b := audittest.Must(json.MarshalIndent(w.all, "", "  "))
	if err := os.WriteFile(filepath.Join(vectorsDir, "vectors.json"), append(b, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}

type vectorWriter struct {
	t     *testing.T
	good  string
	keys  []string
	lines [][]byte
	all   []audittest.Vector
}

func (w *vectorWriter) add(v audittest.Vector) {
	if v.Keys == nil {
		v.Keys = w.keys
	}
	w.all = append(w.all, v)
}

// log writes lines as another log of the same segments, with a tail.
func (w *vectorWriter) log(name string, lines [][]byte, tail string, seq int, kept string) {
	dir := filepath.Join(vectorsDir, strings.ReplaceAll(name, " ", "-"))
	from := audittest.WriteLines(w.t, w.good, lines)
	os.MkdirAll(dir, 0o755)
	segs := audittest.Must(segment.List(from))
	for i, s := range segs {
		b := audittest.Must(os.ReadFile(s.Path))
		if i == len(segs)-1 {
			b = append(b, tail...)
		}
		os.WriteFile(filepath.Join(dir, filepath.Base(s.Path)), b, 0o644)
	}
	v := audittest.Vector{Name: name, Path: filepath.Base(dir), Kept: kept}
	if seq >= 0 {
		n := uint64(seq)
		v.Bad, v.Seq = true, &n
	}
	w.add(v)
}

func (w *vectorWriter) logs() {
	n := len(w.lines)
	edit := func(k int, old, new string) [][]byte {
		lines := append([][]byte(nil), w.lines...)
		lines[k] = bytes.Replace(lines[k], []byte(old), []byte(new), 1)
		if bytes.Equal(lines[k], w.lines[k]) {
			w.t.Fatalf("line %d has no %q", k, old)
		}
		return lines
	}
	os.WriteFile(filepath.Join(vectorsDir, "kept.checkpoint"), []byte(audittest.LastCheckpoint(w.t, w.good)), 0o644)
	open := w.lines[:n-1]
	w.log("padding at the end", open, strings.Repeat("\x00", 300), -1, "")
	w.log("a torn group at the end", open, `{"v":1,`+"\x00\x00\n"+`"x`+"\x00", -1, "")
	w.log("bytes after a whole log", w.lines, "{}\n", n, "")
	w.log("the tail is cut", w.lines[:n-2], "", -1, "")
	w.log("the tail is cut before a kept checkpoint", w.lines[:n-2], "", n-2, "kept.checkpoint")
	w.log("white space", edit(1, `,"kind"`, `, "kind"`), "", 1, "")
	w.log("another escape", edit(1, `\u0000`, `\u0001`), "", 2, "")
	w.log("an upper case escape", edit(1, `\u007f`, `\u007F`), "", 1, "")
	w.log("a repeated member", edit(0, `"kind":"intent"`, `"kind":"intent","kind":"intent"`), "", 0, "")
	w.log("members out of order", edit(0, `,"method":"POST","host":"wiki.acme.example"`, `,"host":"wiki.acme.example","method":"POST"`), "", 0, "")
	w.log("an unknown member", edit(0, `,"method"`, `,"extra":1,"method"`), "", 0, "")
	w.log("an empty member", edit(0, `"method":"POST"`, `"method":""`), "", 0, "")
	w.log("a float", edit(1, `"status":200`, `"status":200.0`), "", 1, "")
	w.log("another version", edit(0, `"v":1`, `"v":2`), "", 0, "")
	w.log("a day that is none", edit(0, `2026-11-25`, `2026-02-30`), "", 0, "")
	w.log("another sponsor", edit(2, "alice@", "malice@"), "", 3, "")
	w.log("a record is missing", append(append([][]byte(nil), w.lines[:3]...), w.lines[4:]...), "", 3, "")
	w.log("a chain made to fit", audittest.Rechain(w.lines, 1, func(r *audit.Record) { r.Status = 500 }), "", w.next(1, audit.KindCheckpoint), "")
	w.log("task_seq made to fit", audittest.Rechain(w.lines, 2, func(r *audit.Record) { r.TaskSeq++ }), "", 2, "")
	k := w.next(0, audit.KindCounts)
	w.log("counts made to fit", audittest.Rechain(w.lines, k, func(r *audit.Record) { r.Tasks[0].Seq++ }), "", k, "")
	k = w.next(0, "key")
	w.log("another key is announced", edit(k, w.keys[1], audittest.Must(newSigner("byline/test-1", audittest.KeyFrom("m"))).public().String()), "", k, "")
	missing := filepath.Join(vectorsDir, "a-segment-is-missing")
	os.CopyFS(missing, os.DirFS(w.good))
	os.RemoveAll(filepath.Join(missing, audit.TilesDir))
	second := audittest.Must(segment.List(missing))[1]
	os.Remove(second.Path)
	w.add(audittest.Vector{Name: "a segment is missing", Path: "a-segment-is-missing", Bad: true, Seq: &second.First})
}

// next is the first line from k on of that kind, or, for "key", that announces one.
func (w *vectorWriter) next(k int, kind string) int {
	for ; ; k++ {
		if r := audittest.Must(audit.ParseRecord(w.lines[k])); r.Kind == kind || kind == "key" && r.Key != "" {
			return k
		}
	}
}

func (w *vectorWriter) proofs() {
	put := func(name string, text []byte, bad bool) {
		file := strings.ReplaceAll(name, " ", "-") + ".proof"
		os.WriteFile(filepath.Join(vectorsDir, file), text, 0o644)
		w.add(audittest.Vector{Name: name, Path: file, Bad: bad})
	}
	for _, k := range []int{0, 5, len(w.lines) - 2} {
		put(fmt.Sprintf("record %d", k), audittest.Must(audit.Prove(w.good, audittest.Must(audit.ParseRecord(w.lines[k])).ID, nil)).Format(), false)
	}
	b := audittest.Must(audit.Prove(w.good, audittest.Must(audit.ParseRecord(w.lines[5])).ID, nil))
	b.Index++
	put("record under another index", b.Format(), true)
	b.Index, b.Line = 5, bytes.Replace(b.Line, []byte(`"test-1"`), []byte(`"test-2"`), 1)
	put("record changed", b.Format(), true)
	b = audittest.Must(audit.Prove(w.good, audittest.Must(audit.ParseRecord(w.lines[5])).ID, nil))
	b.Proof = b.Proof[:len(b.Proof)-1]
	put("proof cut short", b.Format(), true)
	var sizes []uint64
	for k := w.next(0, audit.KindCheckpoint); k < len(w.lines)-1; k = w.next(k+1, audit.KindCheckpoint) {
		sizes = append(sizes, uint64(k))
	}
	for i, from := range sizes[:2] {
		c := audittest.Must(audit.ProveConsistency(w.good, from, sizes[len(sizes)-1], nil))
		put(fmt.Sprintf("consistency %d", i), c.Format(), false)
		c.Proof[0] = c.Proof[len(c.Proof)-1]
		put(fmt.Sprintf("consistency %d changed", i), c.Format(), true)
	}
}
