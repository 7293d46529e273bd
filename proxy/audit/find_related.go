package audit

import (
	"bytes"
	"fmt"
	"math"
	"slices"
)

// RelatedRecords is a record with the records that belong to it.
type RelatedRecords struct {
	Record  Record   `json:"record"`            // the one that was asked for
	Intent  *Record  `json:"intent,omitempty"`  // of an outcome
	Outcome *Record  `json:"outcome,omitempty"` // of an intent; nil if it is not known
	Lease   []Record `json:"lease,omitempty"`   // of the same lease: check-out, logins, logouts, check-in
	Task    []Record `json:"task,omitempty"`    // beginning and end of the same task

	// Events are all of these, the record itself included, and what else explains
	// them, in the order of the log: how logins and logouts of the lease ended, alerts
	// about the task, refusals of the same request before and after, and what befell
	// the server meanwhile: start, stop, recovery after a crash, steps of the clock.
	Events []Record `json:"events,omitempty"`
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

	err = r.readFrom(f)
	r.dropUnrelatedServerEvents()
	return r, err
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
		patterns = append(patterns, []byte(`"kind":"task"`), []byte(`"kind":"alert"`))
		for _, kind := range serverKinds {
			patterns = append(patterns, []byte(`"kind":"`+kind+`"`))
		}
	}
	if r.Record.Path != "" {
		patterns = append(patterns, []byte(`"kind":"refusal"`))
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

// serverKinds are the kinds of records about the server that explain what became of a
// request.
var serverKinds = []string{"start", "stop", KindRecovery, KindClock}

// add keeps other if it belongs to r.Record. Records come in the order of the log.
func (r *RelatedRecords) add(other Record) {
	asked := &r.Record
	ofLease := other.Lease != "" && other.Lease == asked.Lease
	ofTask := other.Task != "" && other.Task == asked.Task
	switch {
	case other.ID == asked.ID:
	case asked.Intent != "" && other.ID == asked.Intent:
		r.Intent = &other
	case other.Intent == asked.ID:
		r.Outcome = &other
	case other.Kind == "task" && ofTask:
		r.Task = append(r.Task, other)
	case ofLease && isLeaseKind(other.Kind):
		r.Lease = append(r.Lease, other)

	case other.Kind == "outcome" && ofLease && r.hasLeaseEvent(other.Intent): // of a login or logout
	case other.Kind == "alert" && ofTask:
	case other.Kind == "refusal" && ofTask && isSameRequest(&other, asked):
	case slices.Contains(serverKinds, other.Kind):
	default:
		return
	}
	r.Events = append(r.Events, other)
}

func (r *RelatedRecords) hasLeaseEvent(id string) bool {
	return slices.ContainsFunc(r.Lease, func(l Record) bool { return l.ID == id })
}

// isSameRequest reports whether two records are of attempts at the same request.
func isSameRequest(a, b *Record) bool {
	return a.Method == b.Method && a.Host == b.Host && a.Path == b.Path && a.Method != "CONNECT"
}

// dropUnrelatedServerEvents keeps of the server's events those during the task, and
// the first ones after an intent whose outcome is not known: they tell why.
func (r *RelatedRecords) dropUnrelatedServerEvents() {
	isServerEvent := func(e *Record) bool { return slices.Contains(serverKinds, e.Kind) }
	first, last := uint64(math.MaxUint64), uint64(0)
	for i := range r.Events {
		if e := &r.Events[i]; !isServerEvent(e) {
			first, last = min(first, e.Seq), max(last, e.Seq)
		}
	}

	open := r.Record.Kind == "intent" && r.Outcome == nil
	after := 0
	r.Events = slices.DeleteFunc(r.Events, func(e Record) bool {
		if !isServerEvent(&e) || e.Seq > first && e.Seq < last {
			return false
		}
		if open && e.Seq > last && after < 2 {
			after++
			return false
		}
		return true
	})
}

// isLeaseKind reports whether records of that kind tell the life of a lease.
func isLeaseKind(kind string) bool {
	return kind == "lease" || kind == "login" || kind == "logout"
}
