package merkle

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"math/bits"
)

type Hash [sha256.Size]byte

func (h Hash) AppendHex(dst []byte) []byte { return hex.AppendEncode(dst, h[:]) }
func (h Hash) Hex() string                 { return hex.EncodeToString(h[:]) }
func (h Hash) Base64() string              { return base64.StdEncoding.EncodeToString(h[:]) }

// LeafHash is RFC 6962 section 2.1's hash of a leaf. The slice holds the 0x00
// that goes in front of the line.
func LeafHash(prefixed []byte) Hash { return sha256.Sum256(prefixed) }

func nodeHash(left, right *Hash) Hash {
	var b [1 + 2*sha256.Size]byte
	b[0] = 1
	copy(b[1:], left[:])
	copy(b[1+sha256.Size:], right[:])
	return sha256.Sum256(b[:])
}

// Tree is the compact range of an RFC 6962 Merkle tree: nodes[i] is the root of
// a full subtree of 2^i leaves where bit i of size is set. The zero value is
// the empty tree; a copy is independent.
type Tree struct {
	size  uint64
	nodes [64]Hash
}

func (t *Tree) Add(leaf Hash) {
	level := 0
	for ; t.size>>level&1 == 1; level++ {
		leaf = nodeHash(&t.nodes[level], &leaf)
	}
	t.nodes[level] = leaf
	t.size++
}

// root is the Merkle Tree Hash of RFC 6962 section 2.1.
func (t *Tree) Root() Hash {
	if t.size == 0 {
		return sha256.Sum256(nil)
	}
	level := bits.TrailingZeros64(t.size)
	r := t.nodes[level]
	for level++; level < bits.Len64(t.size); level++ {
		if t.size>>level&1 == 1 {
			r = nodeHash(&t.nodes[level], &r)
		}
	}
	return r
}

// frontier lists the full subtrees' roots, left (largest) to right.
func (t *Tree) Frontier() (out []string) {
	for level := bits.Len64(t.size) - 1; level >= 0; level-- {
		if t.size>>level&1 == 1 {
			out = append(out, t.nodes[level].Base64())
		}
	}
	return out
}

func TreeFromFrontier(size uint64, frontier []string) (*Tree, error) {
	if len(frontier) != bits.OnesCount64(size) {
		return nil, fmt.Errorf("frontier has %d hashes, a tree of %d has %d", len(frontier), size, bits.OnesCount64(size))
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
		t.nodes[level], frontier = h, frontier[1:]
	}
	return t, nil
}

func ParseBase64(s string) (h Hash, err error) {
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil || len(b) != len(h) {
		return h, errors.New("not a SHA-256 in base64")
	}
	return Hash(b), nil
}

// ParseHex reads a SHA-256 in hex.
func ParseHex(s string) (h Hash, err error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(h) {
		return h, errors.New("not a SHA-256 in hex")
	}
	return Hash(b), nil
}
