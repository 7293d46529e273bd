package merkle

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"hash"
	"strings"
	"sync"
)

// Hash is a SHA-256 hash: of a line, of a node or of a whole tree.
type Hash [sha256.Size]byte

// AppendHex appends the hash to dst in lower-case hex.
func (h Hash) AppendHex(dst []byte) []byte { return hex.AppendEncode(dst, h[:]) }

// Hex returns the hash in lower-case hex.
func (h Hash) Hex() string { return hex.EncodeToString(h[:]) }

// Base64 returns the hash in standard base64.
func (h Hash) Base64() string { return base64.StdEncoding.EncodeToString(h[:]) }

// ParseHex reads a hash in lower-case hex.
func ParseHex(s string) (h Hash, err error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(h) || strings.ToLower(s) != s {
		return h, errors.New("not a SHA-256 hash in lower-case hex")
	}

	return Hash(b), nil
}

// ParseBase64 reads a hash in standard base64. It rejects encodings that the
// encoder does not produce.
func ParseBase64(s string) (h Hash, err error) {
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil || len(b) != len(h) {
		return h, errors.New("not a SHA-256 hash in base64")
	}

	return Hash(b), nil
}

// LeafHash returns the hash of a leaf (RFC 6962, section 2.1). The slice holds
// the prefix 0x00 and then the line, so that callers with a byte to spare in
// front of the line need not copy it.
func LeafHash(prefixed []byte) Hash {
	h := hashers.Get().(*hasher)
	defer hashers.Put(h)

	return h.hash(prefixed)
}

// nodeHash returns the hash of an inner node (RFC 6962, section 2.1).
func nodeHash(left, right *Hash) Hash {
	h := hashers.Get().(*hasher)
	defer hashers.Put(h)

	h.node[0] = 1
	copy(h.node[1:], left[:])
	copy(h.node[1+sha256.Size:], right[:])

	return h.hash(h.node[:])
}

// hasher computes hashes with a digest that is used again. [sha256.Sum256] makes
// a new one for each hash: on the stack if the compiler inlines enough of it,
// which depends on the profile of the build, and else in the heap.
type hasher struct {
	digest hash.Hash
	node   [1 + 2*sha256.Size]byte
	sum    Hash
}

var hashers = sync.Pool{New: func() any { return &hasher{digest: sha256.New()} }}

func (h *hasher) hash(b []byte) Hash {
	h.digest.Reset()
	h.digest.Write(b)
	h.digest.Sum(h.sum[:0])

	return h.sum
}
