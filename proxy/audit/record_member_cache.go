package audit

import (
	"bytes"
	"hash/maphash"
	"strings"
	"sync/atomic"
)

// maxCachedMembers bounds the encoded members that a memberCache keeps in one
// slot, in bytes.
const maxCachedMembers = 2 << 10

// memberCache keeps runs of up to four string members in encoded form, because
// most records repeat those of another record. It has a fixed size. The zero
// value is empty; a memberCache may be used concurrently.
type memberCache [256]atomic.Pointer[cachedMembers]

// memberValues are the values of members that follow each other in a line.
type memberValues [4]string

type cachedMembers struct {
	values memberValues
	text   []byte
}

// subjects caches what appendSubject writes, rules what appendRules writes.
var subjects, rules memberCache

var cacheSeed = maphash.MakeSeed()

// appendMembers appends the members with these keys and values. slotKey is the
// value that differs most often; it chooses the slot.
func (c *memberCache) appendMembers(dst []byte, slotKey string, keys [4]string, values memberValues) []byte {
	slot := &c[int(maphash.String(cacheSeed, slotKey))&(len(c)-1)]
	cached := slot.Load()
	if cached != nil && cached.values == values {
		return append(dst, cached.text...)
	}

	start := len(dst)
	for i, v := range values {
		dst = appendText(dst, keys[i], v)
	}

	if len(dst)-start <= maxCachedMembers {
		for i := range values {
			values[i] = strings.Clone(values[i]) // the caller's strings may be parts of large buffers
		}
		slot.Store(&cachedMembers{values, bytes.Clone(dst[start:])})
	}

	return dst
}
