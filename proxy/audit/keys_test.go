package audit_test

import (
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/audit/internal/audittest"
)

func FuzzParsePublicKey(f *testing.F) {
	f.Add(audittest.Must(note.NewEd25519VerifierKey("byline/x", audittest.PublicKey.Key)))
	f.Add("a+00000000+AQ==")
	f.Add("+")

	f.Fuzz(func(t *testing.T, s string) {
		pub, err := audit.ParsePublicKey(s)
		if err == nil && pub.String() != strings.TrimSpace(s) {
			t.Errorf("%q was accepted and written as %q", s, pub)
		}
	})
}
