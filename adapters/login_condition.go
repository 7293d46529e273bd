package adapters

import (
	"bytes"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/byline-proxy/byline/adapters/internal/cookie"
	"github.com/byline-proxy/byline/adapters/internal/css"
	"github.com/byline-proxy/byline/adapters/internal/text"
)

// maxConditionBody is how much of a body a condition looks at, in bytes.
const maxConditionBody = 64 << 10

// Ended reports whether an answer says that the session is over. body is the start of its body; it
// may be nil if EndedNeedsBody returned false.
func (a *Adapter) Ended(status int, fields []Field, body []byte) bool {
	for i := range a.spec.Login.Ended {
		c := &a.spec.Login.Ended[i]
		if body == nil && c.needsBody() {
			continue
		}
		if c.failingHeadKey(status, fields) == "" && c.failingBodyKey(body) == "" {
			return true
		}
	}
	return false
}

// endsWithStatus reports whether a condition of login.ended holds that names the status of the answer.
// Other conditions may hold by chance for an error page.
func (a *Adapter) endsWithStatus(r *Reply) bool {
	return slices.ContainsFunc(a.spec.Login.Ended, func(c Condition) bool {
		return len(c.Status) > 0 && c.failingKey(r) == ""
	})
}

// EndedNeedsBody reports whether Ended needs the start of the body. It returns false for streams,
// whose start may take forever to arrive. It allocates only where a condition asks for a cookie that
// the answer sets or deletes.
func (a *Adapter) EndedNeedsBody(status int, fields []Field) bool {
	for i := range a.spec.Login.Ended {
		c := &a.spec.Login.Ended[i]
		if c.needsBody() && c.failingHeadKey(status, fields) == "" {
			return !isStream(fieldValue(fields, "Content-Type"))
		}
	}
	return false
}

// needsBody reports whether a condition looks at the body.
func (c *Condition) needsBody() bool {
	return c.Body != "" || c.NotBody != "" || c.CSS != "" || len(c.JSON) > 0
}

// failingKey returns the first key of a condition that does not hold, and "" if the condition holds.
func (c *Condition) failingKey(r *Reply) string {
	if key := c.failingHeadKey(r.Status, r.Fields); key != "" {
		return key
	}
	return c.failingBodyKey(r.Body)
}

// failingHeadKey is failingKey for the keys about the status and the header.
func (c *Condition) failingHeadKey(status int, fields []Field) string {
	switch {
	case len(c.Status) > 0 && !slices.Contains(c.Status, status):
		return "status"
	case c.Redirect != "" && !redirectsTo(c.Redirect, status, fields):
		return "redirect"
	case c.Cookie != "" && !setsCookie(c.Cookie, fields):
		return "cookie"
	case c.Deletes != "" && !deletesCookie(c.Deletes, fields):
		return "deletes"
	case c.Header != "" && !hasHeader(c.Header, fields):
		return "header"
	case c.ContentType != "" && !text.Glob(c.ContentType, mediaType(fieldValue(fields, "Content-Type")), text.Fold):
		return "content_type"
	}
	return ""
}

// failingBodyKey is failingKey for the keys about the body.
func (c *Condition) failingBodyKey(body []byte) string {
	if !c.needsBody() {
		return ""
	}

	body = body[:min(len(body), maxConditionBody)]
	switch {
	case c.Body != "" && !bytes.Contains(body, []byte(c.Body)):
		return "body"
	case c.NotBody != "" && bytes.Contains(body, []byte(c.NotBody)):
		return "not_body"
	case len(c.JSON) > 0 && !hasJSON(c.JSON, body):
		return "json"
	}
	if c.CSS != "" {
		if _, found, err := css.Select(body, c.CSS, ""); !found || err != nil {
			return "css"
		}
	}
	return ""
}

// hasJSON reports whether every pointer leads to a value that matches its pattern.
func hasJSON(want map[string]string, body []byte) bool {
	for pointer, pattern := range want {
		v, found, err := selectJSON(body, pointer)
		if err != nil || !found || !text.Glob(pattern, v, nil) {
			return false
		}
	}
	return true
}

// redirectsTo reports whether an answer is a redirect whose Location matches a pattern, as it is or
// percent-decoded.
func redirectsTo(pattern string, status int, fields []Field) bool {
	location := fieldValue(fields, "Location")
	if status < 300 || status > 399 || location == "" {
		return false
	}
	if text.Glob(pattern, location, nil) {
		return true
	}
	if strings.IndexByte(location, '%') < 0 {
		return false
	}

	decoded, err := url.PathUnescape(location)
	return err == nil && text.Glob(pattern, decoded, nil)
}

// setsCookie reports whether an answer sets a cookie whose name matches a pattern.
func setsCookie(pattern string, fields []Field) bool {
	set, _ := cookieEffects(pattern, fields)
	return set
}

// deletesCookie reports whether an answer deletes a cookie whose name matches a pattern, and sets
// none.
func deletesCookie(pattern string, fields []Field) bool {
	set, deleted := cookieEffects(pattern, fields)
	return deleted && !set
}

// cookieEffects reports whether an answer sets, and whether it deletes, a cookie whose name matches a
// pattern. If the answer has several fields for one cookie, the last one counts: applications delete
// a cookie and set it again in one answer.
func cookieEffects(pattern string, fields []Field) (set, deleted bool) {
	type cookieID struct{ name, domain, path string }
	now := time.Now()
	var sets map[cookieID]bool
	for _, f := range fields {
		if !strings.EqualFold(f.Name, "Set-Cookie") {
			continue
		}
		c, ok := cookie.ParseSet(f.Value)
		if !ok || !text.Glob(pattern, c.Name, nil) {
			continue
		}

		if sets == nil {
			sets = map[cookieID]bool{}
		}
		expires := c.Until(now)
		sets[cookieID{c.Name, c.Domain, c.Path}] = c.Value != "" && (expires.IsZero() || expires.After(now))
	}

	for _, isSet := range sets {
		set = set || isSet
		deleted = deleted || !isSet
	}
	return set, deleted
}

// hasHeader reports whether an answer has a field as "Name" or "Name: pattern" asks for.
func hasHeader(want string, fields []Field) bool {
	name, pattern, hasPattern := strings.Cut(want, ":")
	pattern = strings.TrimSpace(pattern)
	for _, f := range fields {
		if strings.EqualFold(f.Name, name) && (!hasPattern || text.Glob(pattern, f.Value, nil)) {
			return true
		}
	}
	return false
}
