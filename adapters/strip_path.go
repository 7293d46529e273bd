package adapters

import (
	"fmt"
	"strings"

	"github.com/byline-proxy/byline/adapters/internal/credential"
)

// sessionParam is the path parameter by which servlet containers carry a session, with the sign that
// begins it.
const sessionParam = ";jsessionid="

// StripPath cuts the session of a servlet container out of a raw path or URL, wherever it stands in
// it: what is meant is the path without it. removed has what was cut, except for what the masker wrote.
// Other path parameters stay, for the caller to judge. If there is none, path is returned as it is.
func StripPath(path string) (clean string, removed []Borrowed) {
	clean = path
	for from := 0; ; {
		i := strings.IndexByte(clean[from:], ';')
		if i < 0 {
			return clean, removed
		}
		i += from
		if len(clean)-i < len(sessionParam) || !strings.EqualFold(clean[i:i+len(sessionParam)], sessionParam) {
			from = i + 1
			continue
		}

		value := clean[i+len(sessionParam):]
		if end := strings.IndexAny(value, "/;?#"); end >= 0 {
			value = value[:end]
		}
		if !credential.IsMask(value) {
			removed = append(removed, Borrowed{In: "path", Name: "jsessionid", Value: NewSecret(value), Session: true})
		}
		clean = clean[:i] + clean[i+len(sessionParam)+len(value):]
		from = i
	}
}

// CredentialInPath returns the credential that is a segment of a raw path, and the path with an ellipsis in its place,
// for records. It is false if there is none, and for a path that paths.pass lists.
func (a *Adapter) CredentialInPath(path string) (found Borrowed, withoutIt string, isThere bool) {
	for at := 0; at < len(path); {
		segment, _, hasMore := strings.Cut(path[at:], "/")
		if len(segment) >= minPathCredential && credential.Segment(credential.Unescape(segment)).IsCredential() {
			if a.passesPath(path) {
				return Borrowed{}, path, false
			}
			found = Borrowed{In: "path", Name: "(segment)", Value: NewSecret(segment), Session: true}
			path = path[:at] + pathEllipsis + path[at+len(segment):]
			segment, isThere = pathEllipsis, true
		}
		if at += len(segment); hasMore {
			at++
		}
	}
	return found, path, isThere
}

const (
	// minPathCredential is the length of the shortest segment of a path that is judged, in bytes.
	minPathCredential = 11

	// pathEllipsis stands for a credential in a path.
	pathEllipsis = "..."
)

// passesPath reports whether paths.pass lists a raw path.
func (a *Adapter) passesPath(path string) bool {
	decoded, isClear := decodePath(path, a.escapes())
	if a.spec.Paths.Fold {
		decoded = strings.ToLower(decoded)
	}
	for i := range a.passedPaths {
		var b bindings
		if isClear && a.passedPaths[i].match(decoded, &b) {
			return true
		}
	}
	return false
}

// compilePassedPaths compiles paths.pass and reports what is wrong with it.
func (d *draft) compilePassedPaths() (all []pathPattern) {
	for i, pattern := range d.spec.Paths.Pass {
		key := fmt.Sprintf("paths.pass[%d]", i)
		if !strings.HasPrefix(pattern, "/") {
			d.at(key, "", "path %q does not start with /", pattern)
			continue
		}

		if d.spec.Paths.Fold {
			pattern = strings.ToLower(pattern)
		}
		var vars variables
		p, err := compilePath(pattern, &vars, false)
		if err == nil && len(vars) > maxVariables {
			err = fmt.Errorf("path binds %d variables; at most %d", len(vars), maxVariables)
		}
		if err != nil {
			d.at(key, "", "%s", err)
		}
		all = append(all, p)
	}
	return all
}
