package audit

import (
	"bytes"
	"errors"
	"fmt"
)

// ErrNoRecord is in the error for a record that the log does not have.
var ErrNoRecord = errors.New("there is no such record")

// Find returns the record with that ID and the records whose Intent it is, in
// order, or nil if there are none. It checks that these lines are records, not
// the chain; see [Verify].
func (f Folders) Find(id string) (found []Record, err error) {
	files, err := f.segments()
	if err != nil {
		return nil, fmt.Errorf("audit: find: %w", err)
	}

	quoted := appendString(nil, id)
	for _, file := range files {
		err := file.EachLine(func(line []byte) error {
			if !bytes.Contains(line, quoted) {
				return nil
			}

			r, err := ParseRecord(line)
			if err != nil {
				return err
			}
			if r.ID == id || r.Intent == id {
				found = append(found, r)
			}

			return nil
		})
		if err != nil {
			return found, fmt.Errorf("audit: find: %w", err)
		}
	}

	return found, nil
}
