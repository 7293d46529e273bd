package adapters

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/byline-proxy/byline/adapters/internal/text"
)

type pathPattern struct {
	segments []pattern
	literal  string // the whole path when nothing in it is a pattern
	rest     bool   // ** or {var...} at the end
	restSlot int    // ≥ 0: the variable that the rest is bound to
	fold     bool
}

func compilePath(text string, vars *slots, fold bool) (p pathPattern, err error) {
	p = pathPattern{fold: fold, restSlot: -1}
	before := len(*vars)
	if strings.HasSuffix(text, "/**") {
		p.rest, text = true, strings.TrimSuffix(text, "/**")
	} else if head, ok := strings.CutSuffix(text, "...}"); ok {
		i := strings.LastIndex(head, "/{")
		if i < 0 || !variableName(head[i+2:]) {
			return p, fmt.Errorf("path %q: {var...} may stand only as the whole end, after /", text)
		}
		p.rest, text = true, head[:i]
		defer func() { p.restSlot = vars.number(head[i+2:]) }() // numbered last: variables are bound from the left
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

func (rule *rule) pathFits(r *reading, bound *[maxSlots]string) bool {
	for i := range rule.paths {
		saved := *bound
		if rule.paths[i].match(r.path, bound) {
			return true
		}
		*bound = saved
	}
	return false
}

func (p *pathPattern) match(path string, bound *[maxSlots]string) bool {
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
		if !p.segments[i].match(segment, bound) {
			return false
		}
	}
	switch {
	case !p.rest:
		return !more
	case p.restSlot < 0:
		return more || len(p.segments) == 0
	}
	tail := part{slot: p.restSlot}
	return (more || len(p.segments) == 0) && rest != "" && tail.bind(rest, bound)
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
	if strings.Contains(path, "//") || strings.IndexByte(path, '\\') >= 0 || !text.IsClear(path) {
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
