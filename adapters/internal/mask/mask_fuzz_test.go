package mask

import (
	"bytes"
	"strings"
	"testing"
)

// FuzzMask: masking a body in pieces gives the same as masking it whole, for the forms of real secrets.
func FuzzMask(f *testing.F) {
	f.Add("canary+session/1234=", []byte("x canary%2Bsession%2F1234%3D y"), uint8(3))
	f.Fuzz(func(t *testing.T, secret string, body []byte, size uint8) {
		m := newMask([]string{secret})
		whole := bytes.Clone(body)
		m.InPlace(whole)
		if len(whole) != len(body) {
			t.Fatal("the length changed")
		}
		if m != nil && bytes.Contains(whole, []byte(secret)) && len(secret) >= minSecret && !commonWords[strings.ToLower(secret)] && !strings.Contains(secret, "*") {
			t.Fatalf("%q stays in %q", secret, whole)
		}
		if got := m.Text(string(body)); got != string(whole) {
			t.Fatalf("in a field %q, in a body %q", got, whole)
		}
		r := m.Reader(&pieces{text: bytes.Clone(body), size: int(size)%17 + 1})
		var b bytes.Buffer
		if _, err := b.ReadFrom(r); err != nil || !bytes.Equal(b.Bytes(), whole) {
			t.Fatalf("in pieces %q, whole %q (%v)", b.Bytes(), whole, err)
		}
	})
}
