package adapters

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// LogEntry is one entry of an application's own history, in the words of the
// record.
type LogEntry struct {
	ID       string    `json:"id"`
	Time     time.Time `json:"time"` // by the application's clock
	User     string    `json:"user"`
	Actions  []string  `json:"actions"` // one of these would have caused it
	Resource string    `json:"resource"`
	Many     bool      `json:"many,omitempty"` // one request may cause several such entries

	// Also are other names that the actions may have for the resource.
	Also []string `json:"also,omitempty"`
}

// HasLog says whether the adapter tells how to read the application's history.
func (a *Adapter) HasLog() bool { return a.spec.Log.Entry.Time != "" }

// Log is the adapter's way to the application's history.
func (a *Adapter) Log() LogSpec { return a.spec.Log }

// Path is the target of the request for one page of entries; next is "" for the
// first page and what Page returned after that. item is one of those that Each
// lists: its fields are percent-encoded, so that none of them leaves its place.
func (r *LogRead) Path(from, to time.Time, item map[string]string, next string) (string, error) {
	path, err := expand(r.Get, func(name string) (string, error) {
		switch name {
		case "from":
			return from.UTC().Format(r.layout()), nil
		case "to":
			return to.UTC().Format(r.layout()), nil
		}
		switch value := item[name]; {
		case r.Each.Get == "":
			return "", fmt.Errorf("there is no ${%s} here, only ${from} and ${to}", name)
		case value == "":
			return "", fmt.Errorf("an item of each has no %s", name)
		default:
			return strings.ReplaceAll(url.QueryEscape(value), "+", "%20"), nil
		}
	})
	return r.Next.page(path, next), err
}

// Sample is a path like those of [LogRead.Path], to find the action that names
// them.
func (r *LogRead) Sample(from, to time.Time) (string, error) {
	item := map[string]string{}
	if _, err := expand(r.Get, func(name string) (string, error) { item[name] = "1"; return "", nil }); err != nil {
		return "", err
	}
	return r.Path(from, to, item, "")
}

// Path is the target of the request for one page of the list, as in [LogRead.Path].
func (e *LogEach) Path(next string) string { return e.Next.page(e.Get, next) }

// Page reads one page of the list, as [LogRead.Page] does.
func (e *LogEach) Page(body []byte, page int) (items []map[string]string, next string, err error) {
	return readPage(body, page, e.Items, &e.Next)
}

// page is path with what asks for one more page.
func (n *LogNext) page(path, next string) string {
	if next == "" {
		return path
	}
	separator := "?"
	if strings.Contains(path, "?") {
		separator = "&"
	}
	return path + separator + url.QueryEscape(n.Param) + "=" + url.QueryEscape(next)
}

// layout is a layout of package time; RFC 3339 unless the adapter says otherwise.
func (r *LogRead) layout() string {
	if r.Time == "" {
		return time.RFC3339
	}
	return r.Time
}

// Page reads one page: its items as flat maps of dotted names to texts, and
// what asks for the next page; "" after the last. page counts from 1.
func (r *LogRead) Page(body []byte, page int) (items []map[string]string, next string, err error) {
	return readPage(body, page, r.Items, &r.Next)
}

func readPage(body []byte, page int, pointer string, following *LogNext) (items []map[string]string, next string, err error) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var answer any
	if err := decoder.Decode(&answer); err != nil {
		return nil, "", errors.New("the answer is not JSON")
	}
	list, ok := at(answer, pointer).([]any)
	if !ok {
		return nil, "", fmt.Errorf("the answer has no array at %q", pointer)
	}
	for _, item := range list {
		flat := map[string]string{}
		flatten(item, "", flat)
		items = append(items, flat)
	}
	switch {
	case following.JSON != "":
		flat := map[string]string{}
		flatten(at(answer, following.JSON), "next", flat)
		next = flat["next"]
	case following.Param != "" && len(list) > 0:
		next = strconv.Itoa(page + 1)
	}
	return items, next, nil
}

// at follows a dotted pointer; nil when there is nothing there.
func at(v any, pointer string) any {
	if pointer == "" {
		return v
	}
	for key := range strings.SplitSeq(pointer, ".") {
		switch here := v.(type) {
		case map[string]any:
			v = here[key]
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i < 0 || i >= len(here) {
				return nil
			}
			v = here[i]
		default:
			return nil
		}
	}
	return v
}

// flatten names every text, number and boolean below v by its dotted path.
func flatten(v any, path string, into map[string]string) {
	join := func(key string) string {
		if path == "" {
			return key
		}
		return path + "." + key
	}
	switch v := v.(type) {
	case map[string]any:
		for key, below := range v {
			flatten(below, join(key), into)
		}
	case []any:
		for i, below := range v {
			flatten(below, join(strconv.Itoa(i)), into)
		}
	case string:
		into[path] = v
	case json.Number, bool:
		into[path] = fmt.Sprint(v)
	}
}

// Flatten is the form of one line of a JSON-lines export that [LogSpec.Interpret]
// takes.
func Flatten(line []byte) (map[string]string, error) {
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.UseNumber()
	var v any
	if err := decoder.Decode(&v); err != nil {
		return nil, errors.New("the line is not JSON")
	}
	flat := map[string]string{}
	flatten(v, "", flat)
	return flat, nil
}

// Interpret turns an item into an entry. False: none of the kinds is about it.
func (l *LogSpec) Interpret(item map[string]string) (e LogEntry, ours bool, err error) {
	var bound map[string]string
	i := slices.IndexFunc(l.Kinds, func(k LogKind) (about bool) { bound, about = k.about(item); return about })
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
		if *f.into, err = expand(f.template, get); err != nil {
			return e, false, err
		}
	}
	for i, template := range k.Resource {
		resource, err := expand(template, get)
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
func (k *LogKind) about(item map[string]string) (bound map[string]string, ok bool) {
	for name, patterns := range k.When {
		if !slices.ContainsFunc(patterns, func(p string) bool { return fits(p, item[name], &bound) }) {
			return nil, false
		}
	}
	return bound, true
}

func fits(text, value string, bound *map[string]string) bool {
	if text == "" || !strings.Contains(text, "{") {
		return glob(text, value, nil)
	}
	var vars slots
	var values [maxSlots]string
	p, err := compilePattern(text, &vars, false)
	if err != nil || len(vars) > maxSlots || !p.match(value, &values) { // checkLogPattern has said so
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
func (l *LogSpec) Before(item map[string]string, when time.Time) (bool, error) {
	t, err := l.parseTime(item[l.Entry.Time])
	return t.Before(when), err
}

// timeLayouts are those that applications write when the adapter names none.
var timeLayouts = []string{time.RFC3339, "2006-01-02T15:04:05", time.DateTime, "20060102150405", "Mon Jan 2 15:04:05 2006"}

func (l *LogSpec) parseTime(s string) (time.Time, error) {
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
