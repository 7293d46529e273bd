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

	// The key that signs the vectors at their end.
	key := ed25519.NewKeyFromSeed([]byte(strings.Repeat("b", ed25519.SeedSize)))
	pub := PublicKey{Key: key.Public().(ed25519.PublicKey)}
	if _, err := ParseCheckpoint(string(kept), pub); err != nil {
		f.Fatalf("the kept checkpoint of the vectors: %v", err)
	}

	f.Fuzz(func(t *testing.T, s string) {
		c, err := ParseCheckpoint(s, pub)
		if err == nil && !strings.HasPrefix(s, c.Text()) {
			t.Errorf("signed note %q was accepted and read as %+v", s, c)
		}

		c, err = parseCheckpointText(s)
		if err == nil && c.Text() != s {
			t.Errorf("text %q was accepted and read as %+v", s, c)
		}
	})
}
