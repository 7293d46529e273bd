package adapters

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"
)

// An application may repeat a secret in the name of a field or a trailer, in a spelling
// that is a token.
func TestI1NamesOfFieldsAreMasked(t *testing.T) {
	const secret = "q7Xw93kdZp40mVt6"
	a := small(nil)
	s := sessionWith(a, "app.example", "/", "x_session="+secret)
	m := maskerAt(s, "app.example", "/")

	percent := ""
	for _, c := range []byte(secret) {
		percent += "%" + hex.EncodeToString([]byte{c})
	}
	for _, spelling := range []string{
		secret, strings.ToLower(secret), hex.EncodeToString([]byte(secret)), strings.ToUpper(hex.EncodeToString([]byte(secret))),
		strings.TrimRight(base64.URLEncoding.EncodeToString([]byte(secret)), "="), percent, secret[1:], secret[:12],
	} {
		fields := []Field{{Name: "X-" + spelling, Value: "1"}, {Name: "X-Debug", Value: spelling}}
		for name, out := range map[string][]Field{"head": a.Shield(nil, m, fields), "trailers": a.ShieldPart(nil, m, fields)} {
			for _, f := range out {
				if strings.Contains(f.Name+f.Value, spelling) {
					t.Errorf("%s: %q came back in %q: %q", name, spelling, f.Name, f.Value)
				}
			}
		}
	}
}
