package merkle

import "math/bits"

const (
	TileHeight = 8 // as C2SP tlog-tiles has it
	TileWidth  = 1 << TileHeight
	tileLevels = 8
)

// TileFrontier is the right edge of the tree in tiles: level l holds the roots of full
// subtrees of 256^l leaves that do not fill a tile yet, left to right, fewer
// than 256. The zero value is the empty tree.
type TileFrontier struct {
	Size   uint64
	Levels [tileLevels][]Hash
}

// add takes the next leaf. full gets each tile that it fills: level, number of
// the tile in its level, and the 256 hashes, valid during the call.
func (e *TileFrontier) Add(leaf Hash, full func(level int, n uint64, hashes []Hash) error) error {
	e.Size++
	for l := range e.Levels {
		e.Levels[l] = append(e.Levels[l], leaf)
		if len(e.Levels[l]) < TileWidth {
			break
		}
		if err := full(l, e.Size>>(TileHeight*(l+1))-1, e.Levels[l]); err != nil {
			return err
		}
		leaf = fullRoot(e.Levels[l])
		e.Levels[l] = e.Levels[l][:0]
	}
	return nil
}

// fullRoot is the root over a power of two of hashes; it overwrites them.
func fullRoot(hashes []Hash) Hash {
	for n := len(hashes); n > 1; n /= 2 {
		for i := range n / 2 {
			hashes[i] = nodeHash(&hashes[2*i], &hashes[2*i+1])
		}
	}
	return hashes[0]
}

// tree is the same tree as a compact range.
func (e *TileFrontier) Tree() *Tree {
	t := &Tree{size: e.Size}
	for l, hashes := range e.Levels {
		for len(hashes) > 0 {
			n := 1 << (bits.Len(uint(len(hashes))) - 1) // the largest full subtree comes first
			t.nodes[TileHeight*l+bits.TrailingZeros(uint(n))] = fullRoot(append([]Hash(nil), hashes[:n]...))
			hashes = hashes[n:]
		}
	}
	return t
}

// clone is independent of e.
func (e *TileFrontier) Clone() TileFrontier {
	c := TileFrontier{Size: e.Size}
	for l := range e.Levels {
		c.Levels[l] = append([]Hash(nil), e.Levels[l]...)
	}
	return c
}
