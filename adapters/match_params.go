package adapters

import (
	"net/url"
	"strings"

	"github.com/byline-proxy/byline/adapters/internal/text"
)

// pair is one parameter; value stays empty when no action decides by it.
type pair struct{ key, value string }

// maxPairs bounds the parameters of a query and of a form: PHP drops what comes after its thousandth.
const maxPairs = 1000

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
		if f.state != absent || !text.IsClear(pairs[i].value) {
			return field{state: doubtful}
		}
		f = field{text: pairs[i].value, state: present}
	}
	return f
}

func (r *reading) queryValue(key string) field { return find(r.pairs, key) }

func (r *reading) formValue(key string) field { return find(r.form, key) }

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
