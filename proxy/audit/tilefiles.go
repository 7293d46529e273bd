package audit

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

const checkpointFile = "checkpoint"

// tileFiles is a folder in the form of C2SP tlog-tiles: checkpoint, tile/ and,
// if it is an export, tile/entries/. It is derived from the segments and can be
// made again from them, so nothing in it is synced, and nothing that is read
// from it is believed before it fits a root that was signed.
type tileFiles struct{ dir string }

// path is where a tile lies; level -1 are the entries.
func (f tileFiles) path(level int, n uint64, width int) string {
	t := tlog.Tile{H: tileHeight, L: level, N: int64(n), W: width}
	if level < 0 {
		return filepath.Join(f.dir, "tile", "entries", strings.TrimPrefix(t.Path(), "tile/8/data/"))
	}
	return filepath.Join(f.dir, "tile", strings.TrimPrefix(t.Path(), "tile/8/"))
}

// write puts a tile in place, whole or not at all. A full tile makes the
// partial ones before it superfluous.
func (f tileFiles) write(level int, n uint64, width int, b []byte) error {
	path := f.path(level, n, width)
	if err := replaceFile(path, b); err != nil {
		return err
	}
	if width == tileWidth {
		return os.RemoveAll(path + ".p")
	}
	return nil
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
func (f tileFiles) read(level int, n uint64, width int) ([]byte, error) {
	want := width * len(hash{})
	full := f.path(level, n, tileWidth)
	paths := []string{f.path(level, n, width), full}
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
func (f tileFiles) edge(size uint64) (e edge, err error) {
	e.size = size
	for l := range e.level {
		n := size >> (tileHeight * l)
		w := int(n % tileWidth)
		if w == 0 {
			continue
		}
		b, err := f.read(l, n/tileWidth, w)
		if err != nil {
			return edge{}, err
		}
		for part := range slices.Chunk(b, len(hash{})) {
			e.level[l] = append(e.level[l], hash(part))
		}
	}
	return e, nil
}

// hashes reads hashes of the tree of that size and root. Every tile is checked
// against the root before one of its hashes is used.
func (f tileFiles) hashes(size uint64, root hash) tlog.HashReader {
	return tlog.TileHashReader(tlog.Tree{N: int64(size), Hash: tlog.Hash(root)}, tileReader{f})
}

// tileReader is a tlog.TileReader.
type tileReader struct{ files tileFiles }

func (tileReader) Height() int                     { return tileHeight }
func (tileReader) SaveTiles([]tlog.Tile, [][]byte) {}
func (r tileReader) ReadTiles(tiles []tlog.Tile) (all [][]byte, err error) {
	for _, t := range tiles {
		b, err := r.files.read(t.L, uint64(t.N), t.W)
		if err != nil {
			return nil, err
		}
		all = append(all, b)
	}
	return all, nil
}

// checkpoint is the published note with what it says; nobody has checked its
// signature here.
func (f tileFiles) checkpoint() (signed string, c Checkpoint, err error) {
	return f.note(checkpointFile)
}

// witnessed is the newest note that a quorum of witnesses signed, or, where
// there is none, the published one.
func (f tileFiles) witnessed() (signed string, c Checkpoint, err error) {
	if signed, c, err = f.note(witnessedFile); err == nil {
		return signed, c, nil
	}
	return f.note(checkpointFile)
}

func (f tileFiles) note(name string) (signed string, c Checkpoint, err error) {
	b, err := os.ReadFile(filepath.Join(f.dir, name))
	if err != nil {
		return "", c, err
	}
	c, err = unverified(string(b))
	return string(b), c, err
}

func unverified(signed string) (Checkpoint, error) {
	text, _, ok := strings.Cut(signed, "\n\n")
	if !ok {
		return Checkpoint{}, errors.New("checkpoint: not a signed note")
	}
	return parseCheckpointText(text + "\n")
}
