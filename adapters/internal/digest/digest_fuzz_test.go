package digest

import (
	"strings"
	"testing"
)

// FuzzAnswer: whatever challenge is understood, its answer is one line.
func FuzzAnswer(f *testing.F) {
	f.Add("Digest realm=\"a\\\"b\", nonce=n, qop=\"auth\"")
	f.Add("Digest nonce=\"n\r\nX: y\", opaque=\"\\")

	f.Fuzz(func(t *testing.T, challenge string) {
		c := Parse(challenge)
		if c == nil {
			return
		}
		c.Prove("agent-01", "p")
		if got := c.Answer("GET", "/"); strings.ContainsAny(got, "\r\n") {
			t.Fatalf("%q is answered with %q", challenge, got)
		}
	})
}
