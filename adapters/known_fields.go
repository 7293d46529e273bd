package adapters

import (
	"strings"
	"sync/atomic"

	"github.com/byline-proxy/byline/adapters/internal/mask"
)

// KnownFields remembers the header fields of one message in which a mask found nothing, because most
// of them come again with the next message. It holds for that very mask, and compares names and values
// byte by byte. The zero value knows none. It is safe for concurrent use.
type KnownFields struct {
	last atomic.Pointer[fieldsUnder]
}

// fieldsUnder does not change.
type fieldsUnder struct {
	mask   *mask.Mask
	fields []Field
}

// Bounds of what KnownFields keeps, in fields and bytes. Other fields are looked at each time.
const (
	maxKnownFields = 32
	maxKnownBytes  = 4 << 10
	maxKnownField  = 1 << 10
)

// knownLookup looks the fields of one message up, in their order.
type knownLookup struct {
	mask   *mask.Mask
	fields []Field // what is known
	next   int     // where the next field stands if the sender keeps their order
	hits   int
}

// under returns a lookup in what is known under m.
func (k *KnownFields) under(m *mask.Mask) knownLookup {
	l := knownLookup{mask: m}
	if last := k.last.Load(); last != nil && last.mask == m {
		l.fields = last.fields
	}
	return l
}

// has reports whether f is known.
func (l *knownLookup) has(f *Field) bool {
	for i := range l.fields {
		at := i + l.next
		if at >= len(l.fields) {
			at -= len(l.fields)
		}
		if l.fields[at] == *f {
			l.next = at + 1
			l.hits++
			return true
		}
	}
	return false
}

// learn replaces what is known by fields, which l has looked up and in which its mask finds nothing,
// unless most of them were known.
func (k *KnownFields) learn(l *knownLookup, fields []Field) {
	if 2*l.hits >= len(fields) {
		return
	}

	size := 0
	for i := range fields {
		size += len(fields[i].Name) + len(fields[i].Value)
	}
	kept := make([]Field, 0, min(len(fields), maxKnownFields))
	var text strings.Builder // a copy, because the fields are parts of a whole head
	text.Grow(min(size, maxKnownBytes))
	for _, f := range fields {
		n := len(f.Name) + len(f.Value)
		if n > maxKnownField || text.Len()+n > maxKnownBytes || len(kept) == maxKnownFields {
			continue
		}
		text.WriteString(f.Name)
		text.WriteString(f.Value)
		kept = append(kept, f)
	}

	all := text.String()
	for i := range kept {
		f := &kept[i]
		name, value := len(f.Name), len(f.Value)
		f.Name, f.Value, all = all[:name], all[name:name+value], all[name+value:]
	}
	k.last.Store(&fieldsUnder{l.mask, kept})
}
