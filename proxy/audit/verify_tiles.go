package audit

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/byline-proxy/byline/proxy/audit/internal/merkle"
)

// tileCheck compares the tiles in the directory of a log with its records, up to
// the published checkpoint. Proofs are made from the tiles, and a tile that was
// changed makes proofs that nobody accepts.
type tileCheck struct {
	tiles    Tiles
	size     uint64 // records that the published checkpoint covers
	signed   string
	frontier merkle.TileFrontier
	bad      *Fault // the first tile that differs; nil if none did
	skipped  bool   // the records that the tiles cover are not in the folders
}

// newTileChecks returns the check of the tiles in the directory of a log, or none if
// the log has published none.
func newTileChecks(dir string) []*tileCheck {
	tiles := TilesOf(dir)
	signed, c, err := tiles.Checkpoint()
	if err != nil {
		return nil
	}

	return []*tileCheck{{tiles: tiles, size: c.Size, signed: signed}}
}

// startAt makes the check begin at the record with number start. root is the signed
// root of the records before it, with which the tiles must agree.
func (t *tileCheck) startAt(start uint64, root merkle.Hash) {
	if t.size < start {
		t.skipped = true
		return
	}

	frontier, err := t.tiles.Frontier(start)
	if err != nil || frontier.Tree().Root() != root {
		for level := range frontier.Levels {
			n := start >> (merkle.TileHeight * (level + 1))
			width := int(start >> (merkle.TileHeight * level) % merkle.TileWidth)
			if width > 0 {
				t.report(level, n, t.tiles.Path(level, n, width), nil, make([]byte, 1), cmp.Or(err, errOtherRoot))
				return
			}
		}
	}
	t.frontier = frontier
	t.compareOlderTiles(start)
}

var errOtherRoot = errors.New("the tiles of the records before the first segment do not have the root that its checkpoint signs")

// compareOlderTiles compares the full tiles of records that are not in the folders
// with the tiles above them, whose hashes are the roots of those below.
func (t *tileCheck) compareOlderTiles(start uint64) {
	for level := range t.frontier.Levels {
		var above []byte
		full := start >> (merkle.TileHeight * (level + 1))
		for n := range full {
			at := n % merkle.TileWidth
			if at == 0 {
				width := min(full-n, merkle.TileWidth)
				var err error
				above, err = t.tiles.ReadTile(level+1, n/merkle.TileWidth, int(width))
				if err != nil {
					t.report(level+1, n/merkle.TileWidth, t.tiles.Path(level+1, n/merkle.TileWidth, int(width)), nil, make([]byte, 1), err)
					return
				}
			}

			tile, err := t.tiles.ReadTile(level, n, merkle.TileWidth)
			want := merkle.Hash(above[int(at)*hashBytes:][:hashBytes])
			if err == nil && merkle.TileRoot(tile) == want {
				continue
			}
			t.report(level, n, t.tiles.Path(level, n, merkle.TileWidth), nil, make([]byte, 1), cmp.Or(err, errOtherTileRoot))
			return
		}
	}
}

var errOtherTileRoot = errors.New("the tile does not have the root that the tile above it holds")

const hashBytes = len(merkle.Hash{})

// add adds the leaf of the next record. It compares each tile that the leaf
// completes.
func (t *tileCheck) add(leaf merkle.Hash) {
	if t.bad != nil || t.skipped || t.frontier.Size >= t.size {
		return
	}

	_ = t.frontier.Add(leaf, func(level int, n uint64, hashes []merkle.Hash) error { // compare returns no error
		t.compare(level, n, hashes)
		return nil
	})
	if t.frontier.Size < t.size {
		return
	}
	for level, hashes := range t.frontier.Levels { // the right edge, in partial tiles
		if len(hashes) > 0 {
			t.compare(level, t.size>>(merkle.TileHeight*(level+1)), hashes)
		}
	}
}

// compare compares a tile with the hashes that it must hold.
func (t *tileCheck) compare(level int, n uint64, hashes []merkle.Hash) {
	if t.bad != nil {
		return
	}

	want := merkle.ConcatHashes(hashes)
	t.comparePartialTiles(level, n, want)
	t.checkTileSize(level, n)
	got, err := t.tiles.ReadTile(level, n, len(hashes))
	if t.bad != nil || err == nil && bytes.Equal(got, want) {
		return
	}
	if err != nil && t.publishedAgain() {
		return // the writer has replaced the partial tiles meanwhile
	}
	t.report(level, n, t.tiles.Path(level, n, len(hashes)), got, want, err)
}

// checkTileSize checks that a full tile, if there is one, is as long as it must be.
func (t *tileCheck) checkTileSize(level int, n uint64) {
	const size = int64(merkle.TileWidth * hashBytes)
	path := t.tiles.Path(level, n, merkle.TileWidth)
	info, err := os.Stat(path)
	if err == nil && info.Size() != size && t.bad == nil {
		t.report(level, n, path, nil, make([]byte, 1), fmt.Errorf("the tile has %d bytes, want %d", info.Size(), size))
	}
}

// comparePartialTiles compares the partial tiles of a tile that are no wider than the
// hashes in want. The writer leaves those of older checkpoints for a while.
func (t *tileCheck) comparePartialTiles(level int, n uint64, want []byte) {
	dir := t.tiles.PartialTiles(level, n)
	entries, _ := os.ReadDir(dir) // most tiles have none
	for _, e := range entries {
		width, err := strconv.Atoi(e.Name())
		if err != nil || width*len(merkle.Hash{}) > len(want) {
			continue
		}

		path := filepath.Join(dir, e.Name())
		got, err := os.ReadFile(path)
		if err == nil && !bytes.Equal(got, want[:width*len(merkle.Hash{})]) {
			t.report(level, n, path, got, want, nil)
			return
		}
	}
}

// report notes that the tile in a file is not what it must be. err is the error of
// reading it.
func (t *tileCheck) report(level int, n uint64, path string, got, want []byte, err error) {
	place, why := 0, "the tile is missing or too short"
	if err == nil {
		for place < min(len(got), len(want)-1) && got[place] == want[place] {
			place++
		}
		why = "the tile does not hold the hashes of the records"
	} else if !errors.Is(err, os.ErrNotExist) {
		why = err.Error()
	}

	hash := uint64(place / len(merkle.Hash{}))
	t.bad = &Fault{
		File: path,
		Line: int(hash) + 1,
		Seq:  (n*merkle.TileWidth + hash) << (merkle.TileHeight * level),
		Why:  fmt.Sprintf("%s (hash %d of it); the records themselves are not affected, and byline audit tiles makes the tiles again from them", why, hash+1),
	}
}

// publishedAgain reports whether the log has published another checkpoint since the
// check began.
func (t *tileCheck) publishedAgain() bool {
	signed, _, err := t.tiles.Checkpoint()
	return err == nil && signed != t.signed
}
