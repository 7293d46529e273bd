package adapters

import (
	"mime"
	"strings"
	"sync"

	"github.com/byline-proxy/byline/adapters/internal/text"
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

// headerValue is one field without the double quotes around its value; a field that comes twice is doubtful.
func (r *reading) headerValue(name string) (f field) {
	for i := range r.q.Fields {
		if !text.SameName(r.q.Fields[i].Name, name) {
			continue
		}
		content := r.q.Fields[i].Value
		if n := len(content); n >= 2 && content[0] == '"' && content[n-1] == '"' {
			content = content[1 : n-1]
		}
		if f.state != absent || !text.IsClear(content) {
			return field{state: doubtful}
		}
		f = field{text: content, state: present}
	}
	return f
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
