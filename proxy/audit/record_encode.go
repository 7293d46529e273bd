package audit

import (
	"strconv"
	"sync/atomic"
	"time"

	"github.com/byline-proxy/byline/proxy/audit/internal/merkle"
)

const timeLayout = "2006-01-02T15:04:05.000000Z"

// AppendLine appends a whole line, without newline, to dst: the members that the
// writer adds in front, then body, which comes from [AppendBody]. us is the time
// in microseconds since 1970.
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

// formattedSecond is one second in the form of a line, up to the point before
// its fraction.
type formattedSecond struct {
	unix int64
	text []byte
}

// lastSecond caches the second that was formatted last. Most lines are written
// in the second of the line before.
var lastSecond atomic.Pointer[formattedSecond]

// appendTime appends us, in microseconds since 1970, in timeLayout.
func appendTime(dst []byte, us int64) []byte {
	if us < 0 {
		return time.UnixMicro(us).UTC().AppendFormat(dst, timeLayout)
	}

	s := lastSecond.Load()
	if s == nil || s.unix != us/1e6 {
		s = &formattedSecond{us / 1e6, time.Unix(us/1e6, 0).UTC().AppendFormat(nil, "2006-01-02T15:04:05.")}
		lastSecond.Store(s)
	}

	dst = append(dst, s.text...)
	fraction := us % 1e6
	for unit := int64(1e5); unit > 0; unit /= 10 {
		dst = append(dst, byte('0'+fraction/unit%10))
	}

	return append(dst, 'Z')
}

// AppendWall appends the member wall, in microseconds since 1970. It comes first in
// a body. The writer adds it to the body of a record whose time is not known before.
func AppendWall(dst []byte, us int64) []byte {
	dst = append(dst, `,"wall":"`...)
	dst = appendTime(dst, us)

	return append(dst, '"')
}

// AppendBody appends the members of r from its wall time or its id to the closing brace. The
// caller may do so before the place of the record in the log is known.
func AppendBody(dst []byte, r *Record) []byte {
	if !r.Wall.IsZero() {
		dst = AppendWall(dst, r.Wall.UnixMicro())
	}
	dst = append(dst, `,"id":`...)
	dst = appendString(dst, r.ID)
	dst = append(dst, `,"kind":`...)
	dst = appendString(dst, r.Kind)
	dst = appendText(dst, `,"instance":`, r.Instance)
	dst = appendSubject(dst, r)
	dst = appendText(dst, `,"purpose":`, r.Purpose)
	dst = appendList(dst, `,"scope":[`, r.Scope)
	dst = appendText(dst, `,"identified":`, r.Identified)
	dst = appendRules(dst, r)
	dst = appendText(dst, `,"action":`, r.Action)
	dst = appendText(dst, `,"resource":`, r.Resource)
	if r.Privileged {
		dst = append(dst, `,"privileged":true`...)
	}
	dst = appendText(dst, `,"method":`, r.Method)
	dst = appendText(dst, `,"host":`, r.Host)
	dst = appendText(dst, `,"path":`, r.Path)
	dst = appendStripped(dst, r.Stripped)
	dst = appendText(dst, `,"account":`, r.Account)
	dst = appendText(dst, `,"lease":`, r.Lease)
	if !r.Decision.IsZero() {
		dst = append(dst, `,"decision":{"effect":`...)
		dst = appendString(dst, r.Decision.Effect)
		dst = appendList(dst, `,"policies":[`, r.Decision.Policies)
		dst = append(dst, '}')
	}

	dst = appendText(dst, `,"intent":`, r.Intent)
	dst = appendNumber(dst, `,"count":`, r.Count)
	dst = appendNumber(dst, `,"status":`, int64(r.Status))
	dst = appendNumber(dst, `,"bytes_up":`, r.BytesUp)
	dst = appendNumber(dst, `,"bytes_down":`, r.BytesDown)
	dst = appendNumber(dst, `,"messages_up":`, r.MessagesUp)
	dst = appendNumber(dst, `,"messages_down":`, r.MessagesDown)
	dst = appendNumber(dst, `,"duration_us":`, r.DurationUS)
	dst = appendText(dst, `,"code":`, r.Code)
	dst = appendText(dst, `,"detail":`, r.Detail)

	dst = appendNumber(dst, `,"cut":`, r.Cut)
	dst = appendText(dst, `,"key":`, r.Key)
	dst = appendTasks(dst, r.Tasks)
	dst = appendSegment(dst, r.Segment)
	dst = appendText(dst, `,"checkpoint":`, r.Checkpoint)
	dst = appendList(dst, `,"frontier":[`, r.Frontier)

	return append(dst, '}')
}

// appendSubject appends who acts and for whom. All records of a task share these
// members.
func appendSubject(dst []byte, r *Record) []byte {
	return subjects.appendMembers(dst, r.Task,
		[4]string{`,"agent":`, `,"sponsor":`, `,"task":`, `,"grant":`},
		memberValues{r.Agent, r.Sponsor, r.Task, r.Grant})
}

// appendRules appends under which rules a request is decided. Most records share
// these members.
func appendRules(dst []byte, r *Record) []byte {
	return rules.appendMembers(dst, r.AdapterDigest,
		[4]string{`,"adapter":`, `,"adapter_digest":`, `,"policy_digest":`, ""},
		memberValues{r.Adapter, r.AdapterDigest, r.PolicyDigest, ""})
}

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
		dst = appendString(dst, s.In)
		dst = append(dst, `,"name":`...)
		dst = appendString(dst, s.Name)
		dst = append(dst, `,"fingerprint":`...)
		dst = appendString(dst, s.Fingerprint)
		dst = appendText(dst, `,"person":`, s.Person)
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
		dst = appendString(dst, tasks[i].Task)
		dst = append(dst, `,"seq":`...)
		dst = strconv.AppendUint(dst, tasks[i].Seq, 10)
		dst = append(dst, '}')
	}

	return append(dst, ']')
}

func appendSegment(dst []byte, s Segment) []byte {
	if s.IsZero() {
		return dst
	}

	dst = append(dst, `,"segment":{"first":`...)
	dst = strconv.AppendUint(dst, s.First, 10)
	dst = append(dst, `,"next":`...)
	dst = strconv.AppendUint(dst, s.Next, 10)
	dst = append(dst, `,"bytes":`...)
	dst = strconv.AppendUint(dst, s.Bytes, 10)
	dst = append(dst, `,"sha256":`...)
	dst = appendString(dst, s.SHA256)
	dst = append(dst, `,"root":`...)
	dst = appendString(dst, s.Root)

	return append(dst, '}')
}

// appendText appends a member whose value is a string, unless it is empty.
func appendText(dst []byte, key, value string) []byte {
	if value == "" {
		return dst
	}

	return appendString(append(dst, key...), value)
}

// appendNumber appends a member whose value is a number, unless it is 0.
func appendNumber(dst []byte, key string, value int64) []byte {
	if value == 0 {
		return dst
	}

	return strconv.AppendInt(append(dst, key...), value, 10)
}

// appendList appends a member whose value is an array of strings, unless it is
// empty.
func appendList(dst []byte, key string, values []string) []byte {
	if len(values) == 0 {
		return dst
	}

	dst = append(dst, key...)
	for i, s := range values {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, s)
	}

	return append(dst, ']')
}
