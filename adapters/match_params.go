package adapters

import (
	"net/url"
	"strings"

	"github.com/byline-proxy/byline/adapters/internal/text"
)

// param is one parameter of a query or a form, decoded. Its value is empty if no action decides by the parameter.
type param struct{ name, value string }

// maxParams bounds the parameters of a query and of a form. PHP drops those after its thousandth.
const maxParams = 1000

// The reasons of a doubt about parameters.
const (
	doubtSemicolon = "it has a ; that may separate parameters"
	doubtEscape    = "it has an escape that does not decode"
	doubtTooMany   = "it has too many parameters"
	doubtName      = "may be taken for a parameter that an action decides by" // about a name
	doubtOverride  = "may be taken for the method"                            // about a name
)

// parseParams splits an urlencoded text, decodes the values that actions decide by, and appends the parameters to dst.
// It is false, and sets r.doubt, for a text that applications may read differently: one with an escape that does not
// decode, with too many parameters, or with a name that some of them take for another ("title[]", " title", "Title").
func (r *request) parseParams(dst []param, raw string, semicolon bool) ([]param, bool) {
	if !semicolon && strings.IndexByte(raw, ';') >= 0 {
		r.doubt = doubt{why: doubtSemicolon}
		return nil, false
	}

	for raw != "" {
		var one string
		if i := paramEnd(raw, semicolon); i < 0 {
			one, raw = raw, ""
		} else {
			one, raw = raw[:i], raw[i+1:]
		}
		if one == "" {
			continue
		}

		escaped, rawValue, _ := strings.Cut(one, "=")
		name, err := url.QueryUnescape(escaped)
		if err != nil {
			r.doubt = doubt{why: doubtEscape}
			return nil, false
		}
		if len(dst) == maxParams {
			r.doubt = doubt{why: doubtTooMany}
			return nil, false
		}

		if !r.rules.declared[name] {
			if d := r.rules.doubtAbout(name, rawValue); d.why != "" {
				r.doubt = d
				return nil, false
			}
			dst = append(dst, param{name: name})
			continue
		}
		decoded, err := url.QueryUnescape(rawValue)
		if err != nil {
			r.doubt = doubt{why: doubtEscape}
			return nil, false
		}
		dst = append(dst, param{name, decoded})
	}
	return dst, true
}

// doubtAbout says what is doubtful about a parameter that no action decides by.
func (x *ruleSet) doubtAbout(name, rawValue string) doubt {
	switch {
	case x.mayBeDeclared(name):
		return doubt{why: doubtName, name: name}
	case isOverride(name):
		return doubt{why: doubtOverride, name: name}
	case !escapesDecode(rawValue):
		return doubt{why: doubtEscape}
	}
	return doubt{}
}

// isOverride reports whether frameworks look for another method in a parameter of that name.
func isOverride(name string) bool {
	return name != "" && (name[0] == '_' || name[0] <= ' ') && looseName(name) == "_method"
}

func paramEnd(raw string, semicolon bool) int {
	if semicolon {
		return strings.IndexAny(raw, "&;")
	}
	return strings.IndexByte(raw, '&')
}

// escapesDecode reports whether every % begins an escape.
func escapesDecode(raw string) bool {
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

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

// findParam looks a name up. A parameter that comes twice is doubtful.
func findParam(params []param, name string) value {
	var v value
	for i := range params {
		if params[i].name != name {
			continue
		}
		if v.state != absent || !text.IsClear(params[i].value) {
			return value{state: doubtful}
		}
		v = value{text: params[i].value, state: present}
	}
	return v
}

func (r *request) queryValue(name string) value { return findParam(r.params, name) }

func (r *request) formValue(name string) value { return findParam(r.form, name) }

// paramValue is a parameter of the query or the form; one that is in both is doubtful.
func (r *request) paramValue(name string) value {
	inQuery := findParam(r.params, name)
	inForm := findParam(r.form, name)
	switch {
	case inForm.state == absent:
		return inQuery
	case inQuery.state == absent:
		return inForm
	}
	return value{state: doubtful}
}
