package audit

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
)

// maxLine bounds a line, so that readers need a bounded buffer.
const maxLine = 1 << 20

// ParseRecord reads one line, without newline. It is strict: a line is a record
// only if writing the record gives the same bytes again. Unknown, repeated or
// reordered names, other spellings of a value and white space are errors.
func ParseRecord(line []byte) (Record, error) {
	var r Record
	if len(line) > maxLine {
		return r, fmt.Errorf("line is longer than %d bytes", maxLine)
	}
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return Record{}, fmt.Errorf("not a record: %w", err)
	}
	if r.V != version {
		return Record{}, fmt.Errorf("format version %d is not known, only %d", r.V, version)
	}
	var prev hash
	if n, err := hex.Decode(prev[:], []byte(r.Prev[:min(len(r.Prev), 2*len(prev))])); err != nil || n != len(prev) || len(r.Prev) != 2*len(prev) {
		return Record{}, errors.New("prev is not a SHA-256 in hex")
	}
	again := appendLine(make([]byte, 0, len(line)), r.Seq, prev, r.Time.UnixMicro(), appendBody(nil, &r))
	if !bytes.Equal(again, line) {
		return Record{}, errors.New("not in the one form that the log writes")
	}
	return r, nil
}
