package audit

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"time"
	"unicode/utf8"

	"github.com/byline-proxy/byline/proxy/audit/internal/merkle"
	"github.com/byline-proxy/byline/proxy/audit/internal/segment"
)

// lineHead holds those members of a line that a check of the whole log needs.
// The byte slices are strings as they stand in the line, with their escapes, and
// point into the line.
type lineHead struct {
	seq, taskSeq   uint64
	prev           merkle.Hash
	us             int64 // time in microseconds since 1970
	wallUS         int64 // wall in microseconds since 1970
	hasWall        bool
	id, kind, task []byte
	intent, code   []byte
	hasCheckpoint  bool // the line has a member checkpoint
}

var (
	errForm    = errors.New("not a record in the one form that the log writes")
	errVersion = fmt.Errorf("not a record of format version %d", version)
)

// scanLine checks that line is a record in the form that the log writes and
// fills head. If raw is not nil, it also gets the values of the members.
//
// It runs for every line of a log that is verified, so it does not allocate.
func scanLine(line []byte, head *lineHead, raw *rawMembers) error {
	if len(line) > segment.MaxLine {
		return segment.ErrLongLine
	}

	c := cursor{b: line}
	if !c.must(`{"v":1,"seq":`) {
		return errVersion
	}

	*head = lineHead{seq: c.uint()}
	if c.skip(`,"task_seq":`) {
		head.taskSeq = c.uint()
		c.failed = c.failed || head.taskSeq == 0
	}
	c.must(`,"prev":"`)
	c.hex(head.prev[:])
	c.must(`","time":"`)
	head.us = c.time()
	if c.skip(`","wall":"`) {
		head.hasWall = true
		head.wallUS = c.time()
		c.failed = c.failed || head.wallUS >= head.us
	}
	c.must(`","id":`)
	head.id = c.string()
	c.must(`,"kind":`)
	head.kind = c.string()

	for m := 0; m < len(members) && !c.failed && c.i < len(line)-1; m++ {
		if !c.skip(members[m].key) {
			continue
		}

		start := c.i
		c.member(members[m].form)
		if c.failed {
			return errForm
		}

		value := line[start:c.i]
		if raw != nil {
			raw[m] = value
		}
		head.setMember(m, value)
	}

	c.must("}")
	if c.failed || c.i != len(line) {
		return errForm
	}

	return nil
}

// setMember keeps the value of member m if a check of the whole log needs it.
func (h *lineHead) setMember(m int, value []byte) {
	switch m {
	case memberTask:
		h.task = value[1 : len(value)-1]
	case memberIntent:
		h.intent = value[1 : len(value)-1]
	case memberCode:
		h.code = value[1 : len(value)-1]
	case memberCheckpoint:
		h.hasCheckpoint = true
	}
}

// cursor reads a line from left to right. Once it has failed, it stays failed
// and what its methods return has no meaning.
type cursor struct {
	b      []byte
	i      int
	failed bool
}

// skip moves past s if it comes next, and reports whether it does.
func (c *cursor) skip(s string) bool {
	if c.failed || len(c.b)-c.i < len(s) || string(c.b[c.i:c.i+len(s)]) != s {
		return false
	}

	c.i += len(s)

	return true
}

// must is skip that fails if s does not come next.
func (c *cursor) must(s string) bool {
	if !c.skip(s) {
		c.failed = true
		return false
	}

	return true
}

// member reads a value in that form.
func (c *cursor) member(form memberForm) {
	switch form {
	case formText:
		c.failed = len(c.string()) == 0 || c.failed
	case formNumber:
		c.nonZeroInt()
	case formTrue:
		c.must("true")
	case formList:
		c.list(func() { c.string() })
	case formStripped:
		c.list(c.stripped)
	case formDecision:
		c.decision()
	case formTasks:
		c.list(c.taskCount)
	case formSegment:
		c.segment()
	}
}

func (c *cursor) stripped() {
	c.must(`{"in":`)
	c.string()
	c.must(`,"name":`)
	c.string()
	c.must(`,"fingerprint":`)
	c.string()
	if c.skip(`,"person":`) && len(c.string()) == 0 {
		c.failed = true
	}
	c.must(`}`)
}

func (c *cursor) decision() {
	c.must(`{"effect":`)
	emptyEffect := len(c.string()) == 0
	if c.skip(`,"policies":`) {
		c.list(func() { c.string() })
	} else if emptyEffect {
		c.failed = true // the line leaves out a decision that holds nothing
	}
	c.must(`}`)
}

func (c *cursor) taskCount() {
	c.must(`{"task":`)
	c.string()
	c.must(`,"seq":`)
	c.uint()
	c.must(`}`)
}

func (c *cursor) segment() {
	c.must(`{"first":`)
	c.uint()
	c.must(`,"next":`)
	next := c.uint()
	c.must(`,"bytes":`)
	c.uint()
	c.must(`,"sha256":`)
	c.string()
	c.must(`,"root":`)
	c.string()
	c.must(`}`)
	c.failed = c.failed || next == 0 // a segment that is named has lines
}

// list reads an array with at least one element.
func (c *cursor) list(element func()) {
	c.must("[")
	for !c.failed {
		element()
		if !c.skip(",") {
			break
		}
	}
	c.must("]")
}

// uint reads a decimal number without leading zeros.
func (c *cursor) uint() (n uint64) {
	start := c.i
	for ; c.i < len(c.b) && c.b[c.i] >= '0' && c.b[c.i] <= '9'; c.i++ {
		digit := uint64(c.b[c.i] - '0')
		if n > (math.MaxUint64-digit)/10 {
			c.failed = true
			return 0
		}
		n = n*10 + digit
	}

	if c.i == start || c.b[start] == '0' && c.i > start+1 {
		c.failed = true
	}

	return n
}

// nonZeroInt reads a 64-bit integer other than 0.
func (c *cursor) nonZeroInt() {
	negative := c.skip("-")
	n := c.uint()

	tooLarge := n > math.MaxInt64 && !(negative && n == 1<<63)
	if n == 0 || tooLarge {
		c.failed = true
	}
}

// hex reads lower-case hex into dst.
func (c *cursor) hex(dst []byte) {
	if c.failed || len(c.b)-c.i < 2*len(dst) {
		c.failed = true
		return
	}

	src := c.b[c.i : c.i+2*len(dst)]
	for _, b := range src {
		if b >= 'A' && b <= 'F' {
			c.failed = true
		}
	}
	if _, err := hex.Decode(dst, src); err != nil {
		c.failed = true
	}

	c.i += len(src)
}

// time reads a time in timeLayout and returns microseconds since 1970. It fails
// for days and times of day that do not exist.
func (c *cursor) time() int64 {
	if c.failed || len(c.b)-c.i < len(timeLayout) {
		c.failed = true
		return 0
	}

	t := c.b[c.i : c.i+len(timeLayout)]
	c.i += len(timeLayout)
	if t[4] != '-' || t[7] != '-' || t[10] != 'T' || t[13] != ':' || t[16] != ':' || t[19] != '.' || t[26] != 'Z' {
		c.failed = true
		return 0
	}

	digits := func(from, to int) (n int) {
		for _, b := range t[from:to] {
			if b < '0' || b > '9' {
				c.failed = true
			}
			n = n*10 + int(b-'0')
		}
		return n
	}
	year, month, day := digits(0, 4), digits(5, 7), digits(8, 10)
	hour, minute, second, micro := digits(11, 13), digits(14, 16), digits(17, 19), digits(20, 26)

	at := time.Date(year, time.Month(month), day, hour, minute, second, micro*1000, time.UTC)
	if int(at.Month()) != month || at.Day() != day || hour > 23 || minute > 59 || second > 59 {
		c.failed = true
	}

	return at.UnixMicro()
}

// string reads a string and returns the bytes between its quotes. It fails for
// escapes and characters that appendString does not write.
func (c *cursor) string() []byte {
	if !c.must(`"`) {
		return nil
	}

	start, b := c.i, c.b
	for i := start; i < len(b); {
		switch {
		case needsNoEscape[b[i]]:
			i++
		case b[i] == '"':
			c.i = i + 1
			return b[start:i]
		case b[i] == '\\':
			n := escapeLength(b[i:])
			if n == 0 {
				c.failed = true
				return nil
			}
			i += n
		default:
			r, n := utf8.DecodeRune(b[i:])
			if r < 0xa0 || r == 0x2028 || r == 0x2029 || r == utf8.RuneError && n == 1 {
				c.failed = true
				return nil
			}
			i += n
		}
	}

	c.failed = true // the string has no end
	return nil
}
