package audit

import (
	"bytes"
	"fmt"
)

// RelatedRecords is a record with the records that belong to it.
type RelatedRecords struct {
	Record  Record   `json:"record"`            // the one that was asked for
	Intent  *Record  `json:"intent,omitempty"`  // of an outcome
	Outcome *Record  `json:"outcome,omitempty"` // of an intent; nil if it is not known
	Lease   []Record `json:"lease,omitempty"`   // of the same lease: check-out, logins, logouts, check-in
	Task    []Record `json:"task,omitempty"`    // beginning and end of the same task
}

// FindRelated finds the record with that ID, and the records
// that belong to it. It checks that these lines are records, not the chain; see
// [Verify]. The error is ErrNoRecord if there is no such record.
func (f Folders) FindRelated(id string) (RelatedRecords, error) {
	found, err := f.Find(id)
	if err != nil {
		return RelatedRecords{}, err
	}

	var r RelatedRecords
	for i := range found {
		if found[i].ID == id {
			r.Record = found[i]
		}
	}
	if r.Record.ID == "" {
		return r, fmt.Errorf("audit: %w: %s in %s", ErrNoRecord, id, f)
	}

	return r, r.readFrom(f)
}

// readFrom reads the records that belong to r.Record.
func (r *RelatedRecords) readFrom(log Folders) error {
	files, err := log.segments()
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}

	patterns := r.patterns()
	for _, file := range files {
		err := file.EachLine(func(line []byte) error {
			if !containsAny(line, patterns) {
				return nil
			}

			other, err := ParseRecord(line)
			if err != nil {
				return err
			}
			r.add(other)

			return nil
		})
		if err != nil {
			return fmt.Errorf("audit: %w", err)
		}
	}

	return nil
}

// patterns returns bytes of which every line that belongs to r.Record has one.
func (r *RelatedRecords) patterns() (patterns [][]byte) {
	intent := r.Record.Intent
	if intent == "" {
		intent = r.Record.ID
	}
	patterns = append(patterns, appendString(nil, intent))
	if r.Record.Lease != "" {
		patterns = append(patterns, appendString(nil, r.Record.Lease))
	}
	if r.Record.Task != "" {
		patterns = append(patterns, []byte(`"kind":"task"`))
	}

	return patterns
}

func containsAny(line []byte, patterns [][]byte) bool {
	for _, pattern := range patterns {
		if bytes.Contains(line, pattern) {
			return true
		}
	}

	return false
}

// add keeps other if it belongs to r.Record.
func (r *RelatedRecords) add(other Record) {
	asked := &r.Record
	switch {
	case other.ID == asked.ID:
	case asked.Intent != "" && other.ID == asked.Intent:
		r.Intent = &other
	case other.Intent == asked.ID:
		r.Outcome = &other
	case other.Kind == "task" && other.Task == asked.Task:
		r.Task = append(r.Task, other)
	case other.Lease != "" && other.Lease == asked.Lease && isLeaseKind(other.Kind):
		r.Lease = append(r.Lease, other)
	}
}

// isLeaseKind reports whether records of that kind tell the life of a lease.
func isLeaseKind(kind string) bool {
	return kind == "lease" || kind == "login" || kind == "logout"
}
