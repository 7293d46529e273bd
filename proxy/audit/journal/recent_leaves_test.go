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

// TestFreshLeaves adds and takes leaves in every order that a log and a tiler
// that is behind can come in.
func TestFreshLeaves(t *testing.T) {
	type step struct {
		add        [2]uint64 // first seq and how many
		note       string    // of a checkpoint that is the last of them
		from, upto uint64    // taken when there is nothing to add
		want       int       // leaves; -1: they are not here
		noted      string
	}
	for name, steps := range map[string][]step{
		"in order":               {{add: [2]uint64{0, 5}}, {from: 0, upto: 3, want: 3}, {from: 3, upto: 5, want: 2}},
		"nothing new":            {{add: [2]uint64{0, 5}}, {from: 5, upto: 5, want: 0}},
		"from the middle":        {{add: [2]uint64{0, 5}}, {from: 2, upto: 5, want: 3}, {from: 0, upto: 5, want: -1}},
		"older ones are wanted":  {{add: [2]uint64{7, 5}}, {from: 3, upto: 9, want: -1}, {from: 7, upto: 9, want: 2}},
		"newer ones are wanted":  {{add: [2]uint64{0, 5}}, {from: 0, upto: 6, want: -1}, {from: 0, upto: 5, want: 5}},
		"backwards":              {{add: [2]uint64{0, 5}}, {from: 4, upto: 3, want: -1}},
		"a gap":                  {{add: [2]uint64{0, 5}}, {add: [2]uint64{9, 2}}, {from: 0, upto: 11, want: -1}, {from: 9, upto: 11, want: 2}},
		"too many":               {{add: [2]uint64{0, 5}}, {add: [2]uint64{5, maxRecentLeaves}}, {from: 0, upto: 9, want: -1}, {from: 5, upto: 9, want: 4}},
		"a checkpoint":           {{add: [2]uint64{0, 5}, note: "a"}, {from: 0, upto: 5, want: 5, noted: "a"}},
		"two checkpoints":        {{add: [2]uint64{0, 5}, note: "a"}, {add: [2]uint64{5, 2}, note: "b"}, {from: 0, upto: 7, want: 7, noted: "b"}},
		"a checkpoint not asked": {{add: [2]uint64{0, 5}, note: "a"}, {from: 0, upto: 4, want: 4}, {from: 4, upto: 5, want: 1, noted: "a"}},
		"a checkpoint taken":     {{add: [2]uint64{0, 5}, note: "a"}, {from: 0, upto: 5, want: 5, noted: "a"}, {add: [2]uint64{5, 1}}, {from: 5, upto: 6, want: 1}},
		"a gap forgets the note": {{add: [2]uint64{0, 5}, note: "a"}, {add: [2]uint64{6, 1}}, {from: 6, upto: 7, want: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			var f recentLeaves
			for _, s := range steps {
				if n := s.add[1]; n > 0 {
					var made []merkle.Hash
					for i := range n {
						made = append(made, merkle.Hash{byte(s.add[0] + i)})
					}
					f.add(s.add[0], made, s.add[0]+n-1, s.note)
					continue
				}
				got, noted := -1, ""
				all, err := f.take(s.from, s.upto, func(leaves []merkle.Hash, _ uint64, note string) error {
					got, noted = len(leaves), note
					for i, h := range leaves {
						if h[0] != byte(s.from+uint64(i)) {
							t.Errorf("leaf %d is that of seq %d", s.from+uint64(i), h[0])
						}
					}
					return nil
				})
				if err != nil || all != (s.want >= 0) || got != s.want || noted != s.noted {
					t.Errorf("%d to %d: got %d leaves (all here: %v), note %q, %v; want %d, %q", s.from, s.upto, got, all, noted, err, s.want, s.noted)
				}
			}
		})
	}
}

// TestTilesFromMemoryAndFromSegmentsAreTheSame makes the tiles of one log while
// it is written, from the hashes in memory, with some lost on the way, and
// again from its segments.
func TestTilesFromMemoryAndFromSegmentsAreTheSame(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, Config{Dir: dir, SegmentBytes: 100 << 10, CheckpointEvery: 5 * time.Millisecond})
	for i := range 1500 {
		mustWait(t, l.Append(audittest.Intent(i)))
		if i%400 == 399 {
			f := &l.writer.recent
			f.mu.Lock()
			f.from, f.leaves = f.from+uint64(len(f.leaves)), nil
			f.mu.Unlock()
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := l.PublishErr(); err != nil {
		t.Fatal(err)
	}
	again := t.TempDir()
	made := audittest.Must(audit.OpenTiler(dir, again, false))
	if err := made.Advance(nil, nil); err != nil {
		t.Fatal(err)
	}
	kept, fromSegments := tree256(t, filepath.Join(dir, audit.TilesDir)), tree256(t, again)
	if len(kept) < 6 {
		t.Fatalf("only %d full tiles", len(kept))
	}
	for name, b := range kept {
		if !bytes.Equal(b, fromSegments[name]) {
			t.Errorf("%s is not the same", name)
		}
	}
	if len(fromSegments) != len(kept) {
		t.Errorf("%d full tiles, %d from the segments", len(kept), len(fromSegments))
	}
}

// tree256 reads the checkpoint and the full tiles below dir, by name.
func tree256(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	all := map[string][]byte{"checkpoint": audittest.Must(os.ReadFile(filepath.Join(dir, audit.CheckpointFile)))}
	err := filepath.WalkDir(filepath.Join(dir, "tile"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && filepath.Ext(filepath.Dir(path)) != ".p" {
			all[audittest.Must(filepath.Rel(dir, path))] = audittest.Must(os.ReadFile(path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
