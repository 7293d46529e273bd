package audit_test

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

	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/audit/internal/audittest"
	"github.com/byline-proxy/byline/proxy/audit/internal/segment"
	"github.com/byline-proxy/byline/proxy/audit/journal"
)

// sealedLog writes a closed log of several segments and checkpoints and
// returns its lines, without newlines, in order.
func sealedLog(t testing.TB) (dir string, lines [][]byte) {
	t.Helper()
	dir = t.TempDir()
	for range 3 {
		l := openLog(t, journal.Config{Dir: dir, SegmentBytes: 5000, CheckpointEvery: time.Hour})
		for n := range 6 {
			mustWait(t, l.Append(audittest.Intent(n)))
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range audittest.Must(segment.List(dir)) {
		b := audittest.Must(os.ReadFile(s.Path))
		lines = append(lines, bytes.Split(bytes.TrimSuffix(b, []byte("\n")), []byte("\n"))...)
	}
	return dir, lines
}

// mustBreak wants the change found, at one of the seqs.
func mustBreak(t *testing.T, what, dir string, seqs ...int) {
	t.Helper()
	rep, err := audit.Verify(dir, audittest.PublicKey, nil)
	if !errors.Is(err, audit.ErrBroken) || rep.Bad == nil {
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
			mustBreak(t, "flip", audittest.WriteLines(t, dir, changed), i, i+1)
		}
	}
}

func TestI8DroppedRecordIsFound(t *testing.T) {
	dir, lines := sealedLog(t)
	for i := range len(lines) - 1 {
		mustBreak(t, "drop", audittest.WriteLines(t, dir, slices.Delete(slices.Clone(lines), i, i+1)), i)
	}
}

func TestI8ReorderedRecordIsFound(t *testing.T) {
	dir, lines := sealedLog(t)
	for i := range len(lines) - 1 {
		changed := slices.Clone(lines)
		changed[i], changed[i+1] = changed[i+1], changed[i]
		mustBreak(t, "reorder", audittest.WriteLines(t, dir, changed), i)
	}
}

func TestI8InsertedRecordIsFound(t *testing.T) {
	dir, lines := sealedLog(t)
	for i := range lines {
		mustBreak(t, "insert a copy", audittest.WriteLines(t, dir, slices.Insert(slices.Clone(lines), i, lines[i])), i, i+1)
	}
	forged := audittest.Rechain(lines, 3, func(r *audit.Record) { r.Agent = "spiffe://acme.example/agent/other" })
	mustBreak(t, "insert a forged one", audittest.WriteLines(t, dir, slices.Insert(slices.Clone(lines), 3, forged[3])), 3, 4)
}

func TestI8RewrittenChainIsFoundAtTheNextCheckpoint(t *testing.T) {
	dir, lines := sealedLog(t)
	if same := audittest.Rechain(lines, -1, nil); !slices.EqualFunc(same, lines, bytes.Equal) {
		t.Fatal("rechain without change changes the log")
	}
	for k := range lines {
		r := audittest.Must(audit.ParseRecord(lines[k]))
		if r.Kind == audit.KindCheckpoint {
			continue
		}
		next := k + 1
		for audittest.Must(audit.ParseRecord(lines[next])).Kind != audit.KindCheckpoint {
			next++
		}
		mustBreak(t, "rewrite", audittest.WriteLines(t, dir, audittest.Rechain(lines, k, func(r *audit.Record) { r.Sponsor = "mallory@acme.example" })), next)
	}
}

func TestI8CutTailIsFoundByAKeptCheckpoint(t *testing.T) {
	dir, lines := sealedLog(t)
	whole, err := audit.Verify(dir, audittest.PublicKey, nil)
	if err != nil || whole.Last == nil || !whole.Closed {
		t.Fatalf("%+v %v", whole, err)
	}
	kept := []string{audittest.LastCheckpoint(t, dir)}
	if _, err := audit.VerifyWith(dir, audittest.PublicKey, audit.VerifyOptions{Kept: kept}); err != nil {
		t.Errorf("whole log against its own checkpoint: %v", err)
	}
	for n := 1; n < len(lines); n++ {
		cut := audittest.WriteLines(t, dir, lines[:n])
		rep, err := audit.VerifyWith(cut, audittest.PublicKey, audit.VerifyOptions{Kept: kept})
		if !errors.Is(err, audit.ErrBroken) || rep.Bad == nil || int(rep.Bad.Seq) != n || !strings.Contains(rep.Bad.Why, "tail was cut") {
			t.Errorf("cut to %d of %d: %+v %v", n, len(lines), rep.Bad, err)
		}
		rep, err = audit.Verify(cut, audittest.PublicKey, nil)
		last := audittest.Must(audit.ParseRecord(lines[n-1]))
		if err != nil || rep.Closed != (last.Code == audit.CodeClose) || (rep.Unsealed == 0) != (last.Kind == audit.KindCheckpoint) {
			t.Errorf("cut to %d, nothing kept: %+v %v", n, rep, err)
		}
	}
}

func TestI8TruncatedInTheMiddleOfALine(t *testing.T) {
	dir, _ := sealedLog(t)
	kept := []string{audittest.LastCheckpoint(t, dir)}
	segs := audittest.Must(segment.List(dir))
	for i, s := range segs {
		at := audittest.Must(os.ReadFile(s.Path))
		os.WriteFile(s.Path, at[:len(at)-5], 0o600)
		rep, err := audit.VerifyWith(dir, audittest.PublicKey, audit.VerifyOptions{Kept: kept})
		if !errors.Is(err, audit.ErrBroken) {
			t.Errorf("%s: %v", s.Path, err)
		}
		if plain, err := audit.Verify(dir, audittest.PublicKey, nil); i < len(segs)-1 && !errors.Is(err, audit.ErrBroken) || plain.Closed {
			t.Errorf("%s, nothing kept: %+v %v", s.Path, plain, err)
		}
		if i == len(segs)-1 && rep.Unfinished == 0 {
			t.Errorf("the torn end is not reported: %+v", rep)
		}
		os.WriteFile(s.Path, at, 0o600)
	}
}

func TestI8MissingSegmentIsFound(t *testing.T) {
	for i := range 3 {
		dir, _ := sealedLog(t)
		s := audittest.Must(segment.List(dir))[i]
		os.Remove(s.Path)
		mustBreak(t, "missing segment", dir, int(s.First))
	}
}

func TestI8AnotherLogUnderTheSameKeyDoesNotPass(t *testing.T) {
	a, _ := sealedLog(t)
	b, _ := sealedLog(t)
	if rep, err := audit.VerifyWith(b, audittest.PublicKey, audit.VerifyOptions{Kept: []string{audittest.LastCheckpoint(t, a)}}); !errors.Is(err, audit.ErrBroken) {
		t.Errorf("a log that was swapped for another: %+v %v", rep, err)
	}
}

func TestVerifyNeedsTheRightKeyAndALog(t *testing.T) {
	dir, lines := sealedLog(t)
	other := audit.PublicKey{Key: audittest.Must(journal.NewKey()).Public().(ed25519.PublicKey)}
	rep, err := audit.Verify(dir, other, nil)
	if !errors.Is(err, audit.ErrBroken) || !strings.Contains(rep.Bad.Why, "signature") {
		t.Errorf("another key: %v", err)
	}
	if _, err := audit.Verify(t.TempDir(), audittest.PublicKey, nil); err == nil || errors.Is(err, audit.ErrBroken) {
		t.Errorf("empty folder: %v", err)
	}
	var last, total int64
	rep, err = audit.Verify(dir, audittest.PublicKey, func(d, n int64) { last, total = d, n })
	if err != nil || last != total || total == 0 || rep.Records != uint64(len(lines)) {
		t.Errorf("progress ended at %d of %d; %+v %v", last, total, rep, err)
	}
}

func TestIntentsWithoutOutcomeAreListed(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, journal.Config{Dir: dir})
	done, lost := l.Append(audittest.Intent(1)), l.Append(audittest.Intent(2))
	l.Append(&audit.Record{Kind: "outcome", Intent: done.ID()})
	l.Close()
	if rep := audittest.Verify(t, dir); len(rep.Open) != 1 || rep.Open[0].ID != lost.ID() || rep.Open[0].Why != audit.WhyCut {
		t.Errorf("open intents %v, want %v", rep.Open, lost.ID())
	}
}

// FuzzI8Verify overwrites a piece of a sealed log anywhere.
func FuzzI8Verify(f *testing.F) {
	from, lines := sealedLog(f)
	f.Add(0, 100, []byte("x"))
	f.Add(1, 0, []byte("\x00"))
	f.Add(5, 4000, []byte("\n"))
	segs := audittest.Must(segment.List(from))
	f.Fuzz(func(t *testing.T, which, at int, piece []byte) {
		dir := audittest.WriteLines(t, from, lines)
		s := segs[abs(which)%len(segs)]
		path := filepath.Join(dir, filepath.Base(s.Path))
		b := audittest.Must(os.ReadFile(path))
		changed := slices.Clone(b)
		copy(changed[abs(at)%len(b):], piece)
		if bytes.Equal(b, changed) {
			return
		}
		os.WriteFile(path, changed, 0o600)
		if rep, err := audit.Verify(dir, audittest.PublicKey, nil); err == nil && rep.Closed {
			t.Errorf("a change in %s at %d was not found", s.Path, abs(at)%len(b))
		}
	})
}

func abs(n int) int { return max(n, -(n + 1)) }
