package cookie

import (
	"strconv"
	"strings"
	"time"
)

// SetCookie is one Set-Cookie field, parsed (RFC 6265 section 5.2).
type SetCookie struct {
	Name, Value  string
	Domain, Path string // "" when absent
	Expires      time.Time
	MaxAge       string // digits with an optional "-"; "" when absent
	Secure       bool
	HTTPOnly     bool
	SameSite     string
}

// ParseSet is false for what section 5.2 ignores, and for control characters and oversized cookies.
func ParseSet(field string) (c SetCookie, ok bool) {
	if len(field) > maxCookieBytes || strings.ContainsAny(field, "\x00\r\n") {
		return c, false
	}
	pair, rest, _ := strings.Cut(field, ";")
	name, value, found := strings.Cut(pair, "=")
	c.Name, c.Value = strings.Trim(name, " \t"), strings.Trim(value, " \t")
	if !found || c.Name == "" || strings.ContainsAny(c.Name, " \t,\"") {
		return c, false
	}
	for rest != "" {
		var attr string
		attr, rest, _ = strings.Cut(rest, ";")
		key, value, _ := strings.Cut(attr, "=")
		key, value = strings.Trim(key, " \t"), strings.Trim(value, " \t")
		switch {
		case strings.EqualFold(key, "Domain"):
			c.Domain = strings.ToLower(strings.TrimPrefix(value, "."))
		case strings.EqualFold(key, "Path"):
			if c.Path = ""; strings.HasPrefix(value, "/") {
				c.Path = value
			}
		case strings.EqualFold(key, "Expires"):
			if t, ok := cookieDate(value); ok {
				c.Expires = t
			}
		case strings.EqualFold(key, "Max-Age"):
			if digits := strings.TrimPrefix(value, "-"); digits != "" && strings.Trim(digits, "0123456789") == "" {
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
	return c, true
}

// At is the cookie as a jar keeps it; false when its Domain is not the host's (section 5.3 step 6).
func (c *SetCookie) At(host, path string, now time.Time) (Cookie, bool) {
	h := Cookie{Name: c.Name, Value: c.Value, Domain: host, Path: c.Path, Only: true, Secure: c.Secure, Expires: c.Until(now)}
	if h.Path == "" {
		h.Path = defaultPath(path)
	}
	switch {
	case c.Domain == "" || c.Domain == host:
		h.Only = c.Domain == ""
	case strings.Contains(c.Domain, ".") && domainMatches(host, c.Domain):
		h.Domain, h.Only = c.Domain, false
	default:
		return h, false
	}
	return h, true
}

// Until is when the cookie ends; Max-Age wins over Expires. Zero: with the session.
func (c *SetCookie) Until(now time.Time) time.Time {
	if c.MaxAge == "" {
		return c.Expires
	}
	seconds, err := strconv.ParseInt(c.MaxAge, 10, 64)
	switch {
	case strings.HasPrefix(c.MaxAge, "-") || seconds == 0 && err == nil:
		return time.Unix(1, 0).UTC()
	case err != nil || seconds > 400*86400:
		seconds = 400 * 86400 // the limit of RFC 6265bis
	}
	return now.Add(time.Duration(seconds) * time.Second).UTC().Round(0)
}

// String writes the field anew from what parsed.
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
