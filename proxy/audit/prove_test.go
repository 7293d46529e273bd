package audit_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/audit/internal/audittest"
	"github.com/byline-proxy/byline/proxy/audit/journal"
)

var testTrust = audit.Trust{Keys: []audit.PublicKey{audittest.PublicKey}}

// checkpointSizes returns the sizes of all checkpoints in a log.
func checkpointSizes(t testing.TB, dir string) (sizes []uint64) {
	t.Helper()
	for i, line := range audittest.Lines(t, dir) {
		if audittest.Must(audit.ParseRecord(line)).Kind == audit.KindCheckpoint {
			sizes = append(sizes, uint64(i))
		}
	}
	return sizes
}

func TestInclusionProofs(t *testing.T) {
	dir, ids := writeLongLog(t, 700)
	for i := 0; i < len(ids); i += 17 {
		p, err := audit.Prove(dir, ids[i], nil)
		if err != nil {
			t.Fatalf("record %d: %v", i, err)
		}
		parsed, err := audit.ParseInclusionProof(p.Format())
		if err != nil {
			t.Fatalf("record %d: its proof in text form: %v", i, err)
		}
		verified, err := parsed.Verify(testTrust)
		if err != nil || verified.Record.ID != ids[i] {
			t.Fatalf("record %d: %v, verified %+v, want ID %s", i, err, verified, ids[i])
		}
	}
}

func TestProofOfAnUnknownRecord(t *testing.T) {
	dir, _ := writeSegmentedLog(t)
	if _, err := audit.Prove(dir, "r_none", nil); !errors.Is(err, audit.ErrNoRecord) {
		t.Errorf("got %v, want ErrNoRecord", err)
	}
}

func TestProofOfAnUnsealedRecord(t *testing.T) {
	dir, lines := writeSegmentedLog(t)
	unsealed := audittest.WriteLines(t, dir, lines[:3])
	id := audittest.Must(audit.ParseRecord(lines[2])).ID
	if _, err := audit.Prove(unsealed, id, nil); !errors.Is(err, audit.ErrNotSealed) {
		t.Errorf("got %v, want ErrNotSealed", err)
	}
}

func TestProveManyAgreesWithProve(t *testing.T) {
	dir, ids := writeLongLog(t, 300)
	want := map[string]string{}
	for _, id := range ids {
		want[id] = string(audittest.Must(audit.Prove(dir, id, nil)).Format())
	}

	last := uint64(len(audittest.Lines(t, dir)) - 1)
	records := audit.Tail(t.Context(), dir, int(last)+1, false)
	got := 0
	unsealed, err := audit.ProveMany(dir, records, last, nil, func(r *audit.Record, p *audit.InclusionProof) error {
		if text, ok := want[r.ID]; ok {
			got++
			if string(p.Format()) != text {
				t.Errorf("record %d: the proof is\n%s\nwant\n%s", r.Seq, p.Format(), text)
			}
		}
		return nil
	})
	if err != nil || got != len(ids) || unsealed != 1 {
		t.Errorf("got %d proofs, %d unsealed records and error %v, want %d proofs and 1 unsealed record", got, unsealed, err, len(ids))
	}

	stop := errors.New("stop")
	_, err = audit.ProveMany(dir, records, last, nil, func(*audit.Record, *audit.InclusionProof) error { return stop })
	if !errors.Is(err, stop) {
		t.Errorf("got %v, want the error of yield", err)
	}
}

func TestConsistencyProofsBetweenAnyTwoCheckpoints(t *testing.T) {
	dir, _ := writeLongLog(t, 700)
	sizes := checkpointSizes(t, dir)
	if len(sizes) < 4 {
		t.Fatalf("the log has %d checkpoints, too few for this test", len(sizes))
	}

	step := max(1, len(sizes)/6)
	for i := 0; i < len(sizes); i += step {
		for j := i; j < len(sizes); j += step {
			p, err := audit.ProveConsistency(dir, sizes[i], sizes[j], nil)
			if err != nil {
				t.Fatalf("%d to %d: %v", sizes[i], sizes[j], err)
			}
			parsed, err := audit.ParseConsistencyProof(p.Format())
			if err != nil {
				t.Fatalf("%d to %d: the proof in text form: %v", sizes[i], sizes[j], err)
			}
			verified, err := parsed.Verify(testTrust)
			if err != nil || verified.Old.Size != sizes[i] || verified.Checkpoint.Size != sizes[j] {
				t.Errorf("%d to %d: %v, verified %+v", sizes[i], sizes[j], err, verified)
			}
		}
	}
}

func TestConsistencyProofToThePublishedCheckpoint(t *testing.T) {
	dir, _ := writeLongLog(t, 100)
	sizes := checkpointSizes(t, dir)
	p, err := audit.ProveConsistency(dir, sizes[0], 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := audittest.Must(audit.ParseCheckpoint(p.New, audittest.PublicKey))
	if want := sizes[len(sizes)-1]; c.Size != want {
		t.Errorf("the proof leads to size %d, want %d", c.Size, want)
	}
}

// TestI8ChangedProofIsFound changes each byte of a proof of either kind.
func TestI8ChangedProofIsFound(t *testing.T) {
	dir, ids := writeLongLog(t, 400)
	inclusion := audittest.Must(audit.Prove(dir, ids[300], nil))
	consistency := audittest.Must(audit.ProveConsistency(dir, checkpointSizes(t, dir)[0], 0, nil))

	for kind, text := range map[string][]byte{"inclusion": inclusion.Format(), "consistency": consistency.Format()} {
		if _, err := audit.VerifyProof(text, testTrust); err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		for at := range text {
			changed := bytes.Clone(text)
			changed[at] ^= 1
			if _, err := audit.VerifyProof(changed, testTrust); err == nil {
				t.Errorf("%s: a change of byte %d (%q) was not found", kind, at, text[at])
			}
		}
	}

	inclusion.Line = audittest.Lines(t, dir)[3]
	if _, err := inclusion.Verify(testTrust); err == nil {
		t.Error("the proof of one record was accepted for another")
	}
}

// TestProofsDoNotNeedIntactTiles flips a bit in each tile and expects a valid
// proof, which must come from the segments.
func TestProofsDoNotNeedIntactTiles(t *testing.T) {
	dir, ids := writeLongLog(t, 600)
	tiles := audittest.Must(filepath.Glob(filepath.Join(dir, audit.TilesDir, "tile", "*", "0*")))
	for _, path := range tiles {
		if audittest.Must(os.Stat(path)).IsDir() {
			continue
		}
		intact := audittest.Must(os.ReadFile(path))
		damaged := bytes.Clone(intact)
		damaged[len(damaged)/2] ^= 4
		os.WriteFile(path, damaged, 0o600)

		p, err := audit.Prove(dir, ids[10], nil)
		if err != nil {
			t.Fatalf("%s is damaged: %v", path, err)
		}
		if _, err := p.Verify(testTrust); err != nil {
			t.Errorf("%s is damaged: the proof is not valid: %v", path, err)
		}

		os.WriteFile(path, intact, 0o600)
	}
}

func FuzzParseProof(f *testing.F) {
	dir, ids := writeLongLog(f, 20)
	f.Add(audittest.Must(audit.Prove(dir, ids[3], nil)).Format())
	f.Add(audittest.Must(audit.ProveConsistency(dir, checkpointSizes(f, dir)[0], 0, nil)).Format())

	f.Fuzz(func(t *testing.T, text []byte) {
		inclusion, err := audit.ParseInclusionProof(text)
		if err == nil && !bytes.Equal(inclusion.Format(), text) {
			t.Errorf("%q was accepted and written as %q", text, inclusion.Format())
		}
		consistency, err := audit.ParseConsistencyProof(text)
		if err == nil && !bytes.Equal(consistency.Format(), text) {
			t.Errorf("%q was accepted and written as %q", text, consistency.Format())
		}
		audit.VerifyProof(text, testTrust) // must not panic
	})
}

// TestProveManyBeforeTheFirstCheckpoint proves the records of a log that runs and has
// written no checkpoint yet.
func TestProveManyBeforeTheFirstCheckpoint(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, journal.Config{Dir: dir, CheckpointEvery: time.Hour})
	defer l.Close()
	mustWait(t, l.Append(audittest.Intent(1)), l.Append(audittest.Intent(2)))

	unsealed, err := audit.ProveMany(dir, audit.ReadAll(t.Context(), dir, time.Time{}, nil), 1, nil,
		func(r *audit.Record, _ *audit.InclusionProof) error { return fmt.Errorf("record %d was proved", r.Seq) })
	if unsealed != 2 || err != nil {
		t.Errorf("got %d records that no checkpoint covers and error %v, want 2", unsealed, err)
	}
}

// TestProofsOfALogWhoseFirstSegmentsAreElsewhere: the log is being written, so that its last
// records are not sealed. The sealed ones are proved by the tiles next to the log, because
// nobody can make tiles from some of the segments.
func TestProofsOfALogWhoseFirstSegmentsAreElsewhere(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, journal.Config{Dir: dir, SegmentBytes: 16 << 10, CheckpointEvery: 50 * time.Millisecond})
	defer l.Close()
	for i := range 150 {
		mustWait(t, l.Append(audittest.Intent(i)))
	}
	var segments []string
	for isSealed := false; !isSealed; { // a record of the last segment
		time.Sleep(10 * time.Millisecond)
		segments = audittest.Must(filepath.Glob(filepath.Join(dir, "seg-*.jsonl")))
		var first uint64
		fmt.Sscanf(filepath.Base(segments[len(segments)-1]), "seg-%d.jsonl", &first)
		isSealed = published(t, dir) > first+1
	}
	if len(segments) < 3 {
		t.Fatalf("%d segments, want three or more", len(segments))
	}
	for _, path := range segments[:len(segments)-1] {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	mustWait(t, l.Append(audittest.Intent(150))) // not sealed for a moment

	proved := 0
	lines := audit.ReadAll(t.Context(), dir, time.Time{}, nil)
	last := uint64(0)
	for r, err := range lines {
		if err != nil {
			t.Fatal(err)
		}
		last = r.Seq
	}
	unsealed, err := audit.ProveMany(dir, lines, last+100, nil, func(r *audit.Record, p *audit.InclusionProof) error {
		proved++
		_, err := p.Verify(testTrust)
		return err
	})
	if err != nil || proved == 0 {
		t.Errorf("%d records were proved, %d are not sealed, error %v; want proofs of the sealed ones", proved, unsealed, err)
	}
}

// published returns the size of the checkpoint next to a log, or 0.
func published(t *testing.T, dir string) uint64 {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, audit.TilesDir, audit.CheckpointFile))
	if err != nil {
		return 0
	}
	size, err := strconv.ParseUint(strings.Split(string(text), "\n")[1], 10, 64) // C2SP tlog-checkpoint
	if err != nil {
		t.Fatal(err)
	}
	return size
}
