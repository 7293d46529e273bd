package cookie

import (
	"strconv"
	"strings"
	"time"
)

// SetCookie is one parsed Set-Cookie field (RFC 6265 section 5.2).
type SetCookie struct {
	Name, Value string
	Domain      string // in lower case, without leading dot; "" if absent
	Path        string // "" if absent or not absolute
	Expires     time.Time
	MaxAge      string // digits, with "-" before them if negative; "" if absent
	Secure      bool
	HTTPOnly    bool
	SameSite    string
}

// ParseSet parses a Set-Cookie field. It returns false for what section 5.2 ignores, for control
// characters that end a field, and for more than 8 KiB.
func ParseSet(field string) (c SetCookie, ok bool) {
	if len(field) > maxCookieBytes || strings.ContainsAny(field, "\x00\r\n") {
		return c, false
	}

	pair, attributes, _ := strings.Cut(field, ";")
	name, value, hasValue := strings.Cut(pair, "=")
	c.Name = strings.Trim(name, " \t")
	c.Value = strings.Trim(value, " \t")
	if !hasValue || c.Name == "" || strings.ContainsAny(c.Name, " \t,\"") {
		return c, false
	}

	for attributes != "" {
		var attribute string
		attribute, attributes, _ = strings.Cut(attributes, ";")
		key, value, _ := strings.Cut(attribute, "=")
		c.setAttribute(strings.Trim(key, " \t"), strings.Trim(value, " \t"))
	}
	return c, true
}

// setAttribute sets one attribute (sections 5.2.1 to 5.2.6). If an attribute comes twice, the last one
// counts. Unknown attributes are ignored.
func (c *SetCookie) setAttribute(key, value string) {
	switch {
	case strings.EqualFold(key, "Domain"):
		c.Domain = strings.ToLower(strings.TrimPrefix(value, "."))

	case strings.EqualFold(key, "Path"):
		c.Path = ""
		if strings.HasPrefix(value, "/") {
			c.Path = value
		}

	case strings.EqualFold(key, "Expires"):
		if t, ok := parseDate(value); ok {
			c.Expires = t
		}

	case strings.EqualFold(key, "Max-Age"):
		digits := strings.TrimPrefix(value, "-")
		if digits != "" && strings.Trim(digits, "0123456789") == "" {
			c.MaxAge = value
		}

	case strings.EqualFold(key, "Secure"):
		c.Secure = true

	case strings.EqualFold(key, "HttpOnly"):
		c.HTTPOnly = true

	case strings.EqualFold(key, "SameSite"):
		c.SameSite = value
	}
}

// At returns the cookie as a jar keeps it, if the answer to a request for host and path sets it. It
// returns false if host may not set cookies for its Domain (section 5.3 step 6).
func (c *SetCookie) At(host, path string, now time.Time) (Cookie, bool) {
	stored := Cookie{Name: c.Name, Value: c.Value, Path: c.Path, Secure: c.Secure, Expires: c.Until(now)}
	if stored.Path == "" {
		stored.Path = defaultPath(path)
	}

	switch {
	case c.Domain == "":
		stored.Domain = host
		stored.HostOnly = true
	case c.Domain == host, strings.Contains(c.Domain, ".") && isSubdomain(host, c.Domain):
		stored.Domain = c.Domain
	default:
		return Cookie{}, false
	}
	return stored, true
}

// maxAge is the longest life of a cookie, in seconds (RFC 6265bis: 400 days).
const maxAge = 400 * 86400

// Until returns when the cookie expires, and the zero time if it expires with the session. Max-Age
// wins over Expires.
func (c *SetCookie) Until(now time.Time) time.Time {
	if c.MaxAge == "" {
		return c.Expires
	}

	seconds, err := strconv.ParseInt(c.MaxAge, 10, 64)
	switch {
	case strings.HasPrefix(c.MaxAge, "-"), err == nil && seconds == 0:
		return time.Unix(1, 0).UTC()
	case err != nil, seconds > maxAge: // an error means that the number is too large
		seconds = maxAge
	}
	return now.Add(time.Duration(seconds) * time.Second).UTC().Round(0)
}

// String writes the field from what was parsed.
func (c *SetCookie) String() string {
	var b strings.Builder
	b.WriteString(c.Name + "=" + c.Value)
	if c.Path != "" {
		b.WriteString("; Path=" + c.Path)
	}
	if c.Domain != "" {
		b.WriteString("; Domain=" + c.Domain)
	}
	if !c.Expires.IsZero() {
		b.WriteString("; Expires=" + c.Expires.UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT"))
	}
	if c.MaxAge != "" {
		b.WriteString("; Max-Age=" + c.MaxAge)
	}
	if c.Secure {
		b.WriteString("; Secure")
	}
	if c.HTTPOnly {
		b.WriteString("; HttpOnly")
	}
	if c.SameSite != "" {
		b.WriteString("; SameSite=" + c.SameSite)
	}
	return b.String()
}
