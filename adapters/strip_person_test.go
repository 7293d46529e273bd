package adapters

import (
	"encoding/base64"
	"strings"
	"testing"
)

const personAdapter = `
name: wiki
interim: {reason: test, owner: secops@acme.example, review_by: 2099-01-01}
hosts: [wiki.acme.example]
cookies: {hold: ["*_session", "*UserName"], person: ["*UserName", "logged_in_*"]}
headers: {strip: [X-Api-Key]}
login: {kind: basic}
actions: [{name: page.read, match: {path: /}}]
`

func TestPersonIsWhomTheCredentialNames(t *testing.T) {
	set, err := Load([]Source{{Name: "wiki.yaml", Text: []byte(personAdapter)}})
	if err != nil {
		t.Fatal(err)
	}
	a := set.ByName("wiki")

	jwt := "eyJhbGciOiJub25lIn0." + base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"u-17","email":"alice@acme.example"}`)) + ".x"
	for _, c := range []struct {
		name    string
		field   Field
		person  string
		session bool
	}{
		{"a user cookie next to the session", Field{Name: "Cookie", Value: "wiki_session=s3; wikiUserName=Alice%20B"}, "Alice B", true},
		{"a name with its proof after it", Field{Name: "Cookie", Value: "logged_in_ab12=alice%7C1799%7Chash"}, "alice", false},
		{"no user cookie", Field{Name: "Cookie", Value: "wiki_session=s3"}, "", true},
		{"a cookie that the adapter does not list", Field{Name: "Cookie", Value: "_ga=GA1.2.3"}, "", false},
		{"a JWT as bearer", Field{Name: "Authorization", Value: "Bearer " + jwt}, "alice@acme.example", true},
		{"a JWT in a cookie", Field{Name: "Cookie", Value: "other=" + jwt}, "alice@acme.example", false},
		{"basic", Field{Name: "Authorization", Value: "Basic " + base64.StdEncoding.EncodeToString([]byte("alice:secret"))}, "alice", true},
		{"a header that the adapter lists", Field{Name: "X-Api-Key", Value: "k"}, "", true},
		{"a header named like a credential", Field{Name: "X-Forwarded-For", Value: "10.0.0.1"}, "", false},
		{"a name with a line break", Field{Name: "Cookie", Value: "wikiUserName=a%0Ab"}, "", true},
		{"a name that is too long", Field{Name: "Cookie", Value: "wikiUserName=" + strings.Repeat("a", 200)}, "", true},
		{"what only begins like a JWT", Field{Name: "Authorization", Value: "Bearer eyJ.!!.x"}, "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, removed := a.Strip(nil, []Field{c.field})
			if len(removed) == 0 {
				t.Fatalf("%v: nothing was removed", c.field)
			}

			for _, b := range removed {
				if got := b.Person(); got != c.person {
					t.Errorf("%v: %s says the person is %q, want %q", c.field, b.Name, got, c.person)
				}
			}
			if removed[0].Session != c.session {
				t.Errorf("%v: known for a credential: %v, want %v", c.field, removed[0].Session, c.session)
			}
		})
	}
}
