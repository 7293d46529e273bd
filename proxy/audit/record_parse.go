package audit

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// ParseRecord reads one line, without newline. It is strict: it accepts a line
// only if writing the record gives the same bytes again. Unknown, repeated or
// reordered members, other spellings of a value, and white space are errors.
func ParseRecord(line []byte) (Record, error) {
	var head lineHead
	var raw rawMembers
	if err := scanLine(line, &head, &raw); err != nil {
		return Record{}, err
	}

	r := Record{
		V:       version,
		Seq:     head.seq,
		TaskSeq: head.taskSeq,
		Prev:    head.prev.Hex(),
		Time:    time.UnixMicro(head.us).UTC(),
		ID:      unescape(head.id),
		Kind:    unescape(head.kind),
	}
	if head.hasWall {
		r.Wall = time.UnixMicro(head.wallUS).UTC()
	}
	for m := range members {
		if raw[m] == nil {
			continue
		}
		if err := decodeMember(members[m].field(&r), raw[m]); err != nil {
			return Record{}, fmt.Errorf("not a record: %w", err)
		}
	}

	return r, nil
}

// decodeMember decodes a value that scanLine accepted into a field of a record.
func decodeMember(field any, value []byte) (err error) {
	switch to := field.(type) {
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

	return err
}
