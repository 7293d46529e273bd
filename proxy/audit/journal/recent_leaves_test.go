package journal

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/audit/internal/audittest"
	"github.com/byline-proxy/byline/proxy/audit/internal/merkle"
)

// leavesStep is one call of add, if count is not 0, or else of take.
type leavesStep struct {
	first, count uint64 // leaves to add
	note         string // of a checkpoint that is the last of them

	from, end  uint64 // leaves to take
	wantLeaves int    // -1 if take must return false
	wantNote   string
}

// TestRecentLeaves adds and takes leaves in every order in which a log and a
// publisher that is late can come.
func TestRecentLeaves(t *testing.T) {
	for name, steps := range map[string][]leavesStep{
		"in order": {
			{first: 0, count: 5},
			{from: 0, end: 3, wantLeaves: 3},
			{from: 3, end: 5, wantLeaves: 2},
		},
		"no new leaves": {
			{first: 0, count: 5},
			{from: 5, end: 5, wantLeaves: 0},
		},
		"from the middle": {
			{first: 0, count: 5},
			{from: 2, end: 5, wantLeaves: 3},
			{from: 0, end: 5, wantLeaves: -1},
		},
		"older than the first": {
			{first: 7, count: 5},
			{from: 3, end: 9, wantLeaves: -1},
			{from: 7, end: 9, wantLeaves: 2},
		},
		"newer than the last": {
			{first: 0, count: 5},
			{from: 0, end: 6, wantLeaves: -1},
			{from: 0, end: 5, wantLeaves: 5},
		},
		"end before from": {
			{first: 0, count: 5},
			{from: 4, end: 3, wantLeaves: -1},
		},
		"gap": {
			{first: 0, count: 5},
			{first: 9, count: 2},
			{from: 0, end: 11, wantLeaves: -1},
			{from: 9, end: 11, wantLeaves: 2},
		},
		"too many": {
			{first: 0, count: 5},
			{first: 5, count: maxRecentLeaves},
			{from: 0, end: 9, wantLeaves: -1},
			{from: 5, end: 9, wantLeaves: 4},
		},
		"checkpoint": {
			{first: 0, count: 5, note: "a"},
			{from: 0, end: 5, wantLeaves: 5, wantNote: "a"},
		},
		"two checkpoints": {
			{first: 0, count: 5, note: "a"},
			{first: 5, count: 2, note: "b"},
			{from: 0, end: 7, wantLeaves: 7, wantNote: "b"},
		},
		"checkpoint after the end": {
			{first: 0, count: 5, note: "a"},
			{from: 0, end: 4, wantLeaves: 4},
			{from: 4, end: 5, wantLeaves: 1, wantNote: "a"},
		},
		"checkpoint already taken": {
			{first: 0, count: 5, note: "a"},
			{from: 0, end: 5, wantLeaves: 5, wantNote: "a"},
			{first: 5, count: 1},
			{from: 5, end: 6, wantLeaves: 1},
		},
		"gap after a checkpoint": {
			{first: 0, count: 5, note: "a"},
			{first: 6, count: 1},
			{from: 6, end: 7, wantLeaves: 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var recent recentLeaves
			for _, s := range steps {
				if s.count > 0 {
					s.add(&recent)
				} else {
					s.take(t, &recent)
				}
			}
		})
	}
}

func (s leavesStep) add(recent *recentLeaves) {
	var leaves []merkle.Hash
	for i := range s.count {
		leaves = append(leaves, merkle.Hash{byte(s.first + i)})
	}
	recent.add(s.first, leaves, s.first+s.count-1, s.note)
}

func (s leavesStep) take(t *testing.T, recent *recentLeaves) {
	t.Helper()
	got := -1
	gotNote := ""
	ok, err := recent.take(s.from, s.end, func(leaves []merkle.Hash, _ uint64, note string) error {
		got = len(leaves)
		gotNote = note
		for i, leaf := range leaves {
			if want := byte(s.from + uint64(i)); leaf[0] != want {
				t.Errorf("leaf %d is that of line %d", want, leaf[0])
			}
		}
		return nil
	})
	if err != nil || ok != (s.wantLeaves >= 0) || got != s.wantLeaves || gotNote != s.wantNote {
		t.Errorf("take(%d, %d) returned %v, %v and passed %d leaves and note %q; want %d leaves and note %q",
			s.from, s.end, ok, err, got, gotNote, s.wantLeaves, s.wantNote)
	}
}

// TestTilesFromMemoryAndFromSegmentsAreTheSame makes the tiles of one log twice:
// while it is written, from the leaf hashes in memory, of which some are lost, and
// again from its segments.
func TestTilesFromMemoryAndFromSegmentsAreTheSame(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, Config{Dir: dir, SegmentBytes: 100 << 10, CheckpointEvery: 5 * time.Millisecond})
	for i := range 1500 {
		mustWait(t, l.Append(audittest.Intent(i)))
		if i%400 == 399 {
			recent := &l.writer.recent
			recent.mu.Lock()
			recent.from += uint64(len(recent.leaves))
			recent.leaves = nil
			recent.mu.Unlock()
		}
	}
	mustClose(t, l)
	if err := l.PublishErr(); err != nil {
		t.Fatal(err)
	}

	out := t.TempDir()
	tiler := audittest.Must(audit.OpenTiler(dir, out, false))
	if err := tiler.Advance(nil, nil); err != nil {
		t.Fatal(err)
	}
	published := readFullTiles(t, filepath.Join(dir, audit.TilesDir))
	fromSegments := readFullTiles(t, out)
	if len(published) < 6 || len(published) != len(fromSegments) {
		t.Fatalf("%d files were published and %d made from the segments; want the same number, at least 6", len(published), len(fromSegments))
	}
	for name, b := range published {
		if !bytes.Equal(b, fromSegments[name]) {
			t.Errorf("%s differs from the one made from the segments", name)
		}
	}
}

// readFullTiles returns the checkpoint and the full tiles below dir, by name.
func readFullTiles(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{"checkpoint": audittest.Must(os.ReadFile(filepath.Join(dir, audit.CheckpointFile)))}
	err := filepath.WalkDir(filepath.Join(dir, "tile"), func(path string, d fs.DirEntry, err error) error {
		partial := filepath.Ext(filepath.Dir(path)) == ".p"
		if err == nil && d.Type().IsRegular() && !partial {
			files[audittest.Must(filepath.Rel(dir, path))] = audittest.Must(os.ReadFile(path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
