package body

import (
	"bytes"
	"hash/maphash"
	"unicode"
	"unicode/utf8"
)

// fewKeys is how many keys are compared with each other before a hash table is
// cheaper.
const fewKeys = 16

// hashSeed makes it impossible to choose keys that collide.
var hashSeed = maphash.MakeSeed()

// hasDuplicateKey reports whether the object at index, which has n keys, has one
// twice. Keys are compared in canonical spelling, in which equal texts are equal
// bytes.
func (d *JSON) hasDuplicateKey(index, n int) bool {
	if n < 2 {
		return false
	}
	if n <= fewKeys {
		return d.hasDuplicateAmongFew(index)
	}

	size := 1
	for size < 2*n {
		size *= 2
	}
	if cap(d.table) < size {
		d.table = make([]uint32, size)
	}
	table := d.table[:size]
	clear(table)

	end := d.nodes[index].next
	for key := uint32(index) + 1; key < end; key = d.nodes[key+1].next {
		text := d.bytesOf(key)
		slot := int(maphash.Bytes(hashSeed, text)) & (size - 1)
		for table[slot] != 0 {
			if bytes.Equal(d.bytesOf(table[slot]), text) {
				return true
			}
			slot = (slot + 1) & (size - 1)
		}
		table[slot] = key // never 0, which is the root
	}
	return false
}

func (d *JSON) hasDuplicateAmongFew(index int) bool {
	end := d.nodes[index].next
	for key := uint32(index) + 1; key < end; key = d.nodes[key+1].next {
		text := d.bytesOf(key)
		for other := uint32(index) + 1; other < key; other = d.nodes[other+1].next {
			if bytes.Equal(d.bytesOf(other), text) {
				return true
			}
		}
	}
	return false
}

func (d *JSON) bytesOf(node uint32) []byte {
	return d.text[d.nodes[node].start:d.nodes[node].end]
}

// KeySet is a set of JSON keys that decide what a request does. It is safe for
// concurrent use.
type KeySet struct {
	exact  map[string]bool
	folded map[string]bool
}

// NewKeySet returns the set of the given keys.
func NewKeySet(keys ...string) *KeySet {
	s := &KeySet{exact: map[string]bool{}, folded: map[string]bool{}}
	for _, key := range keys {
		s.exact[key] = true
		s.folded[string(appendFolded(nil, []byte(key)))] = true
	}
	return s
}

// mistakes reports whether a reader that ignores case takes key for one of the set,
// and one that does not, does not.
func (s *KeySet) mistakes(key Value) bool {
	var memory [64]byte
	name := key.Raw()
	name = name[1 : len(name)-1]
	if key.node().escaped {
		name = []byte(unescapeJSON(name))
	}
	return !s.exact[string(name)] && s.folded[string(appendFolded(memory[:0], name))]
}

// appendFolded appends text with every character replaced by the smallest of those
// that are equal to it under Unicode simple case folding: K, k and the Kelvin sign
// become K.
func appendFolded(dst, text []byte) []byte {
	for len(text) > 0 {
		c := rune(text[0])
		size := 1
		switch {
		case c >= utf8.RuneSelf:
			c, size = utf8.DecodeRune(text)
			smallest := c
			for other := unicode.SimpleFold(c); other != c; other = unicode.SimpleFold(other) {
				smallest = min(smallest, other)
			}
			c = smallest
		case 'a' <= c && c <= 'z':
			c -= 'a' - 'A'
		}
		dst, text = utf8.AppendRune(dst, c), text[size:]
	}
	return dst
}
