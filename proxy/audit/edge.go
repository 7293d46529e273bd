package audit

import "math/bits"

const (
	tileHeight = 8 // as C2SP tlog-tiles has it
	tileWidth  = 1 << tileHeight
	tileLevels = 8
)

// edge is the right edge of the tree in tiles: level l holds the roots of full
// subtrees of 256^l leaves that do not fill a tile yet, left to right, fewer
// than 256. The zero value is the empty tree.
type edge struct {
	size  uint64
	level [tileLevels][]hash
}

// add takes the next leaf. full gets each tile that it fills: level, number of
// the tile in its level, and the 256 hashes, valid during the call.
func (e *edge) add(leaf hash, full func(level int, n uint64, hashes []hash) error) error {
	e.size++
	for l := range e.level {
		e.level[l] = append(e.level[l], leaf)
		if len(e.level[l]) < tileWidth {
			break
		}
		if err := full(l, e.size>>(tileHeight*(l+1))-1, e.level[l]); err != nil {
			return err
		}
		leaf = fullRoot(e.level[l])
		e.level[l] = e.level[l][:0]
	}
	return nil
}

// fullRoot is the root over a power of two of hashes; it overwrites them.
func fullRoot(hashes []hash) hash {
	for n := len(hashes); n > 1; n /= 2 {
		for i := range n / 2 {
			hashes[i] = nodeHash(&hashes[2*i], &hashes[2*i+1])
		}
	}
	return hashes[0]
}

// tree is the same edge as a compact range.
func (e *edge) tree() *tree {
	t := &tree{size: e.size}
	for l, hashes := range e.level {
		for len(hashes) > 0 {
			n := 1 << (bits.Len(uint(len(hashes))) - 1) // the largest full subtree comes first
			t.nodes[tileHeight*l+bits.TrailingZeros(uint(n))] = fullRoot(append([]hash(nil), hashes[:n]...))
			hashes = hashes[n:]
		}
	}
	return t
}

// clone is independent of e.
func (e *edge) clone() edge {
	c := edge{size: e.size}
	for l := range e.level {
		c.level[l] = append([]hash(nil), e.level[l]...)
	}
	return c
}
