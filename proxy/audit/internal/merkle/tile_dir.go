package merkle

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// TileDir is a folder in the form of C2SP tlog-tiles: tile/ and, if it is an
// export, tile/entries/. It is derived from the segments and can be made again
// from them, so nothing in it is synced, and nothing that is read from it is
// believed before it fits a root that was signed.
type TileDir struct{ Dir string }

// path is where a tile lies; level -1 are the entries.
func (f TileDir) Path(level int, n uint64, width int) string {
	t := tlog.Tile{H: TileHeight, L: level, N: int64(n), W: width}
	if level < 0 {
		return filepath.Join(f.Dir, "tile", "entries", strings.TrimPrefix(t.Path(), "tile/8/data/"))
	}
	return filepath.Join(f.Dir, "tile", strings.TrimPrefix(t.Path(), "tile/8/"))
}

// write puts a tile in place, whole or not at all. A full tile makes the
// partial ones before it superfluous.
func (f TileDir) WriteTile(level int, n uint64, width int, b []byte) error {
	path := f.Path(level, n, width)
	if err := replaceFile(path, b); err != nil {
		return err
	}
	if width == TileWidth {
		return os.RemoveAll(path + ".p")
	}
	return nil
}

// WriteFile puts a file of the folder in place, whole or not at all.
func (f TileDir) WriteFile(name string, b []byte) error {
	return replaceFile(filepath.Join(f.Dir, name), b)
}

func replaceFile(path string, b []byte) error {
	tmp := path + ".new"
	err := os.WriteFile(tmp, b, 0o600)
	if errors.Is(err, os.ErrNotExist) {
		if err = os.MkdirAll(filepath.Dir(path), 0o700); err == nil {
			err = os.WriteFile(tmp, b, 0o600)
		}
	}
	if err != nil {
		return err
	}
	return os.Rename(tmp, path)
}

// read returns the first width hashes of a tile, from whatever file holds them:
// partial tiles are removed once the tile is full.
func (f TileDir) ReadTile(level int, n uint64, width int) ([]byte, error) {
	want := width * len(Hash{})
	full := f.Path(level, n, TileWidth)
	paths := []string{f.Path(level, n, width), full}
	if partial, err := os.ReadDir(full + ".p"); err == nil {
		for _, e := range partial {
			if w, err := strconv.Atoi(e.Name()); err == nil && w > width {
				paths = append(paths, filepath.Join(full+".p", e.Name()))
			}
		}
	}
	var first error
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err == nil && len(b) >= want {
			return b[:want], nil
		}
		if err == nil {
			err = fmt.Errorf("%s: is cut short", path)
		}
		if first == nil {
			first = err
		}
	}
	return nil, first
}

// edge reads the right edge of the tree of that size.
func (f TileDir) Frontier(size uint64) (e TileFrontier, err error) {
	e.Size = size
	for l := range e.Levels {
		n := size >> (TileHeight * l)
		w := int(n % TileWidth)
		if w == 0 {
			continue
		}
		b, err := f.ReadTile(l, n/TileWidth, w)
		if err != nil {
			return TileFrontier{}, err
		}
		for part := range slices.Chunk(b, len(Hash{})) {
			e.Levels[l] = append(e.Levels[l], Hash(part))
		}
	}
	return e, nil
}

// hashes reads hashes of the tree of that size and root. Every tile is checked
// against the root before one of its hashes is used.
func (f TileDir) HashReader(size uint64, root Hash) tlog.HashReader {
	return tlog.TileHashReader(tlog.Tree{N: int64(size), Hash: tlog.Hash(root)}, tileReader{f})
}

// tileReader is a tlog.TileReader.
type tileReader struct{ files TileDir }

func (tileReader) Height() int                     { return TileHeight }
func (tileReader) SaveTiles([]tlog.Tile, [][]byte) {}
func (r tileReader) ReadTiles(tiles []tlog.Tile) (all [][]byte, err error) {
	for _, t := range tiles {
		b, err := r.files.ReadTile(t.L, uint64(t.N), t.W)
		if err != nil {
			return nil, err
		}
		all = append(all, b)
	}
	return all, nil
}

// ConcatHashes writes hashes one after the other, as a tile holds them.
func ConcatHashes(hashes []Hash) []byte {
	b := make([]byte, 0, len(hashes)*len(Hash{}))
	for i := range hashes {
		b = append(b, hashes[i][:]...)
	}
	return b
}
