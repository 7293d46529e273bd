package audit

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/byline-proxy/byline/proxy/audit/internal/merkle"
	"github.com/byline-proxy/byline/proxy/audit/internal/segment"
)

// ErrNoRecord is in the error of who asks for a record that is not there.
var ErrNoRecord = errors.New("there is no such record")

// RelatedRecords is a record with those that belong to it.
type RelatedRecords struct {
	Record  Record   `json:"record"`            // the one that was asked for
	Intent  *Record  `json:"intent,omitempty"`  // on an outcome: what it closes
	Outcome *Record  `json:"outcome,omitempty"` // on an intent: how it went; nil: not known
	Lease   []Record `json:"lease,omitempty"`   // of the same lease: check-out, logins, logouts, check-in
	Task    []Record `json:"task,omitempty"`    // of the same task: made, ended
}

// FindRelated finds the record with that id in dir, and what belongs to it. It reads
// the log without checking its chain, see [Verify]. The error is ErrNoRecord
// when there is none.
func FindRelated(dir, id string) (RelatedRecords, error) {
	found, err := Find(dir, id)
	if err != nil {
		return RelatedRecords{}, err
	}
	var s RelatedRecords
	for i := range found {
		if found[i].ID == id {
			s.Record = found[i]
		}
	}
	if s.Record.ID == "" {
		return s, fmt.Errorf("audit: %w: %s in %s", ErrNoRecord, id, dir)
	}
	return s, s.gather(dir)
}

func (s *RelatedRecords) gather(dir string) error {
	segs, err := segment.List(dir)
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	intent, lease, task := s.needles()
	for _, seg := range segs {
		err := segment.EachLine(seg.Path, func(line []byte) error {
			if !holds(line, intent) && !holds(line, lease) && !holds(line, task) {
				return nil
			}
			r, err := ParseRecord(line)
			if err == nil {
				s.take(r)
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("audit: %w", err)
		}
	}
	return nil
}

// needles are what a line that belongs to the story holds.
func (s *RelatedRecords) needles() (intent, lease, task []byte) {
	r := &s.Record
	key := r.ID
	if r.Intent != "" {
		key = r.Intent
	}
	intent = AppendString(nil, key)
	if r.Lease != "" {
		lease = AppendString(nil, r.Lease)
	}
	if r.Task != "" {
		task = []byte(`"kind":"task"`)
	}
	return intent, lease, task
}

func holds(line, needle []byte) bool { return needle != nil && bytes.Contains(line, needle) }

func (s *RelatedRecords) take(r Record) {
	asked := &s.Record
	switch {
	case r.ID == asked.ID:
	case asked.Intent != "" && r.ID == asked.Intent:
		s.Intent = &r
	case r.Intent == asked.ID:
		s.Outcome = &r
	case r.Kind == "task" && r.Task == asked.Task:
		s.Task = append(s.Task, r)
	case r.Lease != "" && r.Lease == asked.Lease && (r.Kind == "lease" || r.Kind == "login" || r.Kind == "logout"):
		s.Lease = append(s.Lease, r)
	}
}

// Line is r as it lies in the log, without newline.
func (r *Record) Line() []byte {
	prev, _ := merkle.ParseHex(r.Prev)
	return AppendLine(nil, r.Seq, r.TaskSeq, prev, r.Time.UnixMicro(), AppendBody(nil, r))
}
