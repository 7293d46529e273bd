package cookie

import (
	"slices"
	"strings"
	"time"
)

// Line is the value of a Cookie field for one request: the held cookies that fit it (RFC 6265 section 5.4), then the agent's
// whose names are not held; "" when there is none.
func Line(held []Cookie, agent []Pair, host, path string, tls bool, now time.Time) string {
	size := 0
	for i := range held {
		if held[i].Fits(host, path, tls, now) {
			size += len(held[i].Name) + len(held[i].Value) + 3
		}
	}
	for i := range agent {
		size += len(agent[i].Name) + len(agent[i].Value) + 3
	}
	if size == 0 {
		return ""
	}
	var b strings.Builder
	b.Grow(size)
	add := func(name, value string) {
		if b.Len() > 0 {
			b.WriteString("; ")
		}
		b.WriteString(name)
		b.WriteByte('=')
		b.WriteString(value)
	}
	for i := range held {
		if held[i].Fits(host, path, tls, now) {
			add(held[i].Name, held[i].Value)
		}
	}
	for _, c := range agent {
		if !slices.ContainsFunc(held, func(h Cookie) bool { return h.Name == c.Name }) {
			add(c.Name, c.Value)
		}
	}
	return b.String()
}
