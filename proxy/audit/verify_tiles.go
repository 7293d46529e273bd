package audit

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"math/bits"
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
	bad      *Fault // of what differs, that which covers the first record; nil if nothing does
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

// startAt makes the check begin at the record with number start. before is the tree of
// the records before it, for which a signature vouches and with which the tiles must
// agree.
func (t *tileCheck) startAt(start uint64, before *merkle.Tree) {
	if t.size < start {
		t.skipped = true
		return
	}

	frontier, err := t.tiles.Frontier(start)
	if err != nil {
		t.skipped = true
		t.reportUnreadableEdge(start)
	} else {
		t.compareFrontier(start, frontier.Tree().Frontier(), before.Frontier())
	}
	t.frontier = frontier
	t.compareOlderTiles(start)
}

// reportUnreadableEdge reports the tiles at the right edge of the tree of start
// records that cannot be read.
func (t *tileCheck) reportUnreadableEdge(start uint64) {
	for level := range t.frontier.Levels {
		n := start >> (merkle.TileHeight * (level + 1))
		width := int(start >> (merkle.TileHeight * level) % merkle.TileWidth)
		if width == 0 {
			continue
		}
		if _, err := t.tiles.ReadTile(level, n, width); err != nil {
			t.report(level, n, t.tiles.Path(level, n, width), nil, nil, err)
		}
	}
}

// compareFrontier compares the roots of the full subtrees of the first start records
// with those that are signed. A root that differs lies in the tile that begins or
// continues with its subtree.
func (t *tileCheck) compareFrontier(start uint64, got, signed []string) {
	first := uint64(0)
	for i := range signed {
		height := bits.Len64(start-first) - 1 // of the largest full subtree of the rest
		if got[i] != signed[i] {
			level := height / merkle.TileHeight
			n := first >> (merkle.TileHeight * (level + 1))
			width := int(start >> (merkle.TileHeight * level) % merkle.TileWidth)
			hash := first >> (merkle.TileHeight * level) % merkle.TileWidth
			t.reportHash(level, n, hash, t.tiles.Path(level, n, width), errOtherRoot.Error())
			return
		}
		first += 1 << height
	}
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
					t.report(level+1, n/merkle.TileWidth, t.tiles.Path(level+1, n/merkle.TileWidth, int(width)), nil, nil, err)
					return
				}
			}

			tile, err := t.tiles.ReadTile(level, n, merkle.TileWidth)
			want := merkle.Hash(above[int(at)*hashBytes:][:hashBytes])
			if err == nil && merkle.TileRoot(tile) == want {
				continue
			}
			t.report(level, n, t.tiles.Path(level, n, merkle.TileWidth), nil, nil, cmp.Or(err, errOtherTileRoot))
			return
		}
	}
}

var errOtherTileRoot = errors.New("the tile does not have the root that the tile above it holds")

const hashBytes = len(merkle.Hash{})

// add adds the leaf of the next record. It compares each tile that the leaf
// completes.
func (t *tileCheck) add(leaf merkle.Hash) {
	if t.skipped || t.frontier.Size >= t.size {
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
	want := merkle.ConcatHashes(hashes)
	t.comparePartialTiles(level, n, want)
	t.checkTileSize(level, n)

	got, err := t.tiles.ReadTile(level, n, len(hashes))
	if err == nil && bytes.Equal(got, want) {
		return
	}
	if err != nil && t.publishedAgain() {
		return // the writer has replaced the partial tiles meanwhile
	}
	t.report(level, n, t.tiles.Path(level, n, len(hashes)), got, want, err)
}

// checkTileSize checks that a full tile, if there is one, is as long as it must be.
func (t *tileCheck) checkTileSize(level int, n uint64) {
	path := t.tiles.Path(level, n, merkle.TileWidth)
	info, err := os.Stat(path)
	if err == nil && info.Size() != merkle.TileWidth*int64(hashBytes) {
		t.reportLength(level, n, path, info.Size(), merkle.TileWidth)
	}
}

// comparePartialTiles compares the partial tiles of a tile that are no wider than the
// hashes in want. The writer leaves those of older checkpoints for a while.
func (t *tileCheck) comparePartialTiles(level int, n uint64, want []byte) {
	dir := t.tiles.PartialTiles(level, n)
	entries, _ := os.ReadDir(dir) // most tiles have none
	for _, e := range entries {
		width, err := strconv.Atoi(e.Name())
		if err != nil || width*hashBytes > len(want) {
			continue
		}

		path := filepath.Join(dir, e.Name())
		got, err := os.ReadFile(path)
		switch {
		case err != nil: // removed meanwhile
		case len(got) != width*hashBytes:
			t.reportLength(level, n, path, int64(len(got)), width)
		case !bytes.Equal(got, want[:len(got)]):
			t.report(level, n, path, got, want, nil)
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

	t.reportHash(level, n, uint64(place/hashBytes), path, why)
}

// reportLength notes that a tile of that width has another length than it must have.
// Which of its hashes is wrong cannot be told.
func (t *tileCheck) reportLength(level int, n uint64, path string, length int64, width int) {
	t.reportHash(level, n, 0, path, fmt.Sprintf("the tile has %d bytes, want %d", length, width*hashBytes))
}

// reportHash notes that a hash of a tile is not what it must be. Of all of them, the
// one is kept that covers the first record.
func (t *tileCheck) reportHash(level int, n, hash uint64, path, why string) {
	seq := (n*merkle.TileWidth + hash) << (merkle.TileHeight * level)
	if t.bad != nil && t.bad.Seq <= seq {
		return
	}

	t.bad = &Fault{
		File: path,
		Line: int(hash) + 1,
		Seq:  seq,
		Why:  fmt.Sprintf("%s (hash %d of it); the records themselves are not affected, and byline audit tiles makes the tiles again from them", why, hash+1),
	}
}

// publishedAgain reports whether the log has published another checkpoint since the
// check began.
func (t *tileCheck) publishedAgain() bool {
	signed, _, err := t.tiles.Checkpoint()
	return err == nil && signed != t.signed
}
