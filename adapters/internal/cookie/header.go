package cookie

import (
	"slices"
	"strings"
	"time"
)

// HeaderValue returns the value of the Cookie field of one request: the held cookies that fit it (RFC
// 6265 section 5.4), then those of the agent whose names no held cookie has. It returns "" if there are
// none. It allocates the value and nothing else.
func HeaderValue(held []Cookie, agent []Pair, host, path string, tls bool, now time.Time) string {
	size := 0
	for i := range held {
		if held[i].Fits(host, path, tls, now) {
			size += sizeOf(held[i].Name, held[i].Value)
		}
	}
	for i := range agent {
		size += sizeOf(agent[i].Name, agent[i].Value)
	}
	if size == 0 {
		return ""
	}

	var b strings.Builder
	b.Grow(size)
	for i := range held {
		if held[i].Fits(host, path, tls, now) {
			appendPair(&b, held[i].Name, held[i].Value)
		}
	}
	for _, c := range agent {
		isHeld := slices.ContainsFunc(held, func(h Cookie) bool { return h.Name == c.Name })
		if !isHeld {
			appendPair(&b, c.Name, c.Value)
		}
	}
	return b.String()
}

// sizeOf returns how many bytes appendPair writes at most.
func sizeOf(name, value string) int { return len("; ") + len(name) + len("=") + len(value) }

func appendPair(b *strings.Builder, name, value string) {
	if b.Len() > 0 {
		b.WriteString("; ")
	}
	b.WriteString(name)
	b.WriteByte('=')
	b.WriteString(value)
}
