package adapters

import (
	"bytes"
	"encoding/json"
	"io"
	"mime"
	"mime/multipart"
	"net/url"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// reading is one request as the rules see it, parsed as far as they ask.
type reading struct {
	q           Query
	x           *rules
	path        string // decoded
	bodyUnknown bool
	pairs       []pair // declared parameters of the query
	inline      [8]pair
	form        []pair
	formState   uint8 // 0 unread, 1 read, 2 unreadable
	json        any
	jsonState   uint8
}

type pair struct{ key, value string }

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
	r.q, r.x = q, x
	var ok bool
	if r.path, ok = decodePath(q.Path); !ok {
		return false
	}
	r.pairs, ok = x.parsePairs(r.inline[:0], q.RawQuery, x.semicolon)
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

// parsePairs keeps the declared parameters of an urlencoded text; false on one that does not decode, or whose name some
// applications take for a declared one ("title[]", " title", "Title").
func (x *rules) parsePairs(dst []pair, raw string, semicolon bool) ([]pair, bool) {
	if !semicolon && strings.IndexByte(raw, ';') >= 0 {
		return nil, false
	}
	for raw != "" {
		var one string
		if i := strings.IndexByte(raw, '&'); semicolon {
			if i = strings.IndexAny(raw, "&;"); i < 0 {
				i = len(raw)
			}
			one, raw = raw[:i], raw[min(i+1, len(raw)):]
		} else if i < 0 {
			one, raw = raw, ""
		} else {
			one, raw = raw[:i], raw[i+1:]
		}
		if one == "" {
			continue
		}
		key, value, _ := strings.Cut(one, "=")
		name, err := url.QueryUnescape(key)
		if err != nil {
			return nil, false
		}
		text, err := url.QueryUnescape(value)
		if err != nil {
			return nil, false
		}
		var ok bool
		if dst, ok = x.keep(dst, name, text); !ok {
			return nil, false
		}
	}
	return dst, true
}

func (x *rules) keep(dst []pair, name, text string) ([]pair, bool) {
	if x.declared[name] {
		return append(dst, pair{name, text}), true
	}
	return dst, !x.folded[loose(name)]
}

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

// mediaType is the type without parameters, lower case; false when the header can be read in two ways.
func (r *reading) mediaType() (string, bool) {
	if strings.IndexByte(r.q.ContentType, ',') >= 0 {
		return "", false
	}
	media, params, err := mime.ParseMediaType(r.q.ContentType)
	if err != nil {
		return "", false
	}
	if charset := params["charset"]; charset != "" && !strings.EqualFold(charset, "utf-8") && !strings.EqualFold(charset, "us-ascii") {
		return "", false
	}
	return media, true
}

// readForm parses the body as a form, once. No body is an empty form.
func (r *reading) readForm() bool {
	if r.formState == 0 {
		r.formState = 2
		if r.parseForm() {
			r.formState = 1
		}
	}
	return r.formState == 1
}

func (r *reading) parseForm() (ok bool) {
	if r.q.Truncated {
		return false // a later field of the same name would win in some applications
	}
	if len(r.q.Body) == 0 {
		return true
	}
	media, ok := r.mediaType()
	switch {
	case ok && media == "application/x-www-form-urlencoded":
		r.form, ok = r.x.parsePairs(nil, string(r.q.Body), r.x.semicolon)
		return ok
	case ok && media == "multipart/form-data":
		return r.parseMultipart()
	}
	return false
}

func (r *reading) parseMultipart() bool {
	_, params, err := mime.ParseMediaType(r.q.ContentType)
	if err != nil || params["boundary"] == "" {
		return false
	}
	parts := multipart.NewReader(bytes.NewReader(r.q.Body), params["boundary"])
	for {
		p, err := parts.NextRawPart()
		if err == io.EOF {
			return true
		}
		if err != nil || len(p.Header["Content-Disposition"]) != 1 || p.FormName() == "" {
			return false
		}
		if strings.Contains(p.Header.Get("Content-Disposition"), "*=") || p.Header.Get("Content-Transfer-Encoding") != "" {
			return false // RFC 2231 names and encodings are read by some and not by others
		}
		text, err := io.ReadAll(p)
		if err != nil {
			return false
		}
		var ok bool
		if r.form, ok = r.x.keep(r.form, p.FormName(), string(text)); !ok {
			return false
		}
	}
}

// readJSON parses the body as JSON, once; an object key that comes twice makes it unreadable.
func (r *reading) readJSON() bool {
	if r.jsonState == 0 {
		r.jsonState = 2
		media, ok := r.mediaType()
		if ok && !r.q.Truncated && (media == "application/json" || strings.HasSuffix(media, "+json")) && utf8.Valid(r.q.Body) {
			dec := json.NewDecoder(bytes.NewReader(r.q.Body))
			dec.UseNumber()
			if v, ok := strictJSON(dec, 0); ok {
				if _, err := dec.Token(); err == io.EOF {
					r.json, r.jsonState = v, 1
				}
			}
		}
		if len(r.q.Body) == 0 && !r.q.Truncated {
			r.jsonState = 1
		}
	}
	return r.jsonState == 1
}

// strictJSON reads one value and refuses duplicate keys, also those that differ only in case.
func strictJSON(dec *json.Decoder, depth int) (any, bool) {
	token, err := dec.Token()
	if err != nil || depth > 64 {
		return nil, false
	}
	switch token {
	case json.Delim('{'):
		object, seen := map[string]any{}, map[string]bool{}
		for dec.More() {
			key, err := dec.Token()
			name, isText := key.(string)
			if err != nil || !isText || seen[strings.ToLower(name)] {
				return nil, false
			}
			seen[strings.ToLower(name)] = true
			var ok bool
			if object[name], ok = strictJSON(dec, depth+1); !ok {
				return nil, false
			}
		}
		_, err := dec.Token()
		return object, err == nil
	case json.Delim('['):
		list := []any{}
		for dec.More() {
			v, ok := strictJSON(dec, depth+1)
			if !ok {
				return nil, false
			}
			list = append(list, v)
		}
		_, err := dec.Token()
		return list, err == nil
	}
	return token, true
}

// jsonValue follows a dotted pointer.
func (r *reading) jsonValue(pointer string) field {
	v := r.json
	for key := range strings.SplitSeq(pointer, ".") {
		switch at := v.(type) {
		case map[string]any:
			v = at[key]
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i < 0 || i >= len(at) {
				return field{}
			}
			v = at[i]
		default:
			return field{}
		}
	}
	switch v := v.(type) {
	case nil:
		return field{}
	case string:
		if !clearText(v) {
			return field{state: doubtful}
		}
		return field{text: v, state: present}
	case json.Number:
		return field{text: v.String(), state: present}
	case bool:
		return field{text: strconv.FormatBool(v), state: present}
	}
	return field{state: doubtful} // an object or list where one value is meant
}
