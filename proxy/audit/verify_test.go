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

	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/audit/internal/audittest"
	"github.com/byline-proxy/byline/proxy/audit/internal/segment"
	"github.com/byline-proxy/byline/proxy/audit/journal"
)

// expectFault fails unless verification finds a change and names one of the
// seqs.
func expectFault(t *testing.T, change, dir string, seqs ...int) {
	t.Helper()
	rep, err := audit.Verify(dir, audittest.PublicKey, nil)
	if !errors.Is(err, audit.ErrBroken) || rep.Bad == nil {
		t.Errorf("%s: verification returned %v, want ErrBroken at one of %v; report %+v", change, err, seqs, rep)
		return
	}
	if !slices.Contains(seqs, int(rep.Bad.Seq)) {
		t.Errorf("%s: verification names seq %d, want one of %v; reason: %s", change, rep.Bad.Seq, seqs, rep.Bad.Why)
	}
	if rep.Bad.File == "" || rep.Bad.Line == 0 || rep.Bad.Why == "" {
		t.Errorf("%s: the fault %+v lacks file, line or reason", change, rep.Bad)
	}
}

func TestI8FlippedByteIsFound(t *testing.T) {
	dir, lines := writeSegmentedLog(t)
	for i := range lines {
		for at := 3; at < len(lines[i]); at += 97 {
			changed := slices.Clone(lines)
			changed[i] = slices.Clone(lines[i])
			changed[i][at] ^= 1
			expectFault(t, "flipped byte", audittest.WriteLines(t, dir, changed), i, i+1)
		}
	}
}

func TestI8DroppedRecordIsFound(t *testing.T) {
	dir, lines := writeSegmentedLog(t)
	for i := range len(lines) - 1 {
		changed := slices.Delete(slices.Clone(lines), i, i+1)
		expectFault(t, "dropped record", audittest.WriteLines(t, dir, changed), i)
	}
}

func TestI8ReorderedRecordIsFound(t *testing.T) {
	dir, lines := writeSegmentedLog(t)
	for i := range len(lines) - 1 {
		changed := slices.Clone(lines)
		changed[i], changed[i+1] = changed[i+1], changed[i]
		expectFault(t, "reordered records", audittest.WriteLines(t, dir, changed), i)
	}
}

func TestI8InsertedRecordIsFound(t *testing.T) {
	dir, lines := writeSegmentedLog(t)
	for i := range lines {
		changed := slices.Insert(slices.Clone(lines), i, lines[i])
		expectFault(t, "inserted copy", audittest.WriteLines(t, dir, changed), i, i+1)
	}

	forged := audittest.Rechain(lines, 3, func(r *audit.Record) { r.Agent = "spiffe://acme.example/agent/other" })
	changed := slices.Insert(slices.Clone(lines), 3, forged[3])
	expectFault(t, "inserted forged record", audittest.WriteLines(t, dir, changed), 3, 4)
}

// TestI8RewrittenChainIsFoundAtTheNextCheckpoint changes each record and makes
// the rest of the chain fit, as far as that is possible without the key.
func TestI8RewrittenChainIsFoundAtTheNextCheckpoint(t *testing.T) {
	dir, lines := writeSegmentedLog(t)
	if same := audittest.Rechain(lines, -1, nil); !slices.EqualFunc(same, lines, bytes.Equal) {
		t.Fatal("Rechain without a change returned other lines")
	}

	for k := range lines {
		if audittest.Must(audit.ParseRecord(lines[k])).Kind == audit.KindCheckpoint {
			continue
		}
		next := k + 1
		for audittest.Must(audit.ParseRecord(lines[next])).Kind != audit.KindCheckpoint {
			next++
		}

		changed := audittest.Rechain(lines, k, func(r *audit.Record) { r.Sponsor = "mallory@acme.example" })
		expectFault(t, "rewritten chain", audittest.WriteLines(t, dir, changed), next)
	}
}

func TestI8CutTailIsFoundByAKeptCheckpoint(t *testing.T) {
	dir, lines := writeSegmentedLog(t)
	whole, err := audit.Verify(dir, audittest.PublicKey, nil)
	if err != nil || whole.Last == nil || !whole.Closed {
		t.Fatalf("the whole log: %v, report %+v", err, whole)
	}

	kept := audit.VerifyOptions{Kept: []string{audittest.LastCheckpoint(t, dir)}}
	if _, err := audit.VerifyWith(dir, audittest.PublicKey, kept); err != nil {
		t.Errorf("the whole log against its own checkpoint: %v", err)
	}

	for n := 1; n < len(lines); n++ {
		cut := audittest.WriteLines(t, dir, lines[:n])

		rep, err := audit.VerifyWith(cut, audittest.PublicKey, kept)
		if !errors.Is(err, audit.ErrBroken) || rep.Bad == nil || int(rep.Bad.Seq) != n || !strings.Contains(rep.Bad.Why, "tail was cut") {
			t.Errorf("%d of %d lines against a kept checkpoint: %v, fault %+v, want a cut tail at seq %d", n, len(lines), err, rep.Bad, n)
		}

		// Without a kept checkpoint the cut cannot be found.
		rep, err = audit.Verify(cut, audittest.PublicKey, nil)
		last := audittest.Must(audit.ParseRecord(lines[n-1]))
		wantClosed := last.Code == audit.CodeClose
		wantSealed := last.Kind == audit.KindCheckpoint
		if err != nil || rep.Closed != wantClosed || (rep.Unsealed == 0) != wantSealed {
			t.Errorf("%d of %d lines alone: %v, closed %v, unsealed %d; want closed %v, sealed %v",
				n, len(lines), err, rep.Closed, rep.Unsealed, wantClosed, wantSealed)
		}
	}
}

func TestI8SegmentTruncatedInsideALineIsFound(t *testing.T) {
	dir, _ := writeSegmentedLog(t)
	kept := audit.VerifyOptions{Kept: []string{audittest.LastCheckpoint(t, dir)}}
	files := audittest.Must(segment.List(dir))

	for i, f := range files {
		isLast := i == len(files)-1
		whole := audittest.Must(os.ReadFile(f.Path))
		os.WriteFile(f.Path, whole[:len(whole)-5], 0o600)

		rep, err := audit.VerifyWith(dir, audittest.PublicKey, kept)
		if !errors.Is(err, audit.ErrBroken) {
			t.Errorf("segment %d against a kept checkpoint: %v, want ErrBroken", i, err)
		}
		if isLast && rep.Unfinished == 0 {
			t.Errorf("the torn line in the last segment is not reported: %+v", rep)
		}
		rep, err = audit.Verify(dir, audittest.PublicKey, nil)
		if !isLast && !errors.Is(err, audit.ErrBroken) || rep.Closed {
			t.Errorf("segment %d alone: %v, closed %v; want ErrBroken unless it is the last, not closed", i, err, rep.Closed)
		}

		os.WriteFile(f.Path, whole, 0o600)
	}
}

func TestI8MissingSegmentIsFound(t *testing.T) {
	for i := 1; i < 4; i++ { // the first one may have been moved away
		dir, _ := writeSegmentedLog(t)
		missing := audittest.Must(segment.List(dir))[i]
		os.Remove(missing.Path)
		expectFault(t, "missing segment", dir, int(missing.First))
	}
}

func TestI8AnotherLogUnderTheSameKeyIsFound(t *testing.T) {
	a, _ := writeSegmentedLog(t)
	b, _ := writeSegmentedLog(t)
	kept := audit.VerifyOptions{Kept: []string{audittest.LastCheckpoint(t, a)}}
	if rep, err := audit.VerifyWith(b, audittest.PublicKey, kept); !errors.Is(err, audit.ErrBroken) {
		t.Errorf("log b against a checkpoint of log a: %v, want ErrBroken; report %+v", err, rep)
	}
}

func TestVerifyUnderAnotherKey(t *testing.T) {
	dir, _ := writeSegmentedLog(t)
	other := audit.PublicKey{Key: audittest.Must(journal.NewKey()).Public().(ed25519.PublicKey)}
	rep, err := audit.Verify(dir, other, nil)
	if !errors.Is(err, audit.ErrBroken) || !strings.Contains(rep.Bad.Why, "signature") {
		t.Errorf("got %v, want ErrBroken because of the signature", err)
	}
}

func TestVerifyWithoutALog(t *testing.T) {
	_, err := audit.Verify(t.TempDir(), audittest.PublicKey, nil)
	if err == nil || errors.Is(err, audit.ErrBroken) {
		t.Errorf("an empty directory: %v, want an error other than ErrBroken", err)
	}
}

func TestVerifyReportsProgress(t *testing.T) {
	dir, lines := writeSegmentedLog(t)
	var done, total int64
	rep, err := audit.Verify(dir, audittest.PublicKey, func(d, t int64) { done, total = d, t })
	if err != nil || rep.Records != uint64(len(lines)) {
		t.Errorf("got %v and %d records, want %d records", err, rep.Records, len(lines))
	}
	if done != total || total == 0 {
		t.Errorf("progress ended at %d of %d bytes", done, total)
	}
}

func TestIntentWithoutOutcomeIsListed(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, journal.Config{Dir: dir})
	complete, open := l.Append(audittest.Intent(1)), l.Append(audittest.Intent(2))
	l.Append(&audit.Record{Kind: "outcome", Intent: complete.ID()})
	mustClose(t, l)

	rep := audittest.Verify(t, dir)
	if len(rep.Open) != 1 || rep.Open[0].ID != open.ID() || rep.Open[0].Why != audit.WhyCut {
		t.Errorf("open intents are %+v, want %s because of %q", rep.Open, open.ID(), audit.WhyCut)
	}
}

// FuzzI8Verify overwrites a piece of a closed log anywhere.
func FuzzI8Verify(f *testing.F) {
	from, lines := writeSegmentedLog(f)
	files := audittest.Must(segment.List(from))
	f.Add(0, 100, []byte("x"))
	f.Add(1, 0, []byte("\x00"))
	f.Add(5, 4000, []byte("\n"))

	f.Fuzz(func(t *testing.T, which, at int, piece []byte) {
		dir := audittest.WriteLines(t, from, lines)
		path := filepath.Join(dir, filepath.Base(files[nonNegative(which)%len(files)].Path))
		whole := audittest.Must(os.ReadFile(path))
		at = nonNegative(at) % len(whole)
		changed := slices.Clone(whole)
		copy(changed[at:], piece)
		if bytes.Equal(whole, changed) {
			return
		}

		os.WriteFile(path, changed, 0o600)
		if rep, err := audit.Verify(dir, audittest.PublicKey, nil); err == nil && rep.Closed {
			t.Errorf("a change of %s at offset %d was not found", path, at)
		}
	})
}

func nonNegative(n int) int { return max(n, -(n + 1)) }
