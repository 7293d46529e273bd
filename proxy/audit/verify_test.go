package audit

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// sealedLog writes a closed log of several segments and checkpoints and
// returns its lines, without newlines, in order.
func sealedLog(t testing.TB) (dir string, lines [][]byte) {
	t.Helper()
	dir = t.TempDir()
	for range 3 {
		l := openLog(t, Config{Dir: dir, SegmentBytes: 5000, CheckpointEvery: time.Hour})
		for n := range 6 {
			mustWait(t, l.Append(intent(n)))
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range must(segments(dir)) {
		b := must(os.ReadFile(s.path))
		lines = append(lines, bytes.Split(bytes.TrimSuffix(b, []byte("\n")), []byte("\n"))...)
	}
	return dir, lines
}

// relay writes lines as a log again, cut into segments at the same names.
func relay(t testing.TB, from string, lines [][]byte) string {
	t.Helper()
	dir := t.TempDir()
	segs := must(segments(from))
	for i, s := range segs {
		end := len(lines)
		if i+1 < len(segs) {
			end = min(end, int(segs[i+1].first))
		}
		if int(s.first) >= end {
			break
		}
		b := append(bytes.Join(lines[s.first:end], []byte("\n")), '\n')
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(s.path)), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// mustBreak wants the change found, at one of the seqs.
func mustBreak(t *testing.T, what, dir string, seqs ...int) {
	t.Helper()
	rep, err := Verify(dir, testPub, nil)
	if !errors.Is(err, ErrBroken) || rep.Bad == nil {
		t.Errorf("%s: not found: %+v %v", what, rep, err)
		return
	}
	if !slices.Contains(seqs, int(rep.Bad.Seq)) {
		t.Errorf("%s: blames seq %d, want one of %v: %s", what, rep.Bad.Seq, seqs, rep.Bad.Why)
	}
	if rep.Bad.File == "" || rep.Bad.Line == 0 || rep.Bad.Why == "" {
		t.Errorf("%s: %+v says not where or why", what, rep.Bad)
	}
}

func TestI8FlippedByteIsFound(t *testing.T) {
	dir, lines := sealedLog(t)
	for i := range lines {
		for at := 3; at < len(lines[i]); at += 97 {
			changed := slices.Clone(lines)
			changed[i] = slices.Clone(lines[i])
			changed[i][at] ^= 1
			mustBreak(t, "flip", relay(t, dir, changed), i, i+1)
		}
	}
}

func TestI8DroppedRecordIsFound(t *testing.T) {
	dir, lines := sealedLog(t)
	for i := range len(lines) - 1 {
		mustBreak(t, "drop", relay(t, dir, slices.Delete(slices.Clone(lines), i, i+1)), i)
	}
}

func TestI8ReorderedRecordIsFound(t *testing.T) {
	dir, lines := sealedLog(t)
	for i := range len(lines) - 1 {
		changed := slices.Clone(lines)
		changed[i], changed[i+1] = changed[i+1], changed[i]
		mustBreak(t, "reorder", relay(t, dir, changed), i)
	}
}

func TestI8InsertedRecordIsFound(t *testing.T) {
	dir, lines := sealedLog(t)
	for i := range lines {
		mustBreak(t, "insert a copy", relay(t, dir, slices.Insert(slices.Clone(lines), i, lines[i])), i, i+1)
	}
	forged := rechain(lines, 3, func(r *Record) { r.Agent = "spiffe://acme.example/agent/other" })
	mustBreak(t, "insert a forged one", relay(t, dir, slices.Insert(slices.Clone(lines), 3, forged[3])), 3, 4)
}

// rechain changes record k as someone would who knows the format but not the
// key: seq, prev and frontier are made to fit all the way down.
func rechain(lines [][]byte, k int, change func(*Record)) (out [][]byte) {
	w := writer{out: []byte{0}}
	st := state{}
	for i, line := range lines {
		r := must(ParseRecord(line))
		if i == k {
			change(&r)
		}
		if r.Kind == KindCheckpoint {
			r.Frontier = st.tree.frontier()
		}
		start := len(w.out)
		w.put(&st, r.Time.UnixMicro(), r.TaskSeq, appendBody(nil, &r))
		out = append(out, slices.Clone(w.out[start:len(w.out)-1]))
	}
	return out
}

func TestI8RewrittenChainIsFoundAtTheNextCheckpoint(t *testing.T) {
	dir, lines := sealedLog(t)
	if same := rechain(lines, -1, nil); !slices.EqualFunc(same, lines, bytes.Equal) {
		t.Fatal("rechain without change changes the log")
	}
	for k := range lines {
		r := must(ParseRecord(lines[k]))
		if r.Kind == KindCheckpoint {
			continue
		}
		next := k + 1
		for must(ParseRecord(lines[next])).Kind != KindCheckpoint {
			next++
		}
		mustBreak(t, "rewrite", relay(t, dir, rechain(lines, k, func(r *Record) { r.Sponsor = "mallory@acme.example" })), next)
	}
}

// keptNotes are the newest checkpoint of a log, as somebody kept it.
func keptNotes(t testing.TB, dir string) []string {
	t.Helper()
	segs := must(segments(dir))
	b := must(os.ReadFile(segs[len(segs)-1].path))
	lines := bytes.Split(bytes.TrimSuffix(b, []byte("\n")), []byte("\n"))
	for _, line := range slices.Backward(lines) {
		if r := must(ParseRecord(line)); r.Kind == KindCheckpoint {
			return []string{r.Checkpoint}
		}
	}
	t.Fatal("the last segment has no checkpoint")
	return nil
}

func TestI8CutTailIsFoundByAKeptCheckpoint(t *testing.T) {
	dir, lines := sealedLog(t)
	whole, err := Verify(dir, testPub, nil)
	if err != nil || whole.Last == nil || !whole.Closed {
		t.Fatalf("%+v %v", whole, err)
	}
	kept := keptNotes(t, dir)
	if _, err := VerifyWith(dir, testPub, VerifyOptions{Kept: kept}); err != nil {
		t.Errorf("whole log against its own checkpoint: %v", err)
	}
	for n := 1; n < len(lines); n++ {
		cut := relay(t, dir, lines[:n])
		rep, err := VerifyWith(cut, testPub, VerifyOptions{Kept: kept})
		if !errors.Is(err, ErrBroken) || rep.Bad == nil || int(rep.Bad.Seq) != n || !strings.Contains(rep.Bad.Why, "tail was cut") {
			t.Errorf("cut to %d of %d: %+v %v", n, len(lines), rep.Bad, err)
		}
		rep, err = Verify(cut, testPub, nil)
		last := must(ParseRecord(lines[n-1]))
		if err != nil || rep.Closed != (last.Code == sealClose) || (rep.Unsealed == 0) != (last.Kind == KindCheckpoint) {
			t.Errorf("cut to %d, nothing kept: %+v %v", n, rep, err)
		}
	}
}

func TestI8TruncatedInTheMiddleOfALine(t *testing.T) {
	dir, _ := sealedLog(t)
	kept := keptNotes(t, dir)
	segs := must(segments(dir))
	for i, s := range segs {
		at := must(os.ReadFile(s.path))
		os.WriteFile(s.path, at[:len(at)-5], 0o600)
		rep, err := VerifyWith(dir, testPub, VerifyOptions{Kept: kept})
		if !errors.Is(err, ErrBroken) {
			t.Errorf("%s: %v", s.path, err)
		}
		if plain, err := Verify(dir, testPub, nil); i < len(segs)-1 && !errors.Is(err, ErrBroken) || plain.Closed {
			t.Errorf("%s, nothing kept: %+v %v", s.path, plain, err)
		}
		if i == len(segs)-1 && rep.Unfinished == 0 {
			t.Errorf("the torn end is not reported: %+v", rep)
		}
		os.WriteFile(s.path, at, 0o600)
	}
}

func TestI8MissingSegmentIsFound(t *testing.T) {
	for i := range 3 {
		dir, _ := sealedLog(t)
		s := must(segments(dir))[i]
		os.Remove(s.path)
		mustBreak(t, "missing segment", dir, int(s.first))
	}
}

func TestI8AnotherLogUnderTheSameKeyDoesNotPass(t *testing.T) {
	a, _ := sealedLog(t)
	b, _ := sealedLog(t)
	if rep, err := VerifyWith(b, testPub, VerifyOptions{Kept: keptNotes(t, a)}); !errors.Is(err, ErrBroken) {
		t.Errorf("a log that was swapped for another: %+v %v", rep, err)
	}
}

func TestVerifyNeedsTheRightKeyAndALog(t *testing.T) {
	dir, lines := sealedLog(t)
	other := PublicKey{Key: must(NewKey()).Public().(ed25519.PublicKey)}
	rep, err := Verify(dir, other, nil)
	if !errors.Is(err, ErrBroken) || !strings.Contains(rep.Bad.Why, "signature") {
		t.Errorf("another key: %v", err)
	}
	if _, err := Verify(t.TempDir(), testPub, nil); err == nil || errors.Is(err, ErrBroken) {
		t.Errorf("empty folder: %v", err)
	}
	var last, total int64
	rep, err = Verify(dir, testPub, func(d, n int64) { last, total = d, n })
	if err != nil || last != total || total == 0 || rep.Records != uint64(len(lines)) {
		t.Errorf("progress ended at %d of %d; %+v %v", last, total, rep, err)
	}
}

func TestIntentsWithoutOutcomeAreListed(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, Config{Dir: dir})
	done, lost := l.Append(intent(1)), l.Append(intent(2))
	l.Append(&Record{Kind: "outcome", Intent: done.ID()})
	l.Close()
	if rep := mustVerify(t, dir); len(rep.Open) != 1 || rep.Open[0].ID != lost.ID() || rep.Open[0].Why != WhyCut {
		t.Errorf("open intents %v, want %v", rep.Open, lost.ID())
	}
}

// FuzzI8Verify overwrites a piece of a sealed log anywhere.
func FuzzI8Verify(f *testing.F) {
	from, lines := sealedLog(f)
	f.Add(0, 100, []byte("x"))
	f.Add(1, 0, []byte("\x00"))
	f.Add(5, 4000, []byte("\n"))
	segs := must(segments(from))
	f.Fuzz(func(t *testing.T, which, at int, piece []byte) {
		dir := relay(t, from, lines)
		s := segs[abs(which)%len(segs)]
		path := filepath.Join(dir, filepath.Base(s.path))
		b := must(os.ReadFile(path))
		changed := slices.Clone(b)
		copy(changed[abs(at)%len(b):], piece)
		if bytes.Equal(b, changed) {
			return
		}
		os.WriteFile(path, changed, 0o600)
		if rep, err := Verify(dir, testPub, nil); err == nil && rep.Closed {
			t.Errorf("a change in %s at %d was not found", s.path, abs(at)%len(b))
		}
	})
}

func abs(n int) int { return max(n, -(n + 1)) }
