package audit

import (
	"bytes"
	"hash/maphash"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/byline-proxy/byline/proxy/audit/internal/merkle"
)

const timeLayout = "2006-01-02T15:04:05.000000Z"

// AppendLine writes the whole line, without newline: what the committer adds
// (v, seq, task_seq, prev, time) in front of a body from AppendBody.
func AppendLine(dst []byte, seq, taskSeq uint64, prev merkle.Hash, us int64, body []byte) []byte {
	dst = append(dst, `{"v":1,"seq":`...)
	dst = strconv.AppendUint(dst, seq, 10)
	if taskSeq > 0 {
		dst = append(dst, `,"task_seq":`...)
		dst = strconv.AppendUint(dst, taskSeq, 10)
	}
	dst = append(dst, `,"prev":"`...)
	dst = prev.AppendHex(dst)
	dst = append(dst, `","time":"`...)
	dst = appendTime(dst, us)
	dst = append(dst, '"')
	return append(dst, body...)
}

// second is one second as a line has it, up to the point before its fraction.
type second struct {
	unix int64
	text []byte
}

// lastSecond is kept because most lines are written in the second of the line
// before.
var lastSecond atomic.Pointer[second]

// appendTime writes us, in microseconds since 1970, in timeLayout.
func appendTime(dst []byte, us int64) []byte {
	if us < 0 {
		return time.UnixMicro(us).UTC().AppendFormat(dst, timeLayout)
	}
	s := lastSecond.Load()
	if s == nil || s.unix != us/1e6 {
		s = &second{us / 1e6, time.Unix(us/1e6, 0).UTC().AppendFormat(nil, "2006-01-02T15:04:05.")}
		lastSecond.Store(s)
	}
	dst = append(dst, s.text...)
	for part, unit := us%1e6, int64(1e5); unit > 0; unit /= 10 {
		dst = append(dst, byte('0'+part/unit%10))
	}
	return append(dst, 'Z')
}

// AppendBody writes everything of r from its id to the closing brace.
func AppendBody(dst []byte, r *Record) []byte {
	dst = append(dst, `,"id":`...)
	dst = AppendString(dst, r.ID)
	dst = append(dst, `,"kind":`...)
	dst = AppendString(dst, r.Kind)
	dst = text(dst, `,"instance":`, r.Instance)
	dst = who(dst, r)
	dst = text(dst, `,"purpose":`, r.Purpose)
	dst = list(dst, `,"scope":[`, r.Scope)
	dst = under(dst, r)
	dst = text(dst, `,"action":`, r.Action)
	dst = text(dst, `,"resource":`, r.Resource)
	if r.Privileged {
		dst = append(dst, `,"privileged":true`...)
	}
	dst = text(dst, `,"method":`, r.Method)
	dst = text(dst, `,"host":`, r.Host)
	dst = text(dst, `,"path":`, r.Path)
	dst = appendStripped(dst, r.Stripped)
	dst = text(dst, `,"account":`, r.Account)
	dst = text(dst, `,"lease":`, r.Lease)
	if !r.Decision.IsZero() {
		dst = append(dst, `,"decision":{"effect":`...)
		dst = AppendString(dst, r.Decision.Effect)
		dst = list(dst, `,"policies":[`, r.Decision.Policies)
		dst = append(dst, '}')
	}
	dst = text(dst, `,"intent":`, r.Intent)
	dst = number(dst, `,"count":`, r.Count)
	dst = number(dst, `,"status":`, int64(r.Status))
	dst = number(dst, `,"bytes_up":`, r.BytesUp)
	dst = number(dst, `,"bytes_down":`, r.BytesDown)
	dst = number(dst, `,"messages_up":`, r.MessagesUp)
	dst = number(dst, `,"messages_down":`, r.MessagesDown)
	dst = number(dst, `,"duration_us":`, r.DurationUS)
	dst = text(dst, `,"code":`, r.Code)
	dst = text(dst, `,"detail":`, r.Detail)
	dst = number(dst, `,"cut":`, r.Cut)
	dst = text(dst, `,"key":`, r.Key)
	dst = appendTasks(dst, r.Tasks)
	dst = text(dst, `,"checkpoint":`, r.Checkpoint)
	dst = list(dst, `,"frontier":[`, r.Frontier)
	return append(dst, '}')
}

// who writes who acts, under what the rules are: both are the same in all
// records of a task, and are kept as they were written last.
func who(dst []byte, r *Record) []byte {
	return subjects.repeat(dst, four{r.Agent, r.Sponsor, r.Task, r.Grant}, r.Task,
		[4]string{`,"agent":`, `,"sponsor":`, `,"task":`, `,"grant":`})
}

func under(dst []byte, r *Record) []byte {
	return rules.repeat(dst, four{r.Adapter, r.AdapterDigest, r.PolicyDigest, ""}, r.AdapterDigest,
		[4]string{`,"adapter":`, `,"adapter_digest":`, `,"policy_digest":`, ""})
}

// four values that are written behind one another.
type four [4]string

// repeats keeps runs of fields as they were written. It is a cache of fixed
// size; the zero value is empty, and it may be used concurrently.
type repeats [256]atomic.Pointer[repeated]

type repeated struct {
	values four
	text   []byte
}

var subjects, rules repeats

// repeat appends the fields of values; key is one that tells most of them apart.
func (c *repeats) repeat(dst []byte, values four, key string, names [4]string) []byte {
	slot := &c[int(maphash.String(seed, key))&(len(c)-1)]
	if k := slot.Load(); k != nil && k.values == values {
		return append(dst, k.text...)
	}
	start := len(dst)
	for i, v := range values {
		dst = text(dst, names[i], v)
	}
	if len(dst)-start <= 2<<10 {
		for i := range values {
			values[i] = strings.Clone(values[i])
		}
		slot.Store(&repeated{values, bytes.Clone(dst[start:])})
	}
	return dst
}

var seed = maphash.MakeSeed()

func appendStripped(dst []byte, stripped []Stripped) []byte {
	if len(stripped) == 0 {
		return dst
	}
	dst = append(dst, `,"stripped":[`...)
	for i := range stripped {
		if i > 0 {
			dst = append(dst, ',')
		}
		s := &stripped[i]
		dst = append(dst, `{"in":`...)
		dst = AppendString(dst, s.In)
		dst = append(dst, `,"name":`...)
		dst = AppendString(dst, s.Name)
		dst = append(dst, `,"fingerprint":`...)
		dst = AppendString(dst, s.Fingerprint)
		dst = text(dst, `,"person":`, s.Person)
		dst = append(dst, '}')
	}
	return append(dst, ']')
}

func appendTasks(dst []byte, tasks []TaskCount) []byte {
	if len(tasks) == 0 {
		return dst
	}
	dst = append(dst, `,"tasks":[`...)
	for i := range tasks {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"task":`...)
		dst = AppendString(dst, tasks[i].Task)
		dst = append(dst, `,"seq":`...)
		dst = strconv.AppendUint(dst, tasks[i].Seq, 10)
		dst = append(dst, '}')
	}
	return append(dst, ']')
}

func text(dst []byte, key, v string) []byte {
	if v == "" {
		return dst
	}
	return AppendString(append(dst, key...), v)
}

func number(dst []byte, key string, v int64) []byte {
	if v == 0 {
		return dst
	}
	return strconv.AppendInt(append(dst, key...), v, 10)
}

func list(dst []byte, key string, v []string) []byte {
	if len(v) == 0 {
		return dst
	}
	dst = append(dst, key...)
	for i, s := range v {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = AppendString(dst, s)
	}
	return append(dst, ']')
}

// verbatim are the bytes that stand for themselves: ASCII without controls,
// quote and backslash.
var verbatim = func() (t [256]bool) {
	for c := 0x20; c < 0x7f; c++ {
		t[c] = c != '"' && c != '\\'
	}
	return t
}()

const hexDigits = "0123456789abcdef"

// AppendString writes s as a JSON string in the one form that a log holds
// (RFC 8259 section 7): the short escapes, \u00xx for other control characters
// (C0, DEL, C1, so that a line is safe on a terminal), \u2028 and \u2029 (some
// readers split lines there), U+FFFD in place of each invalid byte.
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		b := s[i]
		if verbatim[b] {
			i++
			continue
		}
		if b < utf8.RuneSelf {
			dst = append(dst, s[start:i]...)
			dst = escape(dst, b)
			i++
			start = i
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			dst = append(dst, s[start:i]...)
			dst = append(dst, "\uFFFD"...)
			start = i + n
		case r < 0xa0, r == 0x2028, r == 0x2029:
			dst = append(dst, s[start:i]...)
			dst = append(dst, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
			start = i + n
		}
		i += n
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

// ReplaceInvalidUTF8 is s as a line holds it: with U+FFFD in place of each byte that is
// not UTF-8.
func ReplaceInvalidUTF8(s string) string {
	form := AppendString(nil, s)
	return unescape(form[1 : len(form)-1])
}

func escape(dst []byte, b byte) []byte {
	switch b {
	case '"', '\\':
		return append(dst, '\\', b)
	case '\b':
		return append(dst, '\\', 'b')
	case '\f':
		return append(dst, '\\', 'f')
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	return append(dst, '\\', 'u', '0', '0', hexDigits[b>>4], hexDigits[b&15])
}
