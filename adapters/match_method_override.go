package adapters

import (
	"strings"

	"github.com/byline-proxy/byline/adapters/internal/text"
)

// override finds the method that the application goes by. unsure: there are two, or one where none may be; needsBody
// where a form may hold it and has not been read.
func (r *reading) override() verdict {
	o := &r.x.override
	if o.Param == "" && o.Header == "" {
		return matches
	}
	var header, param field
	if o.Header != "" {
		header = r.headerValue(o.Header)
	}
	if o.Param != "" {
		if r.q.Method == "POST" && r.mayBeForm() {
			if r.bodyUnknown {
				return needsBody
			}
			if !r.readForm() {
				return unsure
			}
		}
		param = r.paramValue(o.Param)
	}
	if header.state == doubtful || param.state == doubtful || header.state == present && param.state == present {
		return unsure
	}
	if header.state == absent {
		header = param
	}
	switch {
	case header.state == absent:
		return matches
	case r.q.Method != "POST" || !text.IsToken(header.text):
		return unsure
	}
	r.method = strings.ToUpper(header.text)
	return matches
}

// mayBeForm: only a body that is certainly of another type holds no form.
func (r *reading) mayBeForm() bool {
	if r.q.ContentType == "" {
		return r.bodyUnknown || len(r.q.Body) > 0
	}
	media, ok := r.mediaType()
	return !ok || media == "application/x-www-form-urlencoded" || media == "multipart/form-data"
}
