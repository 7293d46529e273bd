package audit_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/audit/internal/audittest"
	"github.com/byline-proxy/byline/proxy/audit/internal/segment"
)

// TestI8AFlippedTileIsNamed flips a bit at the start, in the middle and at the end of
// each tile of a log in turn, cuts it and removes it. Verification names the tile and
// says that the records are not affected.
func TestI8AFlippedTileIsNamed(t *testing.T) {
	dir, _ := writeLongLog(t, 700)
	if r, err := audit.Verify(dir, audittest.PublicKey, nil); err != nil {
		t.Fatalf("before any damage Verify returned %+v, %v", r, err)
	}

	var tiles []string
	err := filepath.WalkDir(filepath.Join(dir, audit.TilesDir, "tile"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			tiles = append(tiles, path)
		}
		return err
	})
	if err != nil || len(tiles) < 5 {
		t.Fatalf("the log has the tiles %q, error %v; want several on more than one level", tiles, err)
	}

	for _, path := range tiles {
		whole := audittest.Must(os.ReadFile(path))
		flip := func(i int) []byte {
			b := append([]byte(nil), whole...)
			b[i] ^= 1
			return b
		}
		for name, damaged := range map[string][]byte{
			"first byte flipped":  flip(0),
			"middle byte flipped": flip(len(whole) / 2),
			"last byte flipped":   flip(len(whole) - 1),
			"cut":                 whole[:len(whole)-1],
			"removed":             nil,
		} {
			if damaged == nil && strings.HasSuffix(filepath.Dir(path), ".p") {
				continue // the writer removes partial tiles, too
			}
			if damaged == nil {
				os.Remove(path)
			} else if err := os.WriteFile(path, damaged, 0o600); err != nil {
				t.Fatal(err)
			}

			r, err := audit.Verify(dir, audittest.PublicKey, nil)
			if !errors.Is(err, audit.ErrBroken) || r.Bad == nil || r.Bad.File != path || !strings.Contains(r.Bad.Why, "records themselves are not affected") {
				t.Errorf("%s %s: Verify returned %+v, %v; want a fault in that file", path, name, r.Bad, err)
			}
			if err := os.WriteFile(path, whole, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestI8BytesAfterTheZerosAreNamed writes into the zeros that follow the last line.
// Such bytes are not records, and verification says where they are.
func TestI8BytesAfterTheZerosAreNamed(t *testing.T) {
	dir, _ := writeLongLog(t, 10)
	segments := audittest.Must(segment.List(dir))
	path := segments[len(segments)-1].Path
	lines := audittest.Must(os.ReadFile(path))

	for _, c := range []struct {
		name       string
		end        string
		unfinished int64
		afterZeros int64 // counted from the end of the lines; 0: none
	}{
		{"nothing", "", 0, 0},
		{"zeros", strings.Repeat("\x00", 5000), 0, 0},
		{"bytes", "evil", 4, 0},
		{"bytes after zeros", strings.Repeat("\x00", 5000) + "evil", 5004, 5000},
		{"a line after zeros", strings.Repeat("\x00", 4096) + "{}\n", 4099, 4096},
		{"bytes, zeros, bytes", "{\x00\x00}", 4, 3},
		{"bytes between zeros", "\x00x\x00", 2, 1},
	} {
		if err := os.WriteFile(path, append(append([]byte(nil), lines...), c.end...), 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := audit.Verify(dir, audittest.PublicKey, nil)
		if err != nil || r.Unfinished != c.unfinished {
			t.Errorf("%s: got %d unfinished bytes, error %v; want %d", c.name, r.Unfinished, err, c.unfinished)
			continue
		}
		if c.unfinished == 0 {
			continue
		}

		want := audit.UnfinishedEnd{File: path, Offset: int64(len(lines))}
		if c.afterZeros > 0 {
			want.AfterZeros = want.Offset + c.afterZeros
		}
		if *r.UnfinishedAt != want || r.Closed {
			t.Errorf("%s: got %+v, closed %v; want %+v of a log that is not closed", c.name, *r.UnfinishedAt, r.Closed, want)
		}
	}
}
