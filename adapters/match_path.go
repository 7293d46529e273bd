package adapters

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/byline-proxy/byline/adapters/internal/text"
)

// pathPattern matches a decoded path, segment by segment.
type pathPattern struct {
	segments     []pattern
	literal      string // the whole path, if nothing in it is a pattern
	rest         bool   // ** or {var...} at the end
	restVariable int    // the variable that the rest is bound to; negative: none
	fold         bool   // ignores case
}

// compilePath parses a path of match. It adds the variables to vars.
func compilePath(text string, vars *variables, fold bool) (p pathPattern, err error) {
	p = pathPattern{fold: fold, restVariable: -1}
	before := len(*vars)

	if strings.HasSuffix(text, "/**") {
		p.rest = true
		text = strings.TrimSuffix(text, "/**")
	} else if head, ok := strings.CutSuffix(text, "...}"); ok {
		i := strings.LastIndex(head, "/{")
		if i < 0 || !isVariableName(head[i+2:]) {
			return p, fmt.Errorf("path %q: {var...} may stand only as the whole end, after /", text)
		}
		p.rest = true
		text = head[:i]
		defer func() { p.restVariable = vars.number(head[i+2:]) }() // numbered last: variables are bound from the left
	}
	if strings.Contains(text, "**") {
		return p, fmt.Errorf("path %q: ** may stand only at the end, after /", text)
	}

	plain := !p.rest
	if text != "" || !p.rest {
		for segment := range strings.SplitSeq(strings.TrimPrefix(text, "/"), "/") {
			s, err := compilePattern(segment, vars, fold)
			if err != nil {
				return p, err
			}
			plain = plain && s.plain
			p.segments = append(p.segments, s)
		}
	}
	if plain && len(*vars) == before {
		p.literal = text
	}
	return p, nil
}

// match reports whether a path fits, and binds the variables. If it does not fit, b may have changed.
func (p *pathPattern) match(path string, b *bindings) bool {
	if p.literal != "" {
		return p.literal == path || p.fold && strings.EqualFold(p.literal, path)
	}

	rest, more := path[1:], true
	for i := range p.segments {
		if !more {
			return false
		}
		var segment string
		segment, rest, more = strings.Cut(rest, "/")
		if !p.segments[i].match(segment, b) {
			return false
		}
	}

	hasRest := more || len(p.segments) == 0
	switch {
	case !p.rest:
		return !more
	case p.restVariable < 0:
		return hasRest
	}
	tail := part{variable: p.restVariable}
	return hasRest && rest != "" && tail.bind(rest, b)
}

// mayBegin reports whether a path with that first segment may match.
func (p *pathPattern) mayBegin(first string) bool {
	var b bindings
	return len(p.segments) == 0 || p.segments[0].match(first, &b)
}

// decodePath undoes the escapes of a path. It refuses a path that two servers may split or resolve differently, except
// for escapes that the adapter takes as data.
func decodePath(raw string, escapes pathEscapes) (string, bool) {
	if escapes != "" && strings.IndexByte(raw, '%') >= 0 {
		return decodeEscapedPath(raw, escapes)
	}
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

	if strings.Contains(path, "//") || strings.IndexByte(path, '\\') >= 0 || !text.IsClear(path) || hasDotSegment(path) {
		return "", false
	}
	return path, true
}

// hasDotSegment reports whether a path has a segment . or .. in it (RFC 3986 section 5.2.4).
func hasDotSegment(path string) bool {
	for i := 0; i+1 < len(path); i++ {
		if path[i] == '/' && path[i+1] == '.' {
			segment, _, _ := strings.Cut(path[i+1:], "/")
			if segment == "." || segment == ".." {
				return true
			}
		}
	}
	return false
}

// plainOnWindows reports whether the file system of Windows takes a path as it is written. It drops dots and blanks at
// the end of a segment, and takes what follows a colon for the name of a stream.
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
