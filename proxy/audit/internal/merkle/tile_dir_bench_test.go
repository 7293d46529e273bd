package merkle

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
)

// BenchmarkProveAt100M makes inclusion and consistency proofs in a tree of 100
// million leaves. All leaves are equal, so that the tiles on every path can be
// written without a log of 90 GB.
func BenchmarkProveAt100M(b *testing.B) {
	const size = 100_000_000
	dir := TileDir{filepath.Join(b.TempDir(), "tiles")}
	frontier := writeTilesOfEqualLeaves(b, dir, size)
	root := frontier.Tree().Root()
	leaf := tlog.Hash(LeafHash([]byte{0, 'x'}))

	b.Run("inclusion", func(b *testing.B) {
		for i := uint64(0); b.Loop(); i = (i + 7_777_777) % size {
			p, err := tlog.ProveRecord(size, int64(i), dir.HashReader(size, root))
			if err != nil || tlog.CheckRecord(p, size, tlog.Hash(root), int64(i), leaf) != nil {
				b.Fatal(err)
			}
		}
	})

	b.Run("consistency", func(b *testing.B) {
		for i := uint64(1); b.Loop(); i = (i+7_777_777)%size + 1 {
			_, err := tlog.ProveTree(size, int64(i), dir.HashReader(size, root))
			if err != nil {
				b.Fatal(err)
			}
		}
	})
}

// writeTilesOfEqualLeaves writes the tiles of a tree whose leaves are equal. All
// full tiles of a level are links to one file.
func writeTilesOfEqualLeaves(b *testing.B, dir TileDir, size uint64) TileFrontier {
	b.Helper()
	frontier := TileFrontier{Size: size}
	h := LeafHash([]byte{0, 'x'})

	for l := range frontier.Levels {
		n := size >> (TileHeight * l)
		if n == 0 {
			break
		}
		for range n % TileWidth {
			frontier.Levels[l] = append(frontier.Levels[l], h)
		}

		full := make([]Hash, TileWidth)
		for i := range full {
			full[i] = h
		}
		shared := fmt.Sprint("level", l)
		if err := dir.WriteFile(shared, ConcatHashes(full)); err != nil {
			b.Fatal(err)
		}
		for t := range n / TileWidth {
			path := dir.Path(l, t, TileWidth)
			os.MkdirAll(filepath.Dir(path), 0o700)
			if err := os.Symlink(filepath.Join(dir.Dir, shared), path); err != nil {
				b.Fatal(err)
			}
		}
		if w := int(n % TileWidth); w > 0 {
			if err := dir.WriteTile(l, n/TileWidth, w, ConcatHashes(full[:w])); err != nil {
				b.Fatal(err)
			}
		}

		h = reduceToRoot(full)
	}

	return frontier
}
