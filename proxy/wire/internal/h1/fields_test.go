package h1

import (
	"strings"
	"testing"
)

// TestWhiteSpaceAroundAValueIsToldByItsName: an agent whose cookie was put
// together with one "; " too many learns which field it is, and nothing of its
// value comes back.
func TestWhiteSpaceAroundAValueIsToldByItsName(t *testing.T) {
	long := strings.Repeat("x", 41)
	for _, c := range []struct{ name, value, told string }{
		{"cookie", "sid=1", ""},
		{"cookie", "", ""},
		{"cookie", "sid=secret; ", "the value of cookie "},
		{"x-name", "\tsecret", "the value of x-name "},
		{long, "secret ", "the value of a field "},
	} {
		bad := CheckSurroundingSpace(c.name, c.value)
		switch {
		case c.told == "" && bad != nil:
			t.Errorf("%q: %q is refused: %s", c.name, c.value, bad.Detail)
		case c.told != "" && (bad == nil || bad.Code != "ambiguous_request" || !strings.HasPrefix(bad.Detail, c.told) || strings.Contains(bad.Detail, "secret")):
			t.Errorf("%q: %q: %+v", c.name, c.value, bad)
		}
	}
}
