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

func TestABorrowedCredentialSaysWhoseItIs(t *testing.T) {
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
		{"a user cookie beside the session", Field{Name: "Cookie", Value: "wiki_session=s3; wikiUserName=Alice%20B"}, "Alice B", true},
		{"a name joined with its proof", Field{Name: "Cookie", Value: "logged_in_ab12=alice%7C1799%7Chash"}, "alice", false},
		{"no user cookie", Field{Name: "Cookie", Value: "wiki_session=s3"}, "", true},
		{"a cookie that nobody named", Field{Name: "Cookie", Value: "_ga=GA1.2.3"}, "", false},
		{"a JWT as bearer", Field{Name: "Authorization", Value: "Bearer " + jwt}, "alice@acme.example", true},
		{"a JWT in a cookie", Field{Name: "Cookie", Value: "other=" + jwt}, "alice@acme.example", false},
		{"basic", Field{Name: "Authorization", Value: "Basic " + base64.StdEncoding.EncodeToString([]byte("alice:secret"))}, "alice", true},
		{"a key that the adapter names", Field{Name: "X-Api-Key", Value: "k"}, "", true},
		{"a header named like a credential", Field{Name: "X-Forwarded-For", Value: "10.0.0.1"}, "", false},
		{"a name with a line break", Field{Name: "Cookie", Value: "wikiUserName=a%0Ab"}, "", true},
		{"a name without end", Field{Name: "Cookie", Value: "wikiUserName=" + strings.Repeat("a", 200)}, "", true},
		{"no JWT after all", Field{Name: "Authorization", Value: "Bearer eyJ.!!.x"}, "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, left := a.Strip(nil, []Field{c.field})
			if len(left) == 0 {
				t.Fatal("nothing was left behind")
			}
			for _, b := range left {
				if got := b.Person(); got != c.person {
					t.Errorf("%s: person %q, want %q", b.Name, got, c.person)
				}
			}
			if left[0].Session != c.session {
				t.Errorf("session %v, want %v", left[0].Session, c.session)
			}
		})
	}
}
