package adapters

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // log.entry.zone must be found on machines without the data base

	"github.com/byline-proxy/byline/adapters/internal/text"
)

// HistoryReader reads the items of an application's history. It is log of the adapter, compiled. It is not
// safe for concurrent use.
type HistoryReader struct {
	spec      *HistorySpec
	kinds     []itemTest
	ignore    []itemTest
	others    []string // lower case
	userIs    []pattern
	lines     []*regexp.Regexp
	continues *regexp.Regexp
	zone      *time.Location
	layouts   []timeLayout
	newest    time.Time // a time without a year is not much later than this
	shapes    []string  // the fields by which kinds differ
}

// ItemClass says what an item of a history is.
type ItemClass int

// The classes of items.
const (
	ItemUnknown ItemClass = iota // of no kind
	ItemEntry                    // of a kind in log.kinds
	ItemIgnored                  // listed in log.ignore
)

// NewHistoryReader returns a reader of an application's history up to about newest.
func (l *HistorySpec) NewHistoryReader(newest time.Time) *HistoryReader {
	r := &HistoryReader{spec: l, zone: time.UTC, newest: newest}
	for i := range l.Kinds {
		r.kinds = append(r.kinds, compileItemTest(l.Kinds[i].When))
	}
	for _, when := range l.Ignore {
		r.ignore = append(r.ignore, compileItemTest(when))
	}
	for _, name := range l.Others {
		r.others = append(r.others, strings.ToLower(name))
	}
	for _, p := range l.Entry.UserIs {
		var vars variables
		if compiled, err := compilePattern(strings.ToLower(p), &vars, false); err == nil { // checkHistory refuses others
			r.userIs = append(r.userIs, compiled)
		}
	}
	for _, line := range l.Line {
		if re, err := regexp.Compile(line); err == nil { // likewise
			r.lines = append(r.lines, re)
		}
	}
	if l.Continued != "" {
		r.continues, _ = regexp.Compile(l.Continued) // likewise
	}
	if zone, err := parseZone(l.Entry.Zone); err == nil { // likewise
		r.zone = zone
	}
	r.layouts = timeLayoutsOf(l.Entry.TimeFormat)
	r.shapes = fieldsOfKinds(l)
	return r
}

// fieldsOfKinds returns the fields that kinds and ignore look at.
func fieldsOfKinds(l *HistorySpec) []string {
	names := map[string]bool{}
	for i := range l.Kinds {
		for name := range l.Kinds[i].When {
			names[name] = true
		}
	}
	for _, when := range l.Ignore {
		for name := range when {
			names[name] = true
		}
	}
	if len(names) > 1 {
		delete(names, "line") // it has everything in it
	}
	var fields []string
	for name := range names {
		fields = append(fields, name)
	}
	slices.Sort(fields)
	return fields
}

// IsText reports whether the log is text that log.line reads.
func (r *HistoryReader) IsText() bool { return len(r.lines) > 0 }

// Continues reports whether a line of a text belongs to the line before it.
func (r *HistoryReader) Continues(line string) bool {
	return r.continues != nil && r.continues.MatchString(line)
}

// ReadLine reads an item of a text, with the lines that continue it, into an item for Interpret. ok is false
// if no expression of log.line matches; the item then has only the field line.
func (r *HistoryReader) ReadLine(line string) (item map[string]string, ok bool) {
	item = map[string]string{"line": line}
	for _, re := range r.lines {
		groups := re.FindStringSubmatch(line)
		if groups == nil {
			continue
		}
		for i, name := range re.SubexpNames() {
			if name != "" && (groups[i] != "" || item[name] == "") {
				item[name] = groups[i]
			}
		}
		return item, true
	}
	return item, false
}

// IsIgnored reports whether log.ignore lists an item.
func (r *HistoryReader) IsIgnored(item map[string]string) bool {
	return slices.ContainsFunc(r.ignore, func(t itemTest) bool {
		_, ok := t.match(item)
		return ok
	})
}

// Interpret says what an item is, as Page, ReadJSON and ReadLine return it. Of an item that is ignored or of
// no kind only user, time and id are set. It fails if the time is not readable, except for items that are ignored,
// which then have the zero time.
func (r *HistoryReader) Interpret(item map[string]string) (e HistoryEntry, class ItemClass, err error) {
	e.Kind = -1
	class = ItemUnknown
	e.Time, e.Precision, err = r.parseTime(r.timeOf(item))
	if r.IsIgnored(item) {
		class, err = ItemIgnored, nil
	}
	if err != nil {
		return e, class, err
	}

	bound := map[string]string(nil)
	var kind *HistoryKind
	for i := 0; i < len(r.kinds) && class == ItemUnknown; i++ {
		if found, ok := r.kinds[i].match(item); ok {
			kind, bound, e.Kind = &r.spec.Kinds[i], found, i
			break
		}
	}
	lookUp := func(name string) (string, error) {
		if v, ok := bound[name]; ok {
			return v, nil
		}
		return item[name], nil // "" for a field that the item does not have
	}

	e.ID, err = expandTemplate(fieldTemplate(r.spec.Entry.ID), lookUp)
	if err != nil {
		return e, ItemUnknown, err
	}
	user, err := expandTemplate(fieldTemplate(r.spec.Entry.User), lookUp)
	if err != nil {
		return e, ItemUnknown, err
	}
	e.Written = user
	e.User = r.userIn(user)
	if kind == nil {
		return e, class, nil
	}

	e.Actions, e.Many, e.AtMost = kind.Actions, kind.Many || kind.AtMost > 0, kind.AtMost
	for i, template := range kind.Resource {
		resource, err := expandTemplate(template, lookUp)
		if err != nil {
			return e, ItemUnknown, err
		}
		if i == 0 {
			e.Resource = resource
		} else {
			e.Also = append(e.Also, resource)
		}
	}
	return e, ItemEntry, nil
}

// ID returns the id of an item by its own fields, and "" if log.entry.id names none.
func (r *HistoryReader) ID(item map[string]string) string {
	id, err := expandTemplate(fieldTemplate(r.spec.Entry.ID), func(name string) (string, error) { return item[name], nil })
	if err != nil {
		return ""
	}
	return id
}

// userIn returns the user name in a value, as log.entry.user_is says.
func (r *HistoryReader) userIn(value string) string {
	if len(r.userIs) == 0 {
		return value
	}
	lower := strings.ToLower(value)
	for i := range r.userIs {
		var found bindings
		if r.userIs[i].match(lower, &found) && found[0] != "" {
			return found[0]
		}
	}
	return value
}

// IsOther reports whether log.others lists a name, and whether a pattern does that says more than "everybody".
func (r *HistoryReader) IsOther(name string) (listed, narrowly bool) {
	lower := strings.ToLower(name)
	for _, p := range r.others {
		if text.Glob(p, lower, nil) {
			listed = true
			narrowly = narrowly || p != "*"
		}
	}
	return listed, narrowly
}

// NamesOthers reports whether the adapter says who the other users are.
func (r *HistoryReader) NamesOthers() bool { return len(r.others) > 0 }

// maxShape bounds the length of a shape, in bytes.
const maxShape = 160

// Shape describes an item of no kind by the fields that kinds and ignore look at: an author of the adapter can
// write another kind or ignore from it. Numbers are #, so that items that differ in them have one shape.
func (r *HistoryReader) Shape(item map[string]string) string {
	fields := r.shapes
	if len(fields) == 0 {
		for name := range item {
			fields = append(fields, name)
		}
		slices.Sort(fields)
	}

	var b strings.Builder
	for _, name := range fields {
		if name == r.spec.Entry.Time || name == r.spec.Entry.ID {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "%s=%s", name, strconv.Quote(withoutNumbers(item[name])))
		if b.Len() > maxShape {
			return strings.ToValidUTF8(b.String()[:maxShape], "") + "…"
		}
	}
	return b.String()
}

// withoutNumbers returns s with # for each run of digits.
func withoutNumbers(s string) string {
	var b strings.Builder
	inNumber := false
	for _, c := range s[:min(len(s), maxShape)] {
		isDigit := c >= '0' && c <= '9'
		switch {
		case !isDigit:
			b.WriteRune(c)
		case !inNumber:
			b.WriteByte('#')
		}
		inNumber = isDigit
	}
	return b.String()
}

// fieldTemplate returns s as a template: the bare name of a field stands for its value.
func fieldTemplate(s string) string {
	if s == "" || strings.Contains(s, "${") {
		return s
	}
	return "${" + s + "}"
}

// itemTest is a map from fields to patterns, compiled.
type itemTest []fieldTest

type fieldTest struct {
	field    string
	patterns []fieldPattern
}

// fieldPattern is one pattern. Only those with variables are compiled.
type fieldPattern struct {
	glob     string
	vars     variables
	compiled *pattern
}

func compileItemTest(when map[string]Strings) itemTest {
	var t itemTest
	for field, patterns := range when {
		f := fieldTest{field: field}
		for _, p := range patterns {
			one := fieldPattern{glob: p}
			if strings.Contains(p, "{") {
				compiled, err := compilePattern(p, &one.vars, false)
				if err != nil || len(one.vars) > maxVariables {
					continue // checkHistoryPattern has refused it
				}
				one.compiled = &compiled
			}
			f.patterns = append(f.patterns, one)
		}
		t = append(t, f)
	}
	slices.SortFunc(t, func(x, y fieldTest) int { return cmp.Compare(x.field, y.field) })
	return t
}

// match reports whether every field has a value that one of its patterns matches, and returns what the patterns
// bind.
func (t itemTest) match(item map[string]string) (bound map[string]string, ok bool) {
	for i := range t {
		matches := func(p fieldPattern) bool {
			if p.compiled == nil {
				return text.Glob(p.glob, item[t[i].field], nil)
			}
			var values bindings
			if !p.compiled.match(item[t[i].field], &values) {
				return false
			}
			for n, name := range p.vars {
				if bound == nil {
					bound = map[string]string{}
				}
				bound[name] = values[n]
			}
			return true
		}
		if !slices.ContainsFunc(t[i].patterns, matches) {
			return nil, false
		}
	}
	return bound, true
}

// Interpret turns an item of the history, as Page and ReadJSON return it, into an entry. It returns
// false if no kind of entry matches the item. It fails if the item's time is not readable.
func (l *HistorySpec) Interpret(item map[string]string) (e HistoryEntry, ours bool, err error) {
	e, class, err := l.NewHistoryReader(time.Time{}).Interpret(item)
	return e, err == nil && class == ItemEntry, err
}
