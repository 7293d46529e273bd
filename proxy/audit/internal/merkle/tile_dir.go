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

	"github.com/byline-proxy/byline/proxy/internal/durable"
)

// EntryLevel is the level under which TileDir keeps entry bundles: the lines
// themselves, TileWidth in a full bundle.
const EntryLevel = -1

// TileDir is a directory in the form of C2SP tlog-tiles, with tiles below tile/
// and entry bundles, if it is an export, below tile/entries/.
//
// The directory is derived from the segments of a log and can be made again
// from them. Therefore nothing in it is synced to disk, and readers trust
// nothing in it before they have checked it against a signed root.
type TileDir struct{ Dir string }

// Path returns the path of a tile, or of an entry bundle if level is EntryLevel.
// A width below TileWidth names a partial tile.
func (d TileDir) Path(level int, n uint64, width int) string {
	tile := tlog.Tile{H: TileHeight, L: level, N: int64(n), W: width}
	if level == EntryLevel {
		return filepath.Join(d.Dir, "tile", "entries", strings.TrimPrefix(tile.Path(), "tile/8/data/"))
	}

	return filepath.Join(d.Dir, "tile", strings.TrimPrefix(tile.Path(), "tile/8/"))
}

// WriteTile replaces a tile atomically. A full tile removes its partial tiles,
// whose hashes it holds too.
func (d TileDir) WriteTile(level int, n uint64, width int, b []byte) error {
	path := d.Path(level, n, width)
	if err := replaceFile(path, b); err != nil {
		return err
	}

	if width == TileWidth {
		return os.RemoveAll(path + partialSuffix)
	}

	return nil
}

// HasFullTile reports whether the full tile exists.
func (d TileDir) HasFullTile(level int, n uint64) bool {
	_, err := os.Stat(d.Path(level, n, TileWidth))

	return err == nil
}

// PartialTiles returns the directory that holds the partial tiles of a tile.
func (d TileDir) PartialTiles(level int, n uint64) string {
	return d.Path(level, n, TileWidth) + partialSuffix
}

// RemoveTilesFrom removes the tile with number n and those after it in a level, as
// far as they follow one another. Of tile n it keeps the partial tile of width
// keep, if that is not 0.
func (d TileDir) RemoveTilesFrom(level int, n uint64, keep int) error {
	for ; ; n++ {
		full := os.Remove(d.Path(level, n, TileWidth))
		if full != nil && !errors.Is(full, os.ErrNotExist) {
			return full
		}

		dir := d.PartialTiles(level, n)
		entries, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		for _, e := range entries {
			if keep > 0 && e.Name() == strconv.Itoa(keep) {
				continue
			}
			if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}

		if keep == 0 && full != nil && err != nil {
			return nil
		}
		if keep == 0 && err == nil {
			if err := os.Remove(dir); err != nil {
				return err
			}
		}
		keep = 0
	}
}

// partialSuffix is what C2SP tlog-tiles appends to the path of a full tile for
// the directory of its partial tiles.
const partialSuffix = ".p"

// WriteFile replaces the file called name in the directory atomically.
func (d TileDir) WriteFile(name string, b []byte) error {
	return replaceFile(filepath.Join(d.Dir, name), b)
}

// replaceFile replaces a file and makes its directory if necessary.
func replaceFile(path string, b []byte) error {
	err := durable.Replace(path, b, 0o600, durable.Unsynced)
	if !errors.Is(err, os.ErrNotExist) {
		return err
	}

	if err := durable.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}

	return durable.Replace(path, b, 0o600, durable.Unsynced)
}

// ReadTile returns the first width hashes of a tile. They may come from the
// full tile or from a wider partial one, because a writer removes partial tiles
// when the tile is full.
func (d TileDir) ReadTile(level int, n uint64, width int) ([]byte, error) {
	paths := []string{d.Path(level, n, width), d.Path(level, n, TileWidth)}
	partialDir := d.PartialTiles(level, n)
	if partial, err := os.ReadDir(partialDir); err == nil {
		for _, e := range partial {
			w, err := strconv.Atoi(e.Name())
			if err == nil && w > width {
				paths = append(paths, filepath.Join(partialDir, e.Name()))
			}
		}
	}

	want := width * len(Hash{})
	var firstErr error
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err == nil && len(b) >= want {
			return b[:want], nil
		}

		if err == nil {
			err = fmt.Errorf("%s: truncated", path)
		}
		if firstErr == nil {
			firstErr = err
		}
	}

	return nil, firstErr
}

// Frontier reads the right edge of the tree with that many leaves.
func (d TileDir) Frontier(size uint64) (f TileFrontier, err error) {
	f.Size = size

	for l := range f.Levels {
		n := size >> (TileHeight * l)
		width := int(n % TileWidth)
		if width == 0 {
			continue
		}

		b, err := d.ReadTile(l, n/TileWidth, width)
		if err != nil {
			return TileFrontier{}, err
		}
		for part := range slices.Chunk(b, len(Hash{})) {
			f.Levels[l] = append(f.Levels[l], Hash(part))
		}
	}

	return f, nil
}

// HashReader returns a reader of the hashes of the tree with that size and root.
// It checks each tile against the root before it returns a hash of the tile.
func (d TileDir) HashReader(size uint64, root Hash) tlog.HashReader {
	return tlog.TileHashReader(tlog.Tree{N: int64(size), Hash: tlog.Hash(root)}, tileReader{d})
}

// tileReader implements tlog.TileReader.
type tileReader struct{ dir TileDir }

func (tileReader) Height() int                     { return TileHeight }
func (tileReader) SaveTiles([]tlog.Tile, [][]byte) {}

func (r tileReader) ReadTiles(tiles []tlog.Tile) (data [][]byte, err error) {
	for _, t := range tiles {
		b, err := r.dir.ReadTile(t.L, uint64(t.N), t.W)
		if err != nil {
			return nil, err
		}
		data = append(data, b)
	}

	return data, nil
}

// ConcatHashes returns hashes one after the other, as a tile holds them.
func ConcatHashes(hashes []Hash) []byte {
	b := make([]byte, 0, len(hashes)*len(Hash{}))
	for i := range hashes {
		b = append(b, hashes[i][:]...)
	}

	return b
}
