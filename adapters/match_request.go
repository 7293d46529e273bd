package adapters

import (
	"strings"
	"sync"

	"github.com/byline-proxy/byline/adapters/internal/body"
	"github.com/byline-proxy/byline/adapters/internal/text"
)

// request is one Query as the rules see it, parsed as far as they ask. It belongs to one goroutine.
type request struct {
	q           Query
	rules       *ruleSet // nil for a message
	adapter     *Adapter // nil for a message
	method      string   // after method_override
	path        string   // decoded, and rewritten by paths.rewrite
	bodyUnknown bool     // NeedsBody asks; the body has not been read
	coded       bool     // the body is in a content coding: an application that undoes it reads other fields than are there

	params       []body.Pair  // of the query and of the path
	queryPairs   int          // how many of params are of the query; those of the path follow
	fewParams    [8]body.Pair // the array of params, unless there are more
	paramsDecide bool         // a rule that was tried looks at params
	contentType  body.ContentType
	typeState    parseState

	// The body, as far as it was read. One parser decides, and what it read is what
	// writeOutbound writes.
	form       []body.Pair
	files      []string // names of the parts of a multipart form that are not fields
	upload     *body.Upload
	formState  parseState
	json       body.JSON
	jsonState  parseState
	xml        *body.XML
	xmlState   parseState
	graphql    []graphqlCall
	document   string // a body that is one GraphQL document, in canonical spelling
	graphqlAt  string // pointer to the GraphQL request in the JSON; "" if it is the JSON
	graphState parseState

	effort  effort // of the rules that were tried
	out     Outbound
	scratch []byte // kept when the request is released

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
	*r = request{scratch: r.scratch}
	requests.Put(r)
}

// value is what a request has under a name.
type value struct {
	text    string
	state   presence
	inexact bool // a number that has other spellings, or that some readers round: see body.Value.IsExact
}

type presence uint8

const (
	absent presence = iota
	present
	doubtful // it comes twice, or cannot be read as one value
)

// The reasons of a doubt about the body, besides those of package body.
const (
	doubtTruncated = "it is cut off"
	doubtCoded     = "it is in a content coding"
	doubtMediaType = "it is of another media type than the action is about, or of none"
	doubtSyntax    = "it is not what the action reads"
)

// doubtBody says why the body cannot be read. It returns false, for parsers to return.
func (r *request) doubtBody(why string) bool {
	r.doubt = doubt{why: why}
	return false
}

// doubtError is doubtBody for an error of package body, whose texts hold nothing of the request.
func (r *request) doubtError(err error) bool { return r.doubtBody(err.Error()) }

// init decodes the path and the query. It returns the kind of the Reason if either can be read in two ways.
func (r *request) init(x *ruleSet, q Query) ReasonKind {
	r.q = q
	r.rules = x
	r.method = q.Method

	path, ok := decodePath(q.Path, x.escapes)
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

	r.params, ok = r.parseParams(r.fewParams[:0], q.RawQuery, body.CharsetUnstated)
	if !ok {
		return AmbiguousQuery
	}
	r.queryPairs = len(r.params)
	if len(x.rewrites) > 0 {
		x.rewrite(r)
	}
	return ""
}

// hasBody reports whether there is a body, as far as is known.
func (r *request) hasBody() bool { return len(r.q.Body) > 0 || r.q.Truncated || r.q.Upload != nil }

// bodyReadable reports whether the bytes of the body can be parsed: all of it is there, and in no content coding. A
// later field of the same name would win in some applications.
func (r *request) bodyReadable() bool {
	switch {
	case r.q.Truncated:
		return r.doubtBody(doubtTruncated)
	case r.coded && r.hasBody():
		return r.doubtBody(doubtCoded)
	}
	return true
}

// mediaType is the media type without parameters, in lower case. It is false, and sets r.doubt, if the field can be read
// in two ways.
func (r *request) mediaType() (string, bool) {
	ok := r.typeState.parse(func() bool {
		fields := r.contentTypeFields()
		if len(fields) == 0 {
			return true
		}
		var err error
		r.contentType, err = body.ParseContentType(fields...)
		if err != nil {
			return r.doubtError(err)
		}
		return true
	})
	return r.contentType.Media, ok
}

// contentTypeFields are all fields of that name, or else the one that the caller gave.
func (r *request) contentTypeFields() (values []string) {
	for i := range r.q.Fields {
		if text.SameName(r.q.Fields[i].Name, "Content-Type") {
			values = append(values, r.q.Fields[i].Value)
		}
	}
	if len(values) == 0 && r.q.ContentType != "" {
		values = append(values, r.q.ContentType)
	}
	return values
}

// headerValue is what a condition on a header field looks at.
func (r *request) headerValue(name string) value {
	if text.SameName(name, soapActionHeader) {
		return r.soapAction()
	}
	return r.fieldValue(name)
}
