package adapters

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/byline-proxy/byline/adapters/internal/cookie"
)

func TestI1NothingPrints(t *testing.T) {
	const canary = "canary-7f3a9b"
	s := &Session{sessionState: &sessionState{
		headers: []Field{{Name: "A", Value: canary}},
		secrets: []string{canary},
		taken:   map[string]string{"x": canary},
	}}
	s.jar.Replace([]cookie.Cookie{{Name: "c", Value: canary}})
	d := &Dialogue{dialogueState: &dialogueState{a: small(nil), session: s, agent: canary}}
	b := Borrowed{Value: NewSecret(canary)}

	for _, v := range []any{
		NewSecret(canary), b, s, *s, d, *d,
		Step{Body: []byte(canary), Path: canary}, &Step{Path: canary}, Reply{Body: []byte(canary)},
		Outgoing{Path: canary}, &Outgoing{Body: []byte(canary)},

		// In an unexported field, whose methods fmt does not call.
		struct{ b Borrowed }{b}, struct{ s *Session }{s}, struct{ d *Dialogue }{d},
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			text := fmt.Sprintf(verb, v)
			if strings.Contains(text, canary) || strings.Contains(strings.ToLower(text), fmt.Sprintf("%x", canary)) {
				t.Errorf("%s of a %T prints the secret: %s", verb, v, text)
			}
		}
		if text, err := json.Marshal(v); err != nil || strings.Contains(string(text), canary) {
			t.Errorf("%T in JSON: %s, %v, want no secret", v, text, err)
		}
	}
}
