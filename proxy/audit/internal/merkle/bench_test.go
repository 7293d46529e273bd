package merkle

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
)

// BenchmarkProveAt100M makes inclusion and consistency proofs in a tree of 100
// million leaves. The leaves are alike, so that the tiles on every path can be
// written without a log of 90 GB.
func BenchmarkProveAt100M(b *testing.B) {
	const size = 100_000_000
	files := TileDir{filepath.Join(b.TempDir(), "tiles")}
	e := alikeTiles(b, files, size)
	root := e.Tree().Root()
	b.Run("inclusion", func(b *testing.B) {
		for i := uint64(0); b.Loop(); i = (i + 7_777_777) % size {
			p, err := tlog.ProveRecord(size, int64(i), files.HashReader(size, root))
			if err != nil || tlog.CheckRecord(p, size, tlog.Hash(root), int64(i), tlog.Hash(LeafHash([]byte{0, 'x'}))) != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("consistency", func(b *testing.B) {
		for i := uint64(1); b.Loop(); i = (i+7_777_777)%size + 1 {
			if _, err := tlog.ProveTree(size, int64(i), files.HashReader(size, root)); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// alikeTiles makes the tiles of a tree whose leaves are alike: all full tiles
// of a level are one file, linked under each name.
func alikeTiles(b *testing.B, files TileDir, size uint64) TileFrontier {
	b.Helper()
	e := TileFrontier{Size: size}
	h := LeafHash([]byte{0, 'x'})
	for l := range e.Levels {
		n := size >> (TileHeight * l)
		if n == 0 {
			break
		}
		for range n % TileWidth {
			e.Levels[l] = append(e.Levels[l], h)
		}
		full := make([]Hash, TileWidth)
		for i := range full {
			full[i] = h
		}
		one := filepath.Join(files.Dir, fmt.Sprint("level", l))
		if err := replaceFile(one, ConcatHashes(full)); err != nil {
			b.Fatal(err)
		}
		for t := range n / TileWidth {
			path := files.Path(l, t, TileWidth)
			os.MkdirAll(filepath.Dir(path), 0o700)
			if err := os.Symlink(one, path); err != nil {
				b.Fatal(err)
			}
		}
		if w := int(n % TileWidth); w > 0 {
			if err := files.WriteTile(l, n/TileWidth, w, ConcatHashes(full[:w])); err != nil {
				b.Fatal(err)
			}
		}
		h = fullRoot(full)
	}
	return e
}
