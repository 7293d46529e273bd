package audit_test

import (
	"strings"
	"testing"

	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/audit/internal/audittest"
)

func FuzzParseWitnessKey(f *testing.F) {
	f.Add(audittest.Witness().String())
	f.Fuzz(func(t *testing.T, s string) {
		if k, err := audit.ParseWitnessKey(s); err == nil && k.String() != strings.TrimSpace(s) {
			t.Errorf("%q was read as %q", s, k)
		}
	})
}
