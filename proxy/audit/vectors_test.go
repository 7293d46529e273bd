package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var updateVectors = flag.Bool("update", false, "write testdata/vectors anew")

const vectorsDir = "testdata/vectors"

// vector is a log or a proof and what a verifier must say of it. Anybody's
// verifier may be held against them.
type vector struct {
	Name      string   `json:"name"`
	Path      string   `json:"path"` // a log's folder, or a proof
	Keys      []string `json:"keys"`
	Kept      string   `json:"kept,omitempty"`
	Witnesses []string `json:"witnesses,omitempty"`
	Quorum    int      `json:"quorum,omitempty"`
	Bad       bool     `json:"bad,omitempty"`
	Seq       *uint64  `json:"seq,omitempty"` // of the first bad record, where one is named
}

// TestVectors holds both verifiers, ours and docs/verify.py, to the vectors.
func TestVectors(t *testing.T) {
	if *updateVectors {
		writeVectors(t)
	}
	var all []vector
	if err := json.Unmarshal(must(os.ReadFile(filepath.Join(vectorsDir, "vectors.json"))), &all); err != nil {
		t.Fatal(err)
	}
	if len(all) < 25 {
		t.Fatalf("%d vectors", len(all))
	}
	for i, v := range all {
		if testing.Short() && i%8 > 0 {
			continue
		}
		t.Run(v.Name, func(t *testing.T) {
			seq, err := ours(v)
			if (err != nil) != v.Bad || v.Seq != nil && seq != *v.Seq {
				t.Errorf("Go: %v, first bad record %d", err, seq)
			}
			said, ok := pythons(t, v)
			if ok == v.Bad || v.Seq != nil && !strings.Contains(said, fmt.Sprintf("first bad record is seq %d:", *v.Seq)) {
				t.Errorf("Python: %s", said)
			}
		})
	}
}

func ours(v vector) (seq uint64, err error) {
	path := filepath.Join(vectorsDir, v.Path)
	trust := Trust{Quorum: v.Quorum}
	for _, k := range v.Keys {
		trust.Keys = append(trust.Keys, must(ParsePublicKey(k)))
	}
	for _, w := range v.Witnesses {
		trust.Witnesses = append(trust.Witnesses, must(ParseWitnessKey(w)))
	}
	if st := must(os.Stat(path)); !st.IsDir() {
		_, err := VerifyBundle(must(os.ReadFile(path)), trust)
		return 0, err
	}
	o := VerifyOptions{Witnesses: trust.Witnesses, Quorum: v.Quorum}
	if v.Kept != "" {
		o.Kept = []string{string(must(os.ReadFile(filepath.Join(vectorsDir, v.Kept))))}
	}
	rep, err := VerifyWith(path, trust.Keys[0], o)
	if rep.Bad != nil {
		seq = rep.Bad.Seq
	}
	return seq, err
}

func pythons(t *testing.T, v vector) (said string, ok bool) {
	t.Helper()
	args := []string{filepath.Join("..", "..", "docs", "verify.py"), "--quorum", fmt.Sprint(v.Quorum)}
	for _, k := range v.Keys {
		args = append(args, "--key", k)
	}
	for _, w := range v.Witnesses {
		args = append(args, "--witness", w)
	}
	if v.Kept != "" {
		args = append(args, "--kept", filepath.Join(vectorsDir, v.Kept))
	}
	path := v.Path
	if !filepath.IsAbs(path) {
		path = filepath.Join(vectorsDir, path)
	}
	out, err := exec.Command("python3", append(args, path)...).CombinedOutput()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 1 || !bytes.HasPrefix(out, []byte("BAD:"))) {
		t.Fatalf("verify.py %v: %v: %s", args, err, out)
	}
	return string(out), err == nil
}

// TestPythonVerifierReadsAFreshLog has the independent verifier read what the
// log writes today, whole and with a byte changed anywhere.
func TestPythonVerifierReadsAFreshLog(t *testing.T) {
	dir, lines := sealedLog(t)
	key := logKey()
	if said, ok := pythons(t, vector{Path: dir, Keys: []string{key}}); !ok || !strings.Contains(said, fmt.Sprintf("%d records", len(lines))) {
		t.Fatal(said)
	}
	rounds := 12
	if testing.Short() {
		rounds = 2
	}
	for range rounds {
		i := rand.IntN(len(lines))
		changed := append([][]byte(nil), lines...)
		changed[i] = bytes.Clone(lines[i])
		changed[i][rand.IntN(len(lines[i]))] ^= byte(1 << rand.IntN(7))
		bad := relay(t, dir, changed)
		rep, _ := Verify(bad, testPub, nil)
		said, ok := pythons(t, vector{Path: bad, Keys: []string{key}})
		if ok || rep.Bad == nil || !strings.Contains(said, fmt.Sprintf("first bad record is seq %d:", rep.Bad.Seq)) {
			t.Errorf("line %d changed: Go says %+v, Python %s", i, rep.Bad, said)
		}
	}
}

func TestPythonVerifierIsShort(t *testing.T) {
	text := must(os.ReadFile(filepath.Join("..", "..", "docs", "verify.py")))
	if n := bytes.Count(text, []byte("\n")); n > 300 {
		t.Errorf("%d lines; at most 300 can be read in one sitting", n)
	}
}

// vectorLog has several segments, a change of keys, tasks that go on, a crash, a
// clock that went back, strings of every kind and a witnessed checkpoint.
func vectorLog(t *testing.T, dir string) {
	t.Helper()
	at := time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC)
	cfg := Config{Dir: dir, SegmentBytes: 4096, CheckpointEvery: time.Hour, now: func() time.Time { at = at.Add(1500 * time.Microsecond); return at }}
	write := func(l *Log, n int) {
		for i := range n {
			r := intent(i)
			r.Task, r.Count = fmt.Sprintf("t_%d", i%2), int64(i)
			mustWait(t, l.Append(r))
			out := &Record{Kind: "outcome", Task: r.Task, Intent: r.ID, Status: 200 + i, BytesDown: 1 << 40, DurationUS: -3, Detail: "a\"\\\n\x00\x7f\u0085\u2028\xff é世🙂"}
			mustWait(t, l.Append(out))
		}
	}
	l := must(Open(cfg, testKey, "test-1"))
	write(l, 3)
	mustWait(t, l.Append(&Record{Kind: "task", Task: "t_1", Purpose: "INC-1", Scope: []string{"wiki:*"}, Privileged: true, Code: codeEnded}))
	write(l, 1)
	if err := l.ChangeKey(keyOf("b")); err != nil {
		t.Fatal(err)
	}
	at = at.Add(-time.Minute)
	write(l, 2)
	l.Close()
	os.RemoveAll(filepath.Join(dir, tilesDir))
	path := must(segments(dir))
	f := must(os.OpenFile(path[len(path)-1].path, os.O_APPEND|os.O_WRONLY, 0))
	f.WriteString(`{"v":1,"seq":` + strings.Repeat("\x00", 100))
	f.Close()
	l = must(Open(cfg, keyOf("b"), "test-1"))
	write(l, 1)
	l.Close()
	files := tileFiles{filepath.Join(dir, tilesDir)}
	signed, _, _ := files.checkpoint()
	text, _, _ := cutNote(signed)
	os.WriteFile(filepath.Join(files.dir, witnessedFile), []byte(signed+signAs(liarKey, text)), 0o600)
}

func writeVectors(t *testing.T) {
	os.RemoveAll(vectorsDir)
	good := filepath.Join(vectorsDir, "good")
	os.MkdirAll(good, 0o755)
	vectorLog(t, good)
	os.Remove(filepath.Join(good, "lock"))
	first, second := logKey(), PublicKey{Origin("test-1"), must(newSigner("x", keyOf("b"))).public().Key}.String()
	w := &vectorWriter{t: t, good: good, keys: []string{first, second}}
	_, w.lines = leaves(t, good)
	w.add(vector{Name: "a whole log", Path: "good"})
	w.add(vector{Name: "a witnessed log", Path: "good", Witnesses: []string{liar().String()}, Quorum: 1})
	w.add(vector{Name: "not witnessed by two", Path: "good", Witnesses: []string{liar().String()}, Quorum: 2, Bad: true})
	w.add(vector{Name: "under the second key", Path: "good", Keys: []string{second}, Bad: true})
	w.logs()
	w.proofs()
	b := must(json.MarshalIndent(w.all, "", "  "))
	if err := os.WriteFile(filepath.Join(vectorsDir, "vectors.json"), append(b, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}

type vectorWriter struct {
	t     *testing.T
	good  string
	keys  []string
	lines [][]byte
	all   []vector
}

func (w *vectorWriter) add(v vector) {
	if v.Keys == nil {
		v.Keys = w.keys
	}
	w.all = append(w.all, v)
}

// log writes lines as another log of the same segments, with a tail.
func (w *vectorWriter) log(name string, lines [][]byte, tail string, seq int, kept string) {
	dir := filepath.Join(vectorsDir, strings.ReplaceAll(name, " ", "-"))
	from := relay(w.t, w.good, lines)
	os.MkdirAll(dir, 0o755)
	segs := must(segments(from))
	for i, s := range segs {
		b := must(os.ReadFile(s.path))
		if i == len(segs)-1 {
			b = append(b, tail...)
		}
		os.WriteFile(filepath.Join(dir, filepath.Base(s.path)), b, 0o644)
	}
	v := vector{Name: name, Path: filepath.Base(dir), Kept: kept}
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
	os.WriteFile(filepath.Join(vectorsDir, "kept.checkpoint"), []byte(keptNotes(w.t, w.good)[0]), 0o644)
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
	w.log("a chain made to fit", rechain(w.lines, 1, func(r *Record) { r.Status = 500 }), "", w.next(1, KindCheckpoint), "")
	w.log("task_seq made to fit", rechain(w.lines, 2, func(r *Record) { r.TaskSeq++ }), "", 2, "")
	k := w.next(0, KindCounts)
	w.log("counts made to fit", rechain(w.lines, k, func(r *Record) { r.Tasks[0].Seq++ }), "", k, "")
	k = w.next(0, "key")
	w.log("another key is announced", edit(k, w.keys[1], must(newSigner("byline/test-1", keyOf("m"))).public().String()), "", k, "")
	missing := filepath.Join(vectorsDir, "a-segment-is-missing")
	os.CopyFS(missing, os.DirFS(w.good))
	os.RemoveAll(filepath.Join(missing, tilesDir))
	second := must(segments(missing))[1]
	os.Remove(second.path)
	w.add(vector{Name: "a segment is missing", Path: "a-segment-is-missing", Bad: true, Seq: &second.first})
}

// next is the first line from k on of that kind, or, for "key", that announces one.
func (w *vectorWriter) next(k int, kind string) int {
	for ; ; k++ {
		if r := must(ParseRecord(w.lines[k])); r.Kind == kind || kind == "key" && r.Key != "" {
			return k
		}
	}
}

func (w *vectorWriter) proofs() {
	put := func(name string, text []byte, bad bool) {
		file := strings.ReplaceAll(name, " ", "-") + ".proof"
		os.WriteFile(filepath.Join(vectorsDir, file), text, 0o644)
		w.add(vector{Name: name, Path: file, Bad: bad})
	}
	for _, k := range []int{0, 5, len(w.lines) - 2} {
		put(fmt.Sprintf("record %d", k), must(Prove(w.good, must(ParseRecord(w.lines[k])).ID, nil)).Format(), false)
	}
	b := must(Prove(w.good, must(ParseRecord(w.lines[5])).ID, nil))
	b.Index++
	put("record under another index", b.Format(), true)
	b.Index, b.Line = 5, bytes.Replace(b.Line, []byte(`"test-1"`), []byte(`"test-2"`), 1)
	put("record changed", b.Format(), true)
	b = must(Prove(w.good, must(ParseRecord(w.lines[5])).ID, nil))
	b.Proof = b.Proof[:len(b.Proof)-1]
	put("proof cut short", b.Format(), true)
	var sizes []uint64
	for k := w.next(0, KindCheckpoint); k < len(w.lines)-1; k = w.next(k+1, KindCheckpoint) {
		sizes = append(sizes, uint64(k))
	}
	for i, from := range sizes[:2] {
		c := must(ProveConsistency(w.good, from, sizes[len(sizes)-1], nil))
		put(fmt.Sprintf("consistency %d", i), c.Format(), false)
		c.Proof[0] = c.Proof[len(c.Proof)-1]
		put(fmt.Sprintf("consistency %d changed", i), c.Format(), true)
	}
}
