package adapters

import (
	"mime"
	"strings"
	"sync"

	"github.com/byline-proxy/byline/adapters/internal/text"
)

// request is one Query as the rules see it, parsed as far as they ask. It belongs to one goroutine.
type request struct {
	q           Query
	rules       *ruleSet
	method      string // after method_override
	path        string // decoded, and rewritten by paths.rewrite
	bodyUnknown bool   // NeedsBody asks; the body has not been read
	coded       bool   // the body is in a content coding: an application that undoes it reads other fields than are there

	params     []param   // of the query and of the path
	fewParams  [16]param // the array of params, unless there are more
	form       []param
	formState  parseState
	json       any // nil, bool, json.Number, string, []any or map[string]any
	jsonState  parseState
	xmlRoot    *xmlNode
	xmlState   parseState
	graphql    []graphqlCall
	graphState parseState

	doubt doubt // what kept a part of the request from being read
}

// parseState is how far a part of the request has been parsed.
type parseState uint8

const (
	unparsed parseState = iota
	parsed
	unreadable
)

// parse runs a parser unless it has run, and reports whether it succeeded.
func (s *parseState) parse(parser func() bool) bool {
	if *s == unparsed {
		*s = unreadable
		if parser() {
			*s = parsed
		}
	}
	return *s == parsed
}

// requests keeps requests for reuse: one is made for every request of an agent, and two for one with a body.
var requests = sync.Pool{New: func() any { return new(request) }}

// release forgets the request and gives r back. Nothing that was bound or returned refers to memory of r itself.
func (r *request) release() {
	*r = request{}
	requests.Put(r)
}

// value is what a request has under a name.
type value struct {
	text  string
	state presence
}

type presence uint8

const (
	absent presence = iota
	present
	doubtful // it comes twice, or cannot be read as one value
)

// The reasons of a doubt about the body.
const (
	doubtTruncated = "it is cut off"
	doubtCoded     = "it is in a content coding"
	doubtMediaType = "it is of another media type than the action is about, or of an unclear one"
	doubtSyntax    = "parsers disagree about it"
)

// doubtBody says why the body cannot be read. It returns false, for parsers to return.
func (r *request) doubtBody(why string) bool {
	r.doubt = doubt{why: why}
	return false
}

// init decodes the path and the query. It returns the kind of the Reason if either can be read in two ways.
func (r *request) init(x *ruleSet, q Query) ReasonKind {
	r.q = q
	r.rules = x
	r.method = q.Method

	path, ok := decodePath(q.Path)
	if !ok {
		return AmbiguousPath
	}
	r.path = path
	if x.foldPaths {
		r.path = strings.ToLower(path)
		if !plainOnWindows(r.path) {
			return AmbiguousPath
		}
	}

	coding := r.headerValue("Content-Encoding")
	r.coded = coding.state == doubtful || coding.text != "" && !strings.EqualFold(coding.text, "identity")

	r.params, ok = r.parseParams(r.fewParams[:0], q.RawQuery, x.semicolon)
	if !ok {
		return AmbiguousQuery
	}
	if len(x.rewrites) > 0 {
		x.rewrite(r)
	}
	return ""
}

// bodyReadable reports whether the bytes of the body can be parsed: all of it is there, and in no content coding. A
// later field of the same name would win in some applications.
func (r *request) bodyReadable() bool {
	switch {
	case r.q.Truncated:
		return r.doubtBody(doubtTruncated)
	case r.coded && len(r.q.Body) > 0:
		return r.doubtBody(doubtCoded)
	}
	return true
}

// mediaType is the media type without parameters, in lower case. It is false if the header can be read in two ways, or
// names a charset other than UTF-8 and ASCII.
func (r *request) mediaType() (string, bool) {
	if strings.IndexByte(r.q.ContentType, ',') >= 0 {
		return "", false
	}

	media, params, err := mime.ParseMediaType(r.q.ContentType)
	if err != nil {
		return "", false
	}
	charset := params["charset"]
	if charset != "" && !strings.EqualFold(charset, "utf-8") && !strings.EqualFold(charset, "us-ascii") {
		return "", false
	}
	return media, true
}

// headerValue is the value of one field without the double quotes around it. A field that comes twice is doubtful.
func (r *request) headerValue(name string) value {
	var v value
	for i := range r.q.Fields {
		f := &r.q.Fields[i]
		if !text.SameName(f.Name, name) {
			continue
		}

		content := f.Value
		if n := len(content); n >= 2 && content[0] == '"' && content[n-1] == '"' {
			content = content[1 : n-1]
		}
		if v.state != absent || !text.IsClear(content) {
			return value{state: doubtful}
		}
		v = value{text: content, state: present}
	}
	return v
}
