package adapters

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/byline-proxy/byline/adapters/internal/text"
)

// HistoryEntry is one entry of an application's own history, in the words of the
// record.
type HistoryEntry struct {
	ID       string    `json:"id"`
	Time     time.Time `json:"time"` // by the application's clock
	User     string    `json:"user"`
	Actions  []string  `json:"actions"` // one of these would have caused it
	Resource string    `json:"resource"`
	Many     bool      `json:"many,omitempty"` // one request may cause several such entries

	// Also are other names that the actions may have for the resource.
	Also []string `json:"also,omitempty"`
}

// HasHistory says whether the adapter tells how to read the application's history.
func (a *Adapter) HasHistory() bool { return a.spec.Log.Entry.Time != "" }

// History is the adapter's way to the application's history.
func (a *Adapter) History() HistorySpec { return a.spec.Log }

// Interpret turns an item into an entry. False: none of the kinds is about it.
func (l *HistorySpec) Interpret(item map[string]string) (e HistoryEntry, ours bool, err error) {
	var bound map[string]string
	i := slices.IndexFunc(l.Kinds, func(k HistoryKind) (about bool) { bound, about = k.about(item); return about })
	if i < 0 {
		return e, false, nil
	}
	k := &l.Kinds[i]
	get := func(name string) (string, error) { // an absent field is empty
		if v, ok := bound[name]; ok {
			return v, nil
		}
		return item[name], nil
	}
	for _, f := range []struct {
		into     *string
		template string
	}{{&e.ID, fieldTemplate(l.Entry.ID)}, {&e.User, fieldTemplate(l.Entry.User)}} {
		if *f.into, err = expandTemplate(f.template, get); err != nil {
			return e, false, err
		}
	}
	for i, template := range k.Resource {
		resource, err := expandTemplate(template, get)
		if err != nil {
			return e, false, err
		}
		if i == 0 {
			e.Resource = resource
		} else {
			e.Also = append(e.Also, resource)
		}
	}
	if e.Time, err = l.parseTime(item[l.Entry.Time]); err != nil {
		return e, false, err
	}
	e.Actions, e.Many = k.Actions, k.Many
	return e, true, nil
}

// fieldTemplate is a template: a bare name stands for its value.
func fieldTemplate(s string) string {
	if s == "" || strings.Contains(s, "${") {
		return s
	}
	return "${" + s + "}"
}

// about says whether the kind is about the item, and what its patterns bind.
func (k *HistoryKind) about(item map[string]string) (bound map[string]string, ok bool) {
	for name, patterns := range k.When {
		if !slices.ContainsFunc(patterns, func(p string) bool { return fits(p, item[name], &bound) }) {
			return nil, false
		}
	}
	return bound, true
}

func fits(pattern, value string, bound *map[string]string) bool {
	if pattern == "" || !strings.Contains(pattern, "{") {
		return text.Glob(pattern, value, nil)
	}
	var vars variables
	var values bindings
	p, err := compilePattern(pattern, &vars, false)
	if err != nil || len(vars) > maxVariables || !p.match(value, &values) { // checkHistoryPattern has said so
		return false
	}
	if *bound == nil {
		*bound = map[string]string{}
	}
	for i, name := range vars {
		(*bound)[name] = values[i]
	}
	return true
}

// Before says whether an item is older than a time.
func (l *HistorySpec) Before(item map[string]string, when time.Time) (bool, error) {
	t, err := l.parseTime(item[l.Entry.Time])
	return t.Before(when), err
}

// timeLayouts are those that applications write when the adapter names none.
var timeLayouts = []string{time.RFC3339, "2006-01-02T15:04:05", time.DateTime, "20060102150405", "Mon Jan 2 15:04:05 2006"}

func (l *HistorySpec) parseTime(s string) (time.Time, error) {
	if l.Entry.TimeFormat == "unix" {
		seconds, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return time.Time{}, fmt.Errorf("the time %q is not in seconds since 1970", s)
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
	return time.Time{}, fmt.Errorf("the time %q is in none of the known forms; name it in log.entry.time_format", s)
}
