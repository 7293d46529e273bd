package merkle

import (
	"math/bits"
	"slices"
)

// The form of tiles is that of C2SP tlog-tiles.
const (
	TileHeight = 8               // levels of the tree that one tile covers
	TileWidth  = 1 << TileHeight // hashes in a full tile
	tileLevels = 8               // levels of tiles that 64-bit sizes need
)

// TileFrontier is the right edge of a tree in tiles. The zero value is the
// empty tree.
type TileFrontier struct {
	Size uint64 // leaves of the tree

	// Levels[l] holds the roots of full subtrees of 256^l leaves that do not
	// fill a tile yet, left to right. There are fewer than TileWidth of them.
	Levels [tileLevels][]Hash
}

// Add appends a leaf. It calls writeTile for each tile that the leaf fills, with
// the tile's level, its number in the level, and its TileWidth hashes, which are
// valid during the call. After an error of writeTile the frontier must not be
// used.
func (f *TileFrontier) Add(leaf Hash, writeTile func(level int, n uint64, hashes []Hash) error) error {
	f.Size++

	for l := range f.Levels {
		f.Levels[l] = append(f.Levels[l], leaf)
		if len(f.Levels[l]) < TileWidth {
			break
		}

		err := writeTile(l, f.Size>>(TileHeight*(l+1))-1, f.Levels[l])
		if err != nil {
			return err
		}

		leaf = reduceToRoot(f.Levels[l])
		f.Levels[l] = f.Levels[l][:0]
	}

	return nil
}

// reduceToRoot returns the root over hashes, whose number is a power of two. It
// overwrites them.
func reduceToRoot(hashes []Hash) Hash {
	for n := len(hashes); n > 1; n /= 2 {
		for i := range n / 2 {
			hashes[i] = nodeHash(&hashes[2*i], &hashes[2*i+1])
		}
	}

	return hashes[0]
}

// TileRoot returns the root over the hashes of a full tile.
func TileRoot(tile []byte) Hash {
	hashes := make([]Hash, 0, TileWidth)
	for part := range slices.Chunk(tile, len(Hash{})) {
		hashes = append(hashes, Hash(part))
	}

	return reduceToRoot(hashes)
}

// Tree returns the tree that the frontier belongs to.
func (f *TileFrontier) Tree() *Tree {
	t := &Tree{size: f.Size}

	for l, hashes := range f.Levels {
		for len(hashes) > 0 {
			// Of the subtrees in a tile the largest full one comes first.
			n := 1 << (bits.Len(uint(len(hashes))) - 1)
			level := TileHeight*l + bits.TrailingZeros(uint(n))

			t.nodes[level] = reduceToRoot(append([]Hash(nil), hashes[:n]...))
			hashes = hashes[n:]
		}
	}

	return t
}

// Clone returns a copy that shares no memory with f.
func (f *TileFrontier) Clone() TileFrontier {
	c := TileFrontier{Size: f.Size}
	for l := range f.Levels {
		c.Levels[l] = append([]Hash(nil), f.Levels[l]...)
	}

	return c
}
