package adapters

import (
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
