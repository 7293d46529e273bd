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
		key, err := audit.ParseWitnessKey(s)
		if err == nil && key.String() != strings.TrimSpace(s) {
			t.Errorf("%q was accepted and written as %q", s, key)
		}
	})
}
