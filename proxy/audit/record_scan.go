package audit

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"time"
	"unicode/utf8"

	"github.com/byline-proxy/byline/proxy/audit/internal/merkle"
	"github.com/byline-proxy/byline/proxy/audit/internal/segment"
)

// view is a line that was found to be a record, and those members that a check
// of the whole log needs. Strings are as they stand in the line, escapes and
// all, and point into it.
type view struct {
	seq, taskSeq   uint64
	prev           merkle.Hash
	us             int64
	id, kind, task []byte
	intent, code   []byte
	signed         bool // there is a member checkpoint
}

var (
	errForm    = errors.New("not a record in the one form that the log writes")
	errVersion = fmt.Errorf("not a record of format version %d", version)
)

// cursor reads a line in the one form. After a failure everything fails.
type cursor struct {
	b   []byte
	i   int
	bad bool
}

// scan checks that line is a record in the one form and fills v; raw, unless
// it is nil, gets the members' values.
func scan(line []byte, v *view, raw *values) error {
	if len(line) > segment.MaxLine {
		return segment.ErrLongLine
	}
	c := cursor{b: line}
	if !c.lit(`{"v":1,"seq":`) {
		return errVersion
	}
	*v = view{seq: c.uint()}
	if c.opt(`,"task_seq":`) {
		v.taskSeq = c.uint()
		c.bad = c.bad || v.taskSeq == 0
	}
	c.must(`,"prev":"`)
	c.hex(v.prev[:])
	c.must(`","time":"`)
	v.us = c.time()
	c.must(`","id":`)
	v.id = c.str()
	c.must(`,"kind":`)
	v.kind = c.str()
	for m := 0; m < len(members) && !c.bad && c.i < len(line)-1; m++ {
		if !c.opt(members[m].key) {
			continue
		}
		start := c.i
		if c.member(members[m].form); c.bad {
			return errForm
		}
		value := line[start:c.i]
		if raw != nil {
			raw[m] = value
		}
		v.signed = v.signed || m == atCheckpoint
		if to := v.wants(m); to != nil {
			*to = value[1 : len(value)-1]
		}
	}
	if c.must("}"); c.bad || c.i != len(line) {
		return errForm
	}
	return nil
}

// wants is where a check of the whole log wants the string of member m.
func (v *view) wants(m int) *[]byte {
	switch m {
	case atTask:
		return &v.task
	case atIntent:
		return &v.intent
	case atCode:
		return &v.code
	}
	return nil
}

func (c *cursor) member(f form) {
	switch f {
	case aText:
		c.bad = len(c.str()) == 0 || c.bad
	case aNumber:
		c.int()
	case aTrue:
		c.must("true")
	case aList:
		c.list(func() { c.str() })
	case aStripped:
		c.list(c.stripped)
	case aDecision:
		c.must(`{"effect":`)
		empty := len(c.str()) == 0
		if c.opt(`,"policies":`) {
			c.list(func() { c.str() })
		} else if empty {
			c.bad = true
		}
		c.must(`}`)
	case aTasks:
		c.list(func() {
			c.must(`{"task":`)
			c.str()
			c.must(`,"seq":`)
			c.uint()
			c.must(`}`)
		})
	}
}

func (c *cursor) stripped() {
	c.must(`{"in":`)
	c.str()
	c.must(`,"name":`)
	c.str()
	c.must(`,"fingerprint":`)
	c.str()
	if c.opt(`,"person":`) && len(c.str()) == 0 {
		c.bad = true
	}
	c.must(`}`)
}

func (c *cursor) lit(s string) bool {
	if c.bad || len(c.b)-c.i < len(s) || string(c.b[c.i:c.i+len(s)]) != s {
		c.bad = true
		return false
	}
	c.i += len(s)
	return true
}

func (c *cursor) must(s string) { c.lit(s) }

func (c *cursor) opt(s string) bool {
	if c.bad || len(c.b)-c.i < len(s) || string(c.b[c.i:c.i+len(s)]) != s {
		return false
	}
	c.i += len(s)
	return true
}

// list reads an array with at least one element.
func (c *cursor) list(element func()) {
	c.must("[")
	for !c.bad {
		element()
		if !c.opt(",") {
			break
		}
	}
	c.must("]")
}

func (c *cursor) uint() (n uint64) {
	start := c.i
	for ; c.i < len(c.b) && c.b[c.i] >= '0' && c.b[c.i] <= '9'; c.i++ {
		d := uint64(c.b[c.i] - '0')
		if n > (math.MaxUint64-d)/10 {
			c.bad = true
			return 0
		}
		n = n*10 + d
	}
	if c.i == start || c.b[start] == '0' && c.i > start+1 {
		c.bad = true
	}
	return n
}

// int reads an integer other than 0.
func (c *cursor) int() int64 {
	minus := c.opt("-")
	n := c.uint()
	switch {
	case n == 0, n > math.MaxInt64 && !(minus && n == 1<<63):
		c.bad = true
		return 0
	case minus:
		return -int64(n)
	}
	return int64(n)
}

func (c *cursor) hex(dst []byte) {
	if c.bad || len(c.b)-c.i < 2*len(dst) {
		c.bad = true
		return
	}
	from := c.b[c.i : c.i+2*len(dst)]
	for _, b := range from {
		if b >= 'A' && b <= 'F' {
			c.bad = true
		}
	}
	if _, err := hex.Decode(dst, from); err != nil {
		c.bad = true
	}
	c.i += len(from)
}

// time reads 2006-01-02T15:04:05.000000Z as microseconds.
func (c *cursor) time() int64 {
	if c.bad || len(c.b)-c.i < len(timeLayout) {
		c.bad = true
		return 0
	}
	t := c.b[c.i : c.i+len(timeLayout)]
	c.i += len(timeLayout)
	if t[4] != '-' || t[7] != '-' || t[10] != 'T' || t[13] != ':' || t[16] != ':' || t[19] != '.' || t[26] != 'Z' {
		c.bad = true
		return 0
	}
	n := func(from, to int) (n int) {
		for _, b := range t[from:to] {
			if b < '0' || b > '9' {
				c.bad = true
			}
			n = n*10 + int(b-'0')
		}
		return n
	}
	month, day, hour, minute, second := n(5, 7), n(8, 10), n(11, 13), n(14, 16), n(17, 19)
	at := time.Date(n(0, 4), time.Month(month), day, hour, minute, second, n(20, 26)*1000, time.UTC)
	if int(at.Month()) != month || at.Day() != day || hour > 23 || minute > 59 || second > 59 {
		c.bad = true
	}
	return at.UnixMicro()
}

// plain says which bytes stand for themselves without a second look.
var plain = func() (p [256]bool) {
	for b := 0x20; b < 0x7f; b++ {
		p[b] = b != '"' && b != '\\'
	}
	return p
}()

// str reads a string and returns what stands between its quotes.
func (c *cursor) str() []byte {
	if !c.lit(`"`) {
		return nil
	}
	start, b := c.i, c.b
	for i := start; i < len(b); {
		switch {
		case plain[b[i]]:
			i++
		case b[i] == '"':
			c.i = i + 1
			return b[start:i]
		case b[i] == '\\':
			n := escapeLen(b[i:])
			if n == 0 {
				c.bad = true
				return nil
			}
			i += n
		default:
			r, n := utf8.DecodeRune(b[i:])
			if r < 0xa0 || r == 0x2028 || r == 0x2029 || r == utf8.RuneError && n == 1 {
				c.bad = true
				return nil
			}
			i += n
		}
	}
	c.bad = true
	return nil
}

// escapeLen is how long the escape is that b begins with; 0: it is none that
// AppendString writes.
func escapeLen(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '"', '\\', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
	default:
		return 0
	}
	if len(b) < 6 {
		return 0
	}
	r := rune(0)
	for _, d := range b[2:6] {
		i := bytes.IndexByte([]byte(hexDigits), d)
		if i < 0 {
			return 0
		}
		r = r<<4 | rune(i)
	}
	switch {
	case r == '\b', r == '\f', r == '\n', r == '\r', r == '\t':
		return 0
	case r < 0x20, r >= 0x7f && r < 0xa0, r == 0x2028, r == 0x2029:
		return 6
	}
	return 0
}
