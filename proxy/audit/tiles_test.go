package audit_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/audit/internal/audittest"
	"github.com/byline-proxy/byline/proxy/audit/internal/merkle"
	"github.com/byline-proxy/byline/proxy/audit/internal/segment"
	"github.com/byline-proxy/byline/proxy/audit/journal"
)

// longLog writes n records and closes; with tiles over several levels of width.
func longLog(t testing.TB, n int) (dir string, ids []string) {
	t.Helper()
	dir = t.TempDir()
	l := openLog(t, journal.Config{Dir: dir, SegmentBytes: 100 << 10, CheckpointEvery: time.Millisecond})
	var last journal.Ticket
	for i := range n {
		last = l.Append(audittest.Intent(i))
		ids = append(ids, last.ID())
		if i%50 == 0 {
			mustWait(t, last)
		}
	}
	mustWait(t, last)
	if err := errors.Join(l.Close(), l.Behind()); err != nil {
		t.Fatal(err)
	}
	return dir, ids
}

// leaves are the leaf hashes of a log, read line by line.
func leaves(t testing.TB, dir string) (all []tlog.Hash, lines [][]byte) {
	t.Helper()
	for _, s := range audittest.Must(segment.List(dir)) {
		for line := range bytes.Lines(audittest.Must(os.ReadFile(s.Path))) {
			line = bytes.TrimSuffix(line, []byte("\n"))
			all, lines = append(all, tlog.RecordHash(line)), append(lines, line)
		}
	}
	return all, lines
}

// TestTilesAreReadByTlog reads the kept-up tiles with golang.org/x/mod's own
// client of tiles: every leaf comes back, under the root that was signed.
func TestTilesAreReadByTlog(t *testing.T) {
	dir, _ := longLog(t, 1500)
	files := audit.TilesOf(dir)
	signed, _, err := files.Checkpoint()
	if err != nil {
		t.Fatal(err)
	}
	c := audittest.Must(audit.ParseCheckpoint(signed, audittest.PublicKey))
	all, _ := leaves(t, dir)
	if int(c.Size) != len(all)-1 {
		t.Fatalf("published %d of %d lines", c.Size, len(all))
	}
	r := files.HashReader(c.Size, audittest.Must(merkle.ParseBase64(c.Root)))
	for i := range c.Size {
		got, err := r.ReadHashes([]int64{tlog.StoredHashIndex(0, int64(i))})
		if err != nil || got[0] != all[i] {
			t.Fatalf("leaf %d: %v", i, err)
		}
	}
	if rep := audittest.Verify(t, dir); !rep.Closed {
		t.Errorf("%+v", rep)
	}
}

// TestTilesGoOn restarts the log again and again, now and then without its
// tiles, with a damaged one, or with tiles of another log.
func TestTilesGoOn(t *testing.T) {
	dir := t.TempDir()
	for run, spoil := range []func(){
		func() {},
		func() {},
		func() { os.RemoveAll(filepath.Join(dir, audit.TilesDir)) },
		func() { os.Truncate(filepath.Join(dir, audit.TilesDir, "tile", "0", "000"), 100) },
		func() { os.Remove(filepath.Join(dir, audit.TilesDir, audit.CheckpointFile)) },
		func() { os.WriteFile(filepath.Join(dir, audit.TilesDir, audit.CheckpointFile), []byte("x\n\n"), 0o600) },
		func() {
			other, _ := longLog(t, 10)
			os.RemoveAll(filepath.Join(dir, audit.TilesDir))
			os.Rename(filepath.Join(other, audit.TilesDir), filepath.Join(dir, audit.TilesDir))
		},
	} {
		spoil()
		l := openLog(t, journal.Config{Dir: dir, CheckpointEvery: time.Hour, SegmentBytes: 100 << 10})
		for i := range 150 {
			l.Append(audittest.Intent(i))
		}
		if err := errors.Join(l.Close(), l.Behind()); err != nil {
			t.Fatal(err)
		}
		all, lines := leaves(t, dir)
		b, err := audit.Prove(dir, audittest.Must(audit.ParseRecord(lines[len(lines)-2])).ID, nil)
		if err != nil {
			t.Fatalf("run %d: %v", run, err)
		}
		if _, err := b.Verify(audit.Trust{Keys: []audit.PublicKey{audittest.PublicKey}}); err != nil || len(b.Proof) == 0 || int(b.Index) != len(all)-2 {
			t.Errorf("run %d: %v", run, err)
		}
	}
}

func TestProofsOfEveryRecord(t *testing.T) {
	dir, ids := longLog(t, 700)
	trust := audit.Trust{Keys: []audit.PublicKey{audittest.PublicKey}}
	for i := 0; i < len(ids); i += 17 {
		id := ids[i]
		b, err := audit.Prove(dir, id, nil)
		if err != nil {
			t.Fatal(err)
		}
		again, err := audit.ParseInclusionProof(b.Format())
		if err != nil {
			t.Fatal(err)
		}
		p, err := again.Verify(trust)
		if err != nil || p.Record.ID != id {
			t.Fatalf("%s: %v", id, err)
		}
	}
	if _, err := audit.Prove(dir, "r_none", nil); !errors.Is(err, audit.ErrNoRecord) {
		t.Errorf("%v", err)
	}
}

func TestProofsBetweenAnyTwoCheckpoints(t *testing.T) {
	dir, _ := longLog(t, 700)
	_, lines := leaves(t, dir)
	var sizes []uint64
	for i, line := range lines {
		if audittest.Must(audit.ParseRecord(line)).Kind == audit.KindCheckpoint {
			sizes = append(sizes, uint64(i))
		}
	}
	if len(sizes) < 4 {
		t.Fatalf("%d checkpoints show nothing", len(sizes))
	}
	trust := audit.Trust{Keys: []audit.PublicKey{audittest.PublicKey}}
	step := max(1, len(sizes)/6)
	for i := 0; i < len(sizes); i += step {
		for j := i; j < len(sizes); j += step {
			b, err := audit.ProveConsistency(dir, sizes[i], sizes[j], nil)
			if err != nil {
				t.Fatalf("%d to %d: %v", sizes[i], sizes[j], err)
			}
			again, err := audit.ParseConsistencyProof(b.Format())
			if err != nil {
				t.Fatal(err)
			}
			p, err := again.Verify(trust)
			if err != nil || p.Old.Size != sizes[i] || p.Checkpoint.Size != sizes[j] {
				t.Errorf("%d to %d: %v", sizes[i], sizes[j], err)
			}
		}
	}
	if b, err := audit.ProveConsistency(dir, sizes[0], 0, nil); err != nil || audittest.Must(audit.ParseCheckpoint(b.New, audittest.PublicKey)).Size != sizes[len(sizes)-1] {
		t.Errorf("to the newest: %v", err)
	}
}

// TestI8ChangedBundleIsFound changes each byte of a bundle of either kind.
func TestI8ChangedBundleIsFound(t *testing.T) {
	dir, ids := longLog(t, 400)
	_, lines := leaves(t, dir)
	first := uint64(0)
	for first = 1; audittest.Must(audit.ParseRecord(lines[first])).Kind != audit.KindCheckpoint; first++ {
	}
	trust := audit.Trust{Keys: []audit.PublicKey{audittest.PublicKey}}
	for what, text := range map[string][]byte{
		"inclusion":   audittest.Must(audit.Prove(dir, ids[300], nil)).Format(),
		"consistency": audittest.Must(audit.ProveConsistency(dir, first, 0, nil)).Format(),
	} {
		if _, err := audit.VerifyProof(text, trust); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		for at := range text {
			changed := bytes.Clone(text)
			changed[at] ^= 1
			if _, err := audit.VerifyProof(changed, trust); err == nil {
				t.Errorf("%s: byte %d (%q) may be changed", what, at, text[at])
			}
		}
	}
	b := audittest.Must(audit.Prove(dir, ids[300], nil))
	b.Line = lines[3]
	if _, err := b.Verify(trust); err == nil {
		t.Error("another record of the same log passes")
	}
}

// TestDamagedTileIsNotBelieved flips a bit in each tile: a proof is made from
// the segments instead.
func TestDamagedTileIsNotBelieved(t *testing.T) {
	dir, ids := longLog(t, 600)
	tiles := audittest.Must(filepath.Glob(filepath.Join(dir, audit.TilesDir, "tile", "*", "0*")))
	for _, path := range tiles {
		if st := audittest.Must(os.Stat(path)); st.IsDir() {
			continue
		}
		b := audittest.Must(os.ReadFile(path))
		changed := bytes.Clone(b)
		changed[len(b)/2] ^= 4
		os.WriteFile(path, changed, 0o600)
		p, err := audit.Prove(dir, ids[10], nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Verify(audit.Trust{Keys: []audit.PublicKey{audittest.PublicKey}}); err != nil {
			t.Error(err)
		}
		os.WriteFile(path, b, 0o600)
	}
}

func FuzzParseBundle(f *testing.F) {
	dir, ids := longLog(f, 20)
	f.Add(audittest.Must(audit.Prove(dir, ids[3], nil)).Format())
	_, lines := leaves(f, dir)
	for i, line := range lines {
		if audittest.Must(audit.ParseRecord(line)).Kind == audit.KindCheckpoint && i > 0 {
			f.Add(audittest.Must(audit.ProveConsistency(dir, uint64(i), 0, nil)).Format())
			break
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if b, err := audit.ParseInclusionProof(text); err == nil && !bytes.Equal(b.Format(), text) {
			t.Errorf("%q was read as %q", text, b.Format())
		}
		if b, err := audit.ParseConsistencyProof(text); err == nil && !bytes.Equal(b.Format(), text) {
			t.Errorf("%q was read as %q", text, b.Format())
		}
		audit.VerifyProof(text, audit.Trust{Keys: []audit.PublicKey{audittest.PublicKey}})
	})
}
