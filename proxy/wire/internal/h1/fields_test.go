package h1

import (
	"strings"
	"testing"

	"github.com/byline-proxy/byline/proxy/wire"
)

// TestSurroundingSpaceIsReportedByFieldName shows that the agent learns which field
// is wrong, and that nothing of its value is repeated.
func TestSurroundingSpaceIsReportedByFieldName(t *testing.T) {
	long := strings.Repeat("x", 41)
	for _, c := range []struct{ name, value, detail string }{
		{"cookie", "sid=1", ""},
		{"cookie", "", ""},
		{"cookie", "sid=secret; ", "the value of cookie "},
		{"x-name", "\tsecret", "the value of x-name "},
		{long, "secret ", "the value of a field "},
	} {
		bad := CheckSurroundingSpace(c.name, c.value)
		if c.detail == "" {
			if bad != nil {
				t.Errorf("%s: %q was refused: %s", c.name, c.value, bad.Detail)
			}
			continue
		}

		if bad == nil {
			t.Errorf("%s: %q was accepted", c.name, c.value)
			continue
		}
		if bad.Code != wire.CodeAmbiguous || !strings.HasPrefix(bad.Detail, c.detail) {
			t.Errorf("%s: %q was refused with %s, %q, want %s, %q", c.name, c.value, bad.Code, bad.Detail, wire.CodeAmbiguous, c.detail)
		}
		if strings.Contains(bad.Detail, "secret") {
			t.Errorf("%s: the detail repeats the value: %s", c.name, bad.Detail)
		}
	}
}
