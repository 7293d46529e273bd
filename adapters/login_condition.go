package adapters

import (
	"bytes"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/byline-proxy/byline/adapters/internal/cookie"
	"github.com/byline-proxy/byline/adapters/internal/css"
	"github.com/byline-proxy/byline/adapters/internal/text"
)

// maxConditionBody is how much of a body a condition looks at.
const maxConditionBody = 64 << 10

// Ended reports whether an answer says that the session is gone. body is its beginning; it may be nil when
// EndedNeedsBody said no.
func (a *Adapter) Ended(status int, fields []Field, body []byte) bool {
	for i := range a.spec.Login.Ended {
		c := &a.spec.Login.Ended[i]
		if c.headFails(status, fields) == "" && c.bodyFails(body) == "" && (body != nil || !c.wantsBody()) {
			return true
		}
	}
	return false
}

// EndedNeedsBody reports whether Ended needs the beginning of the body. It is false for streams, whose beginning may
// never be whole. It does not allocate.
func (a *Adapter) EndedNeedsBody(status int, fields []Field) bool {
	for i := range a.spec.Login.Ended {
		if c := &a.spec.Login.Ended[i]; c.wantsBody() && c.headFails(status, fields) == "" {
			return !isStream(fieldValue(fields, "Content-Type"))
		}
	}
	return false
}

func (c *Condition) wantsBody() bool {
	return c.Body != "" || c.NotBody != "" || c.CSS != "" || len(c.JSON) > 0
}

// fails names the first key that does not hold; "" when all do.
func (c *Condition) fails(r *Reply) string {
	if key := c.headFails(r.Status, r.Fields); key != "" {
		return key
	}
	return c.bodyFails(r.Body)
}

func (c *Condition) headFails(status int, fields []Field) string {
	switch {
	case len(c.Status) > 0 && !slices.Contains(c.Status, status):
		return "status"
	case c.Redirect != "" && (status < 300 || status > 399 || !redirectFits(c.Redirect, fieldValue(fields, "Location"))):
		return "redirect"
	case c.Cookie != "" && !leavesCookie(c.Cookie, fields, true):
		return "cookie"
	case c.Deletes != "" && (!leavesCookie(c.Deletes, fields, false) || leavesCookie(c.Deletes, fields, true)):
		return "deletes"
	case c.Header != "" && !headerFits(c.Header, fields):
		return "header"
	case c.ContentType != "":
		media, _, _ := strings.Cut(fieldValue(fields, "Content-Type"), ";")
		if !text.Glob(c.ContentType, strings.TrimSpace(media), text.Fold) {
			return "content_type"
		}
	}
	return ""
}

func (c *Condition) bodyFails(body []byte) string {
	if !c.wantsBody() {
		return ""
	}
	text := body[:min(len(body), maxConditionBody)]
	switch {
	case c.Body != "" && !bytes.Contains(text, []byte(c.Body)):
		return "body"
	case c.NotBody != "" && bytes.Contains(text, []byte(c.NotBody)):
		return "not_body"
	case len(c.JSON) > 0 && !jsonFits(c.JSON, text):
		return "json"
	}
	if c.CSS != "" {
		if _, found, err := css.Select(text, c.CSS, ""); !found || err != nil {
			return "css"
		}
	}
	return ""
}

// jsonFits: every pointer leads to a value that fits its pattern.
func jsonFits(want map[string]string, body []byte) bool {
	for pointer, pattern := range want {
		v, found, err := selectJSON(body, pointer)
		if err != nil || !found || !text.Glob(pattern, v, nil) {
			return false
		}
	}
	return true
}

// redirectFits compares the Location as it is and percent-decoded.
func redirectFits(pattern, location string) bool {
	if location == "" || text.Glob(pattern, location, nil) {
		return location != ""
	}
	if strings.IndexByte(location, '%') < 0 {
		return false
	}
	decoded, err := url.PathUnescape(location)
	return err == nil && text.Glob(pattern, decoded, nil)
}

// leavesCookie: after the answer there is a cookie of that name set, or else deleted. What it says last of a cookie
// counts.
func leavesCookie(pattern string, fields []Field, set bool) bool {
	now := time.Now()
	var all map[string]bool
	for _, f := range fields {
		if !strings.EqualFold(f.Name, "Set-Cookie") {
			continue
		}
		if c, ok := cookie.ParseSet(f.Value); ok && text.Glob(pattern, c.Name, nil) {
			until := c.Until(now)
			if all == nil {
				all = map[string]bool{}
			}
			all[fmt.Sprint(c.Name, " ", c.Domain, " ", c.Path)] = c.Value != "" && (until.IsZero() || until.After(now))
		}
	}
	for _, is := range all {
		if is == set {
			return true
		}
	}
	return false
}

func headerFits(want string, fields []Field) bool {
	name, pattern, has := strings.Cut(want, ":")
	pattern = strings.TrimSpace(pattern)
	for _, f := range fields {
		if strings.EqualFold(f.Name, name) && (!has || text.Glob(pattern, f.Value, nil)) {
			return true
		}
	}
	return false
}

func fieldValue(fields []Field, name string) string {
	for i := range fields {
		if strings.EqualFold(fields[i].Name, name) {
			return fields[i].Value
		}
	}
	return ""
}
