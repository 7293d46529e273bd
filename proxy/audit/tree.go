package audit

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"math/bits"
)

type hash [sha256.Size]byte

func (h hash) appendHex(dst []byte) []byte { return hex.AppendEncode(dst, h[:]) }
func (h hash) hex() string                 { return hex.EncodeToString(h[:]) }
func (h hash) base64() string              { return base64.StdEncoding.EncodeToString(h[:]) }

// leafHash is RFC 6962 section 2.1's hash of a leaf. The slice holds the 0x00
// that goes in front of the line.
func leafHash(prefixed []byte) hash { return sha256.Sum256(prefixed) }

func nodeHash(left, right *hash) hash {
	var b [1 + 2*sha256.Size]byte
	b[0] = 1
	copy(b[1:], left[:])
	copy(b[1+sha256.Size:], right[:])
	return sha256.Sum256(b[:])
}

// tree is the compact range of an RFC 6962 Merkle tree: nodes[i] is the root of
// a full subtree of 2^i leaves where bit i of size is set. The zero value is
// the empty tree; a copy is independent.
type tree struct {
	size  uint64
	nodes [64]hash
}

func (t *tree) add(leaf hash) {
	level := 0
	for ; t.size>>level&1 == 1; level++ {
		leaf = nodeHash(&t.nodes[level], &leaf)
	}
	t.nodes[level] = leaf
	t.size++
}

// root is the Merkle Tree Hash of RFC 6962 section 2.1.
func (t *tree) root() hash {
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
func (t *tree) frontier() (out []string) {
	for level := bits.Len64(t.size) - 1; level >= 0; level-- {
		if t.size>>level&1 == 1 {
			out = append(out, t.nodes[level].base64())
		}
	}
	return out
}

func treeFrom(size uint64, frontier []string) (*tree, error) {
	if len(frontier) != bits.OnesCount64(size) {
		return nil, fmt.Errorf("frontier has %d hashes, a tree of %d has %d", len(frontier), size, bits.OnesCount64(size))
	}
	t := &tree{size: size}
	for level := bits.Len64(size) - 1; level >= 0; level-- {
		if size>>level&1 == 0 {
			continue
		}
		h, err := parseHash(frontier[0])
		if err != nil {
			return nil, fmt.Errorf("frontier: %w", err)
		}
		t.nodes[level], frontier = h, frontier[1:]
	}
	return t, nil
}

func parseHash(s string) (h hash, err error) {
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil || len(b) != len(h) {
		return h, errors.New("not a SHA-256 in base64")
	}
	return hash(b), nil
}
