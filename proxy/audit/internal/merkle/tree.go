package merkle

import (
	"crypto/sha256"
	"fmt"
	"math/bits"
)

// Tree is the compact range of an RFC 6962 Merkle tree: enough to add leaves and
// to compute the root. The zero value is the empty tree. A copy is independent.
type Tree struct {
	size uint64

	// nodes[i] is the root of a full subtree of 2^i leaves if bit i of size is
	// set. Other elements have no meaning.
	nodes [64]Hash
}

// Add appends a leaf.
func (t *Tree) Add(leaf Hash) {
	level := 0
	for ; t.size>>level&1 == 1; level++ {
		leaf = nodeHash(&t.nodes[level], &leaf)
	}

	t.nodes[level] = leaf
	t.size++
}

// Root returns the Merkle Tree Hash (RFC 6962, section 2.1). The root of the
// empty tree is the hash of nothing.
func (t *Tree) Root() Hash {
	if t.size == 0 {
		return sha256.Sum256(nil)
	}

	level := bits.TrailingZeros64(t.size)
	root := t.nodes[level]
	for level++; level < bits.Len64(t.size); level++ {
		if t.size>>level&1 == 1 {
			root = nodeHash(&t.nodes[level], &root)
		}
	}

	return root
}

// Frontier returns the roots of the full subtrees in base64, the largest (the
// leftmost) first. [TreeFromFrontier] is its inverse.
func (t *Tree) Frontier() (out []string) {
	for level := bits.Len64(t.size) - 1; level >= 0; level-- {
		if t.size>>level&1 == 1 {
			out = append(out, t.nodes[level].Base64())
		}
	}

	return out
}

// TreeFromFrontier returns the tree with that many leaves and that frontier. It
// fails if the frontier does not have one hash for each bit of size that is set.
func TreeFromFrontier(size uint64, frontier []string) (*Tree, error) {
	if len(frontier) != bits.OnesCount64(size) {
		return nil, fmt.Errorf("frontier has %d hashes, a tree of %d leaves has %d",
			len(frontier), size, bits.OnesCount64(size))
	}

	t := &Tree{size: size}
	for level := bits.Len64(size) - 1; level >= 0; level-- {
		if size>>level&1 == 0 {
			continue
		}
		h, err := ParseBase64(frontier[0])
		if err != nil {
			return nil, fmt.Errorf("frontier: %w", err)
		}
		t.nodes[level] = h
		frontier = frontier[1:]
	}

	return t, nil
}
