package adapters

import (
	"strconv"
	"strings"
	"time"
)

// setCookie is one Set-Cookie field, parsed (RFC 6265 section 5.2).
type setCookie struct {
	name, value  string
	domain, path string // "" when absent
	expires      time.Time
	maxAge       string // digits with an optional "-"; "" when absent
	secure       bool
	httpOnly     bool
	sameSite     string
}

// parseSetCookie is false for what section 5.2 ignores, and for control characters and oversized cookies.
func parseSetCookie(field string) (c setCookie, ok bool) {
	if len(field) > maxCookieBytes || strings.ContainsAny(field, "\x00\r\n") {
		return c, false
	}
	pair, rest, _ := strings.Cut(field, ";")
	name, value, found := strings.Cut(pair, "=")
	c.name, c.value = strings.Trim(name, " \t"), strings.Trim(value, " \t")
	if !found || c.name == "" || strings.ContainsAny(c.name, " \t,\"") {
		return c, false
	}
	for rest != "" {
		var attr string
		attr, rest, _ = strings.Cut(rest, ";")
		key, value, _ := strings.Cut(attr, "=")
		key, value = strings.Trim(key, " \t"), strings.Trim(value, " \t")
		switch {
		case strings.EqualFold(key, "Domain"):
			c.domain = strings.ToLower(strings.TrimPrefix(value, "."))
		case strings.EqualFold(key, "Path"):
			if c.path = ""; strings.HasPrefix(value, "/") {
				c.path = value
			}
		case strings.EqualFold(key, "Expires"):
			if t, ok := cookieDate(value); ok {
				c.expires = t
			}
		case strings.EqualFold(key, "Max-Age"):
			if digits := strings.TrimPrefix(value, "-"); digits != "" && strings.Trim(digits, "0123456789") == "" {
				c.maxAge = value
			}
		case strings.EqualFold(key, "Secure"):
			c.secure = true
		case strings.EqualFold(key, "HttpOnly"):
			c.httpOnly = true
		case strings.EqualFold(key, "SameSite"):
			c.sameSite = value
		}
	}
	return c, true
}

// held is the cookie as the jar keeps it; false when its Domain is not the host's (section 5.3 step 6).
func (c *setCookie) held(host, path string, now time.Time) (heldCookie, bool) {
	h := heldCookie{Name: c.name, Value: c.value, Domain: host, Path: c.path, Only: true, Secure: c.secure, Expires: c.until(now)}
	if h.Path == "" {
		h.Path = defaultPath(path)
	}
	switch {
	case c.domain == "" || c.domain == host:
		h.Only = c.domain == ""
	case strings.Contains(c.domain, ".") && domainMatches(host, c.domain):
		h.Domain, h.Only = c.domain, false
	default:
		return h, false
	}
	return h, true
}

// until is when the cookie ends; Max-Age wins over Expires. Zero: with the session.
func (c *setCookie) until(now time.Time) time.Time {
	if c.maxAge == "" {
		return c.expires
	}
	seconds, err := strconv.ParseInt(c.maxAge, 10, 64)
	switch {
	case strings.HasPrefix(c.maxAge, "-") || seconds == 0 && err == nil:
		return time.Unix(1, 0).UTC()
	case err != nil || seconds > 400*86400:
		seconds = 400 * 86400 // the limit of RFC 6265bis
	}
	return now.Add(time.Duration(seconds) * time.Second).UTC().Round(0)
}

// String writes the field anew from what parsed.
func (c *setCookie) String() string {
	var b strings.Builder
	b.WriteString(c.name + "=" + c.value)
	if c.path != "" {
		b.WriteString("; Path=" + c.path)
	}
	if c.domain != "" {
		b.WriteString("; Domain=" + c.domain)
	}
	if !c.expires.IsZero() {
		b.WriteString("; Expires=" + c.expires.UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT"))
	}
	if c.maxAge != "" {
		b.WriteString("; Max-Age=" + c.maxAge)
	}
	if c.secure {
		b.WriteString("; Secure")
	}
	if c.httpOnly {
		b.WriteString("; HttpOnly")
	}
	if c.sameSite != "" {
		b.WriteString("; SameSite=" + c.sameSite)
	}
	return b.String()
}

const months = "janfebmaraprmayjunjulaugsepoctnovdec"

// cookieDate is the lenient date of section 5.1.1.
func cookieDate(text string) (time.Time, bool) {
	day, month, year, hour, minute, second := 0, 0, -1, -1, 0, 0
	for _, token := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune("\t !\"#$%&'()*+,-./;<=>?@[\\]^_`{|}~", r) }) {
		number, digits := leadingNumber(token)
		switch {
		case hour < 0 && strings.Count(token, ":") == 2:
			parts := strings.Split(token, ":")
			hour, _ = leadingNumber(parts[0])
			minute, _ = leadingNumber(parts[1])
			second, _ = leadingNumber(parts[2])
		case day == 0 && (digits == 1 || digits == 2):
			day = number
		case month == 0 && digits == 0 && len(token) >= 3 && strings.Index(months, strings.ToLower(token[:3]))%3 == 0:
			month = strings.Index(months, strings.ToLower(token[:3]))/3 + 1
		case year < 0 && (digits == 2 || digits == 4):
			year = number
		}
	}
	if year >= 70 && year <= 99 {
		year += 1900
	} else if year >= 0 && year <= 69 {
		year += 2000
	}
	if day < 1 || day > 31 || month == 0 || year < 1601 || hour < 0 || hour > 23 || minute > 59 || second > 59 {
		return time.Time{}, false
	}
	return time.Date(year, time.Month(month), day, hour, minute, second, 0, time.UTC), true
}

func leadingNumber(s string) (n, digits int) {
	for digits < len(s) && digits < 5 && '0' <= s[digits] && s[digits] <= '9' {
		n = n*10 + int(s[digits]-'0')
		digits++
	}
	return n, digits
}
