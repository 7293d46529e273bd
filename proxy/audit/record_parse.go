package audit

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// ParseRecord reads one line, without newline. It is strict: a line is a record
// only if writing the record gives the same bytes again. Unknown, repeated or
// reordered names, other spellings of a value and white space are errors.
func ParseRecord(line []byte) (Record, error) {
	var v view
	var raw values
	if err := scan(line, &v, &raw); err != nil {
		return Record{}, err
	}
	r := Record{V: version, Seq: v.seq, TaskSeq: v.taskSeq, Prev: v.prev.Hex(), Time: time.UnixMicro(v.us).UTC(), ID: unescape(v.id), Kind: unescape(v.kind)}
	for m := range members {
		value := raw[m]
		if value == nil {
			continue
		}
		var err error
		switch to := members[m].of(&r).(type) {
		case *string:
			*to = unescape(value[1 : len(value)-1])
		case *int64:
			*to, err = strconv.ParseInt(string(value), 10, 64)
		case *int:
			*to, err = strconv.Atoi(string(value))
		case *bool:
			*to = true
		default:
			err = json.Unmarshal(value, to)
		}
		if err != nil {
			return Record{}, fmt.Errorf("not a record: %w", err)
		}
	}
	return r, nil
}

// unescape is the string whose form in a line scan accepted.
func unescape(raw []byte) string {
	s := string(raw)
	at := strings.IndexByte(s, '\\')
	if at < 0 {
		return s
	}
	out := make([]byte, 0, len(s))
	for ; at >= 0; at = strings.IndexByte(s, '\\') {
		out = append(out, s[:at]...)
		n := 2
		switch s[at+1] {
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			r, _ := strconv.ParseUint(s[at+2:at+6], 16, 16)
			out, n = utf8.AppendRune(out, rune(r)), 6
		default:
			out = append(out, s[at+1])
		}
		s = s[at+n:]
	}
	return string(append(out, s...))
}
