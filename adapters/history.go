package adapters

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/byline-proxy/byline/adapters/internal/text"
)

// HistoryEntry is one entry of an application's own history, in the terms of the record.
type HistoryEntry struct {
	ID       string    `json:"id"`
	Time     time.Time `json:"time"` // by the application's clock, in UTC
	User     string    `json:"user"`
	Actions  []string  `json:"actions"` // one of them must have caused the entry
	Resource string    `json:"resource"`
	Many     bool      `json:"many,omitempty"` // one request may cause several such entries

	// Also lists other names that the actions may have for the resource.
	Also []string `json:"also,omitempty"`
}

// HasHistory reports whether the adapter says how to read the application's history.
func (a *Adapter) HasHistory() bool { return a.spec.Log.Entry.Time != "" }

// History returns how the application's history is read. It is zero if HasHistory returns false.
func (a *Adapter) History() HistorySpec { return a.spec.Log }

// Interpret turns an item of the history, as Page and FlattenLine return it, into an entry. It returns
// false if no kind of entry matches the item: nothing on record corresponds to it. It fails if the
// item's time is not readable.
func (l *HistorySpec) Interpret(item map[string]string) (e HistoryEntry, ours bool, err error) {
	kind, bound := l.findKind(item)
	if kind == nil {
		return e, false, nil
	}
	lookUp := func(name string) (string, error) {
		if v, ok := bound[name]; ok {
			return v, nil
		}
		return item[name], nil // "" for a field that the item does not have
	}

	e.Actions = kind.Actions
	e.Many = kind.Many
	e.ID, err = expandTemplate(fieldTemplate(l.Entry.ID), lookUp)
	if err != nil {
		return e, false, err
	}
	e.User, err = expandTemplate(fieldTemplate(l.Entry.User), lookUp)
	if err != nil {
		return e, false, err
	}

	for i, template := range kind.Resource {
		resource, err := expandTemplate(template, lookUp)
		if err != nil {
			return e, false, err
		}
		if i == 0 {
			e.Resource = resource
		} else {
			e.Also = append(e.Also, resource)
		}
	}

	e.Time, err = l.parseTime(item[l.Entry.Time])
	if err != nil {
		return e, false, err
	}
	return e, true, nil
}

// findKind returns the first kind that matches an item, and what its patterns bind. It returns nil if
// there is none.
func (l *HistorySpec) findKind(item map[string]string) (*HistoryKind, map[string]string) {
	for i := range l.Kinds {
		if bound, ok := l.Kinds[i].match(item); ok {
			return &l.Kinds[i], bound
		}
	}
	return nil, nil
}

// fieldTemplate returns s as a template: the bare name of a field stands for its value.
func fieldTemplate(s string) string {
	if s == "" || strings.Contains(s, "${") {
		return s
	}
	return "${" + s + "}"
}

// match reports whether every field in When has a value that one of its patterns matches, and returns
// what the patterns bind.
func (k *HistoryKind) match(item map[string]string) (bound map[string]string, ok bool) {
	bound = map[string]string{}
	for name, patterns := range k.When {
		matchesValue := func(pattern string) bool { return bindPattern(pattern, item[name], bound) }
		if !slices.ContainsFunc(patterns, matchesValue) {
			return nil, false
		}
	}
	return bound, true
}

// bindPattern reports whether a pattern matches a value, and adds to bound what it binds.
func bindPattern(pattern, value string, bound map[string]string) bool {
	if !strings.Contains(pattern, "{") {
		return text.Glob(pattern, value, nil)
	}

	var vars variables
	var values bindings
	p, err := compilePattern(pattern, &vars, false)
	if err != nil || len(vars) > maxVariables || !p.match(value, &values) {
		return false // checkHistoryPattern has refused a pattern that does not compile
	}
	for i, name := range vars {
		bound[name] = values[i]
	}
	return true
}

// Before reports whether an item is older than a time. It fails if the item's time is not readable.
func (l *HistorySpec) Before(item map[string]string, when time.Time) (bool, error) {
	t, err := l.parseTime(item[l.Entry.Time])
	return t.Before(when), err
}

// timeLayouts are the layouts of package time that are tried if the adapter names none.
var timeLayouts = []string{time.RFC3339, "2006-01-02T15:04:05", time.DateTime, "20060102150405", "Mon Jan 2 15:04:05 2006"}

// parseTime reads a time as log.entry.time_format says. The result is in UTC.
func (l *HistorySpec) parseTime(s string) (time.Time, error) {
	if l.Entry.TimeFormat == "unix" {
		seconds, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return time.Time{}, fmt.Errorf("the time %q is not a number of seconds since 1970", s)
		}
		return time.Unix(seconds, 0).UTC(), nil
	}

	layouts := timeLayouts
	if l.Entry.TimeFormat != "" {
		layouts = []string{l.Entry.TimeFormat}
	}
	for _, layout := range layouts {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("the time %q has an unknown format; set log.entry.time_format", s)
}
