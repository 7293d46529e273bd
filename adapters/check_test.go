package adapters

import "testing"

func TestProblemsSayFileLineAndRemedy(t *testing.T) {
	good := "name: a\nhosts: [a.example]\ninterim: {reason: r, owner: o, review_by: 2027-06-30}\n"
	cases := []struct{ name, text, want string }{
		{"empty", "", "a.yaml:1: the file is empty (an adapter has at least name, hosts, interim, login and actions)"},
		{"nested misspelling", good + "login:\n  kind: basic\n  sucess: {}\nactions: [{name: x, match: {path: /}}]\n",
			`a.yaml:6: unknown key "sucess" in login (did you mean "success"?)`},
		{"unknown kind", good + "login: {kind: cookie}\nactions: [{name: x, match: {path: /}}]\n",
			`a.yaml:4: unknown login.kind "cookie" (known: basic, bearer, digest, form, header, json, oauth2, query)`},
		{"shadowed", good + "login: {kind: basic}\nactions:\n  - {name: x, match: {path: /}}\n  - {name: y, match: {path: /}}\n",
			`a.yaml:7: action "y" can never be reached: "x" on line 6 matches the same requests first`},
		{"unbound resource", good + "login: {kind: basic}\nactions: [{name: x, match: {path: /}, resource: \"p/{id}\"}]\n",
			`a.yaml:5: resource "p/{id}" names {id}, which match does not bind`},
		{"open only", good + "login: {kind: basic}\nactions: [{name: x, match: {path: /, only: [\"*\"]}}]\n",
			`a.yaml:5: "*" in only would allow every parameter`},
		{"unbound only", good + "login: {kind: basic}\nactions: [{name: x, match: {path: \"/{a}\", only: [\"{b}-x\"]}}]\n",
			`a.yaml:5: "{b}-x" in only names {b}, which nothing else in match binds`},
		{"relative path", good + "login: {kind: basic}\nactions: [{name: x, match: {path: a}}]\n",
			`a.yaml:5: path "a" does not start with /`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := Load([]Source{{Name: "a.yaml", Text: []byte(c.text)}})
			if err == nil || err.Error() != c.want {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}
