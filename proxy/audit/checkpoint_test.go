package audit

import (
	"crypto/ed25519"
	"os"
	"strings"
	"testing"
)

func FuzzParseCheckpoint(f *testing.F) {
	kept, err := os.ReadFile("testdata/vectors/kept.checkpoint")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(kept))
	pub := PublicKey{Key: ed25519.NewKeyFromSeed([]byte(strings.Repeat("b", ed25519.SeedSize))).Public().(ed25519.PublicKey)}
	if _, err := ParseCheckpoint(string(kept), pub); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if c, err := ParseCheckpoint(s, pub); err == nil && !strings.HasPrefix(s, c.Text()) {
			t.Errorf("%q was read as %+v", s, c)
		}
		c, err := parseCheckpointText(s)
		if err == nil && c.Text() != s {
			t.Errorf("%q was read as %+v", s, c)
		}
	})
}
