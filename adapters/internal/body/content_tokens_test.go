package body

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// anyTokens finds words of letters.
var anyTokens = Tokens{IsTokenByte: func(c byte) bool { return 'a' <= c && c <= 'z' }, Shortest: 12, MayBegin: func(string) bool { return true }}

// scanTokens writes text in the given pieces and returns the tokens that were found.
func scanTokens(t *testing.T, pieces ...string) (found []string) {
	t.Helper()
	s := NewContentScanner(ContentType{}, anyTokens, func(f Finding) {
		if f.Reader == ReadsToken {
			found = append(found, f.Value)
		}
	}, func(Finding) bool { return true })
	for _, p := range pieces {
		if _, err := s.Write([]byte(p)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return found
}

// TestTokensAreFoundHoweverTheTextIsCut compares the scan, which skips through words and sees a text in pieces, with a
// reader that splits all of it.
func TestTokensAreFoundHoweverTheTextIsCut(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		var b strings.Builder
		for range 1 + random.IntN(12) {
			b.WriteString(strings.Repeat(string(rune('a'+random.IntN(26))), random.IntN(30)))
			b.WriteString([]string{" ", ",", "\n", "-", "  ", ". ", ""}[random.IntN(7)])
		}
		text := b.String()

		var want []string
		for word := range strings.FieldsFuncSeq(text, func(c rune) bool { return c < 'a' || c > 'z' }) {
			if len(word) >= anyTokens.Shortest {
				want = append(want, word)
			}
		}
		var pieces []string
		for rest := text; rest != ""; {
			n := 1 + random.IntN(len(rest))
			pieces = append(pieces, rest[:n])
			rest = rest[n:]
		}
		if got := scanTokens(t, pieces...); !slices.Equal(got, want) {
			t.Fatalf("of %q in the pieces %q the tokens %q were found, want %q", text, pieces, got, want)
		}
	}
}

// TestPrivateKeysAreFoundByTheirFirstLine: the line comes before anything of the key.
func TestPrivateKeysAreFoundByTheirFirstLine(t *testing.T) {
	for _, kind := range []string{"", "RSA ", "EC ", "OPENSSH ", "ENCRYPTED "} {
		text := "notes\n-----BEGIN " + kind + "PRIVATE KEY-----"
		for cut := range text {
			if got := scanTokens(t, text[:cut], text[cut:]); !slices.Contains(got, PrivateKeyLine) {
				t.Errorf("%q in two pieces, the first of %d bytes: found %q", text, cut, got)
			}
		}
		var bytes []string
		for i := range text {
			bytes = append(bytes, text[i:i+1])
		}
		if got := scanTokens(t, bytes...); !slices.Contains(got, PrivateKeyLine) {
			t.Errorf("%q byte by byte: found %q", text, got)
		}
	}
}
