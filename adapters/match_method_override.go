package adapters

import (
	"strings"

	"github.com/byline-proxy/byline/adapters/internal/body"
	"github.com/byline-proxy/byline/adapters/internal/text"
)

// overrideMethod sets r.method to the method that the application goes by. It is unsure, and returns the kind of the
// Reason, if the request names two methods or one where none may be, and if the form that may hold one cannot be read.
// It is needsBody if a form may hold one and has not been read.
func (r *request) overrideMethod() (verdict, ReasonKind) {
	o := &r.rules.override
	if o.Param == "" && o.Header == "" {
		return matches, ""
	}

	var header, param value
	if o.Header != "" {
		header = r.headerValue(o.Header)
	}
	if o.Param != "" {
		if r.q.Method == "POST" && r.mayBeForm() {
			if r.bodyUnknown {
				return needsBody, ""
			}
			if !r.readForm() {
				return unsure, UnreadableBody
			}
		}
		param = r.paramValue(o.Param)
	}

	if header.state == doubtful || param.state == doubtful || header.state == present && param.state == present {
		return unsure, AmbiguousMethod
	}
	named := header
	if header.state == absent {
		named = param
	}
	if named.state == absent {
		return matches, ""
	}
	if r.q.Method != "POST" || !text.IsToken(named.text) {
		return unsure, AmbiguousMethod
	}
	r.method = strings.ToUpper(named.text)
	return matches, ""
}

// mayBeForm reports whether the body may hold a form. Only one that is certainly of another type does not.
func (r *request) mayBeForm() bool {
	if r.q.ContentType == "" {
		return r.bodyUnknown || r.hasBody()
	}
	media, ok := r.mediaType()
	return !ok || media == body.FormType || media == body.MultipartType
}
