package audit_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/audit/internal/audittest"
	"github.com/byline-proxy/byline/proxy/audit/internal/merkle"
	"github.com/byline-proxy/byline/proxy/audit/journal"
)

// TestTilesAreReadByTlog reads the tiles next to a log with the client of
// golang.org/x/mod and expects every leaf, under the signed root.
func TestTilesAreReadByTlog(t *testing.T) {
	dir, _ := writeLongLog(t, 1500)
	tiles := audit.TilesOf(dir)
	signed, _, err := tiles.Checkpoint()
	if err != nil {
		t.Fatal(err)
	}
	c := audittest.Must(audit.ParseCheckpoint(signed, audittest.PublicKey))

	lines := audittest.Lines(t, dir)
	if int(c.Size) != len(lines)-1 {
		t.Fatalf("the published checkpoint covers %d of %d lines, want all but the last", c.Size, len(lines))
	}
	reader := tiles.HashReader(c.Size, audittest.Must(merkle.ParseBase64(c.Root)))
	for i := range c.Size {
		got, err := reader.ReadHashes([]int64{tlog.StoredHashIndex(0, int64(i))})
		if err != nil || got[0] != tlog.RecordHash(lines[i]) {
			t.Fatalf("leaf %d: got %v, error %v, want %v", i, got, err, tlog.RecordHash(lines[i]))
		}
	}
}

// TestTilesAreRepairedAtTheNextStart opens and closes a log again and again,
// after its tiles were removed, damaged or replaced, and expects valid proofs
// from what is there after each run.
func TestTilesAreRepairedAtTheNextStart(t *testing.T) {
	dir := t.TempDir()
	tiles := filepath.Join(dir, audit.TilesDir)
	checkpoint := filepath.Join(tiles, audit.CheckpointFile)
	trust := audit.Trust{Keys: []audit.PublicKey{audittest.PublicKey}}

	for _, run := range []struct {
		name  string
		spoil func()
	}{
		{"first run", func() {}},
		{"second run", func() {}},
		{"tiles removed", func() { os.RemoveAll(tiles) }},
		{"tile truncated", func() { os.Truncate(filepath.Join(tiles, "tile", "0", "000"), 100) }},
		{"checkpoint removed", func() { os.Remove(checkpoint) }},
		{"checkpoint damaged", func() { os.WriteFile(checkpoint, []byte("x\n\n"), 0o600) }},
		{"tiles of another log", func() {
			other, _ := writeLongLog(t, 10)
			os.RemoveAll(tiles)
			os.Rename(filepath.Join(other, audit.TilesDir), tiles)
		}},
	} {
		run.spoil()
		l := openLog(t, journal.Config{Dir: dir, CheckpointEvery: time.Hour, SegmentBytes: 100 << 10})
		for i := range 150 {
			l.Append(audittest.Intent(i))
		}
		mustClose(t, l)

		lines := audittest.Lines(t, dir)
		seq := len(lines) - 2
		p, err := audit.Prove(dir, audittest.Must(audit.ParseRecord(lines[seq])).ID, nil)
		if err != nil {
			t.Fatalf("%s: %v", run.name, err)
		}
		if _, err := p.Verify(trust); err != nil || len(p.Proof) == 0 || int(p.Index) != seq {
			t.Errorf("%s: the proof of record %d, with index %d and %d hashes, is not valid: %v", run.name, seq, p.Index, len(p.Proof), err)
		}
	}
}
