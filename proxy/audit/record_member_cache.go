package audit

import (
	"bytes"
	"hash/maphash"
	"math/rand/v2"
	"strings"
	"sync/atomic"
)

// maxCachedMembers bounds the encoded members that a memberCache keeps in one
// slot, in bytes.
const maxCachedMembers = 2 << 10

// memberCache keeps runs of up to four string members in encoded form, because
// most records repeat those of another record. It has a fixed size: room for a
// thousand tasks and more, each in one of four slots of a set, so that tasks whose
// names fall into one set do not keep replacing each other. The zero value is
// empty; a memberCache may be used concurrently.
type memberCache [1024]memberSet

type memberSet [4]atomic.Pointer[cachedMembers]

// memberValues are the values of members that follow each other in a line.
type memberValues [4]string

type cachedMembers struct {
	values memberValues
	text   []byte
}

// subjects caches what appendSubject writes, rules what appendRules writes.
var subjects, rules memberCache

var cacheSeed = maphash.MakeSeed()

// appendMembers appends the members with these keys and values. setKey is the
// value that differs most often; it chooses the set.
func (c *memberCache) appendMembers(dst []byte, setKey string, keys [4]string, values memberValues) []byte {
	set := &c[maphash.String(cacheSeed, setKey)%uint64(len(c))]
	free := -1
	for i := range set {
		cached := set[i].Load()
		if cached == nil {
			free = i
			break
		}
		if cached.values == values {
			return append(dst, cached.text...)
		}
	}

	start := len(dst)
	for i, v := range values {
		dst = appendText(dst, keys[i], v)
	}

	if len(dst)-start <= maxCachedMembers {
		for i := range values {
			values[i] = strings.Clone(values[i]) // the caller's strings may be parts of large buffers
		}
		if free < 0 {
			free = rand.IntN(len(set))
		}
		set[free].Store(&cachedMembers{values, bytes.Clone(dst[start:])})
	}

	return dst
}
