package adapters

import (
	"net/url"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// reading is one request as the rules see it, parsed as far as they ask.
type reading struct {
	q           Query
	x           *rules
	method      string // after an override
	path        string // decoded
	bodyUnknown bool
	unnamed     bool   // Near keeps the names that only the request has to itself
	coded       bool   // the body is in a content coding: an application that undoes it reads other fields than stand there
	pairs       []pair // parameters of the query
	inline      [16]pair
	form        []pair
	formState   uint8 // 0 unread, 1 read, 2 unreadable
	json        any
	jsonState   uint8
	xmlRoot     *xmlNode
	xmlState    uint8
	graphql     []graphqlCall
	graphState  uint8
}

// readings are used again: one is made of every request, twice of one with a body.
var readings = sync.Pool{New: func() any { return new(reading) }}

// done forgets the request; nothing that was bound or returned lies in r itself.
func (r *reading) done() {
	*r = reading{}
	readings.Put(r)
}

// pair is one parameter; value stays empty when no action decides by it.
type pair struct{ key, value string }

// maxPairs bounds the parameters of a query and of a form: PHP drops what comes after its thousandth.
const maxPairs = 1000

type presence uint8

const (
	absent presence = iota
	present
	doubtful
)

// field is a parameter's value, or that it is absent or in doubt.
type field struct {
	text  string
	state presence
}

// init decodes path and query; false when either can be read in two ways.
func (r *reading) init(x *rules, q Query) bool {
	r.q, r.x, r.method = q, x, q.Method
	var ok bool
	if r.path, ok = decodePath(q.Path); !ok {
		return false
	}
	if x.foldPaths {
		if r.path = strings.ToLower(r.path); !plainOnWindows(r.path) {
			return false
		}
	}
	coding := r.headerValue("Content-Encoding")
	r.coded = coding.state == doubtful || coding.text != "" && !strings.EqualFold(coding.text, "identity")
	if r.pairs, ok = x.parsePairs(r.inline[:0], q.RawQuery, x.semicolon); ok && len(x.rewrites) > 0 {
		x.apply(r)
	}
	return ok
}

// decodePath refuses what two servers may split or resolve differently.
func decodePath(raw string) (string, bool) {
	if raw == "" || raw[0] != '/' || strings.IndexByte(raw, ';') >= 0 {
		return "", false
	}
	path := raw
	if strings.IndexByte(raw, '%') >= 0 {
		decoded, err := url.PathUnescape(raw)
		if err != nil || strings.Count(decoded, "/") != strings.Count(raw, "/") || strings.IndexByte(decoded, ';') >= 0 {
			return "", false
		}
		path = decoded
	}
	if strings.Contains(path, "//") || strings.IndexByte(path, '\\') >= 0 || !clearText(path) {
		return "", false
	}
	for i := 0; i < len(path); i++ {
		if path[i] == '/' && i+1 < len(path) && path[i+1] == '.' {
			segment, _, _ := strings.Cut(path[i+1:], "/")
			if segment == "." || segment == ".." {
				return "", false
			}
		}
	}
	return path, true
}

// plainOnWindows refuses what its file system takes for something else: dots and blanks at the end of a segment, which it
// drops, and what follows a colon.
func plainOnWindows(path string) bool {
	if strings.IndexByte(path, ':') >= 0 {
		return false
	}
	for segment := range strings.SplitSeq(path, "/") {
		if n := len(segment); n > 0 && (segment[n-1] == '.' || segment[n-1] == ' ') {
			return false
		}
	}
	return true
}

// clearText is valid UTF-8 without control and invisible format characters, which applications drop in different ways.
func clearText(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return clearRunes(s)
		}
		if s[i] < ' ' || s[i] == 0x7f {
			return false
		}
	}
	return true
}

func clearRunes(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, c := range s {
		if unicode.IsControl(c) || unicode.Is(unicode.Cf, c) {
			return false
		}
	}
	return true
}

// parsePairs splits an urlencoded text and decodes the values that actions decide by; false on one that does not decode,
// on too many, and on a name that some applications take for a declared one ("title[]", " title", "Title").
func (x *rules) parsePairs(dst []pair, raw string, semicolon bool) ([]pair, bool) {
	if !semicolon && strings.IndexByte(raw, ';') >= 0 {
		return nil, false
	}
	for raw != "" {
		var one string
		if i := separator(raw, semicolon); i < 0 {
			one, raw = raw, ""
		} else {
			one, raw = raw[:i], raw[i+1:]
		}
		if one == "" {
			continue
		}
		key, value, _ := strings.Cut(one, "=")
		name, err := url.QueryUnescape(key)
		if err != nil || len(dst) == maxPairs {
			return nil, false
		}
		if !x.declared[name] {
			if x.mistakes(name) || !decodes(value) || isOverride(name) {
				return nil, false
			}
			dst = append(dst, pair{key: name})
			continue
		}
		text, err := url.QueryUnescape(value)
		if err != nil {
			return nil, false
		}
		dst = append(dst, pair{name, text})
	}
	return dst, true
}

// isOverride: a parameter in which frameworks look for another method.
func isOverride(name string) bool {
	return name != "" && (name[0] == '_' || name[0] <= ' ') && loose(name) == "_method"
}

func separator(raw string, semicolon bool) int {
	if semicolon {
		return strings.IndexAny(raw, "&;")
	}
	return strings.IndexByte(raw, '&')
}

// decodes reports whether every % begins an escape.
func decodes(raw string) bool {
	for {
		i := strings.IndexByte(raw, '%')
		if i < 0 {
			return true
		}
		if len(raw) < i+3 || !isHex(raw[i+1]) || !isHex(raw[i+2]) {
			return false
		}
		raw = raw[i+3:]
	}
}

func isHex(c byte) bool { return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F' }

// loose is a parameter's name as the most forgiving application reads it: PHP trims leading blanks, cuts at NUL, takes
// "a[b]" for a and turns blanks and dots into _; others ignore case.
func loose(name string) string {
	plain := true
	for i := 0; i < len(name) && plain; i++ {
		c := name[i]
		plain = c > ' ' && c < 0x7f && c != '[' && c != '.' && c != '+' && (c < 'A' || c > 'Z')
	}
	if plain {
		return name
	}
	name = strings.TrimLeft(name, " \t\r\n+")
	if i := strings.IndexAny(name, "\x00["); i > 0 {
		name = name[:i]
	}
	return strings.ToLower(strings.Map(func(c rune) rune {
		if c == ' ' || c == '.' || c == '[' || c == '+' {
			return '_'
		}
		return c
	}, strings.TrimRight(name, " \t")))
}

// find looks a name up; twice is doubtful.
func find(pairs []pair, key string) (f field) {
	for i := range pairs {
		if pairs[i].key != key {
			continue
		}
		if f.state != absent || !clearText(pairs[i].value) {
			return field{state: doubtful}
		}
		f = field{text: pairs[i].value, state: present}
	}
	return f
}

func (r *reading) queryValue(key string) field { return find(r.pairs, key) }

func (r *reading) formValue(key string) field { return find(r.form, key) }

// headerValue is one field without the double quotes around its value; a field that comes twice is doubtful.
func (r *reading) headerValue(name string) (f field) {
	for i := range r.q.Fields {
		if !sameName(r.q.Fields[i].Name, name) {
			continue
		}
		text := r.q.Fields[i].Value
		if n := len(text); n >= 2 && text[0] == '"' && text[n-1] == '"' {
			text = text[1 : n-1]
		}
		if f.state != absent || !clearText(text) {
			return field{state: doubtful}
		}
		f = field{text: text, state: present}
	}
	return f
}

func (r *reading) paramValue(key string) field {
	q, f := find(r.pairs, key), find(r.form, key)
	switch {
	case f.state == absent:
		return q
	case q.state == absent:
		return f
	}
	return field{state: doubtful}
}
