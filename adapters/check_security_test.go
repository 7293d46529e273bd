package adapters

import (
	"strings"
	"testing"
)

const securityAdapter = `name: a
hosts: [a.example]
interim: {reason: r, owner: o, review_by: 2027-06-30}
LISTS
login:
  kind: form
  steps: [{post: /login, form: {p: "${password}"}}]
  success: {status: 302COOKIE}
  ended: [{status: 401}]
  logout: {steps: [{get: /logout}]}
actions:
`

func securityProblems(t *testing.T, lists, cookie, actions string) string {
	t.Helper()
	text := strings.NewReplacer("LISTS", lists, "COOKIE", cookie).Replace(securityAdapter) + actions
	src := []Source{{Name: "a.yaml", Text: []byte(text)}}
	_, err := Load(src)
	if err != nil {
		return err.Error()
	}
	return Harden(src).Error()
}

// TestAdapterCheckFindsWhatTheFileShows has an adapter for each thing that is found.
func TestAdapterCheckFindsWhatTheFileShows(t *testing.T) {
	const session, read = ", cookie: sid", `  - {name: x.read, match: {method: GET, path: /x}}`

	for _, c := range []struct{ what, lists, cookie, actions, want string }{
		{"the session's cookie in pass", "cookies: {pass: [sid]}", session, read, `cookies.pass lets the cookie "sid" through`},
		{"a pattern of pass that takes it", `cookies: {pass: ["s*"]}`, session, read, `cookies.pass lets the cookie "sid" through`},
		{"no session cookie", "", "", read, "no cookie is known to be the session"},
		{"a write without only", "", session, `  - {name: x.edit, match: {method: POST, path: /x}}`, `action "x.edit" writes and has no only`},
		{"a query that a form wins over", "", session, `  - {name: x.edit, match: {method: POST, path: /x, query: {do: save}}}`, `action "x.edit" goes by do in the query`},
		{"an action behind a wide one", "", session, `  - {name: all, match: {path: "/a/**"}}` + "\n" + `  - {name: one, match: {method: POST, path: "/a/{id}", form: {do: save}, only: []}}`, `action "one" can never be reached`},
		{"the paths of users", "", session, `  - {name: user.edit, match: {method: POST, path: "/users/{id}", only: [name]}}`, `action "user.edit" writes at a path with "users"`},
		{"a parameter that is stripped", "", session, `  - {name: x.read, match: {method: GET, path: /x, query: {key: "{k}"}}}`, "is decided by the parameter key, which is removed"},
		{"a parameter of query.strip", "query: {strip: [do]}", session, `  - {name: x.read, match: {method: GET, path: /x, query: {do: "{k}"}}}`, "is decided by the parameter do, which is removed"},
		{"a field for which a body is refused", "", session, `  - {name: x.edit, match: {method: POST, path: /x, form: {accessToken: "{k}"}, only: []}}`, "is decided by the field accessToken"},
		{"the same in only", "", session, `  - {name: x.edit, match: {method: POST, path: /x, only: [token]}}`, "lists the field token"},
		{"a header that is held anyway", "headers: {strip: [X-Api-Key]}", session, read, "the header X-Api-Key is held without headers.strip"},
		{"a header that goes on anyway", "headers: {pass: [X-CSRF-Token]}", session, read, "the header X-CSRF-Token goes on without headers.pass"},
		{"a header that decides and is held", "", session, `  - {name: x.read, match: {method: GET, path: /x, header: {X-Do: a}}}`, "headers.pass lets it through"},
		{"a template of log in the spelling of match", `log: {entry: {time: t, user: u}, read: [{get: /h}], kinds: [{actions: [x.read], resource: "page/{page}"}]}`, session, read, "{page} is the text itself"},
		{"the session's cookie in share", `cookies: {share: [sid]}`, session, read, `cookies.share shows agents the cookie "sid"`},
		{"a form wins although only is there", "", session, `  - {name: x.edit, match: {method: POST, path: /x, query: {do: save}, only: [do]}}`, `action "x.edit" goes by do in the query`},
		{"only without the parameter", "", session, `  - {name: x.edit, match: {method: POST, path: /x, query: {do: save}, only: [a]}}`, ""},
		{"a word within a word", "", session, `  - {name: x.edit, match: {method: POST, path: /api/createUser, only: [a]}}`, `writes at a path with "user"`},
		{"another language", "", session, `  - {name: x.edit, match: {method: POST, path: "/api/utilisateurs/{id}", only: [a]}}`, `writes at a path with "utilisateurs"`},
		{"a German plural", "", session, `  - {name: x.edit, match: {method: POST, path: "/verwaltung/benutzern", only: [a]}}`, `writes at a path with "benutzern"`},
		{"keys of SSH", "", session, `  - {name: x.edit, match: {method: POST, path: /profile/ssh-keys, only: [a]}}`, `writes at a path with "ssh"`},
		{"sharing", "", session, `  - {name: x.edit, match: {method: POST, path: "/doc/{id}/share", only: [a]}}`, `writes at a path with "share"`},
		{"the session's cookie in pass in another case", "cookies: {pass: [Sid]}", session, read, `cookies.pass lets the cookie "sid" through`},
		{"a value", "", session, `  - {name: x.edit, match: {method: POST, path: /i, query: {title: "Special:UserRights"}, only: [a]}}`, `writes by a value with "user"`},
		{"a field of GraphQL", "", session, `  - {name: x.edit, match: {method: POST, path: /g, graphql: {type: mutation, field: inviteMember}}}`, `writes by a field with "invite"`},
		{"words that only resemble", "", session, `  - {name: x.edit, match: {method: POST, path: "/guides/{user}/grouping", only: [a]}}`, ""},
		{"a method without fields", "", session, `  - {name: x.delete, match: {method: DELETE, path: "/x/{id}"}}`, ""},
		{"a path of log", `log: {entry: {time: t, user: u}, read: [{get: "/h?s={from}"}], kinds: [{actions: [x.read]}]}`, session, read, "{from} is the text itself"},
		{"an unknown filter of log", `log: {entry: {time: t, user: u}, read: [{get: "/h?s=${from|nosuch}"}], kinds: [{actions: [x.read]}]}`, session, read, `there is no filter "nosuch"`},
		{"an unknown variable of log", `log: {entry: {time: t, user: u}, read: [{get: "/h?s=${since}"}], kinds: [{actions: [x.read]}]}`, session, read, "unknown variable ${since}"},
		{"a plain key", "", session, `  - {name: x.read, match: {method: GET, path: /x, query: {key: "7"}}}`, ""},
		{"a credential in XML", "", session, `  - {name: x.edit, match: {method: POST, path: /x, xml: {r.token: "{k}"}}}`, "is decided by the field r.token"},
		{"a credential in GraphQL", "", session, `  - {name: x.read, match: {method: POST, path: /x, graphql: {type: query, field: a, argument: {token: "{k}"}}}}`, "is decided by the field token"},
		{"a path that where leaves out", "", session, `  - {name: x.read, match: {method: GET, path: ["/a/{id}", /b], where: {id: "[0-9]+"}}}`, `action "x.read" never matches the path "/b"`},
		{"a header for another method", "headers: {pass: [X-HTTP-Method-Override]}", session, read, "the header X-HTTP-Method-Override is held although headers.pass names it"},
		{"a header of a credential", "headers: {pass: [Authorization]}", session, read, "the header Authorization has the name of a credential"},
		{"the field of the login in only", "", session, `  - {name: x.edit, match: {method: POST, path: /x, only: [p]}}`, "lists the field p, with which a request is refused as a login"},
		{"nothing", "", session, `  - {name: x.edit, match: {method: POST, path: /x, only: [text]}}`, ""},
		{"nothing, because the names pass", "query: {pass: [key]}\nbody: {pass: [token]}", session, `  - {name: x.edit, match: {method: POST, path: /x, param: {key: "{k}"}, only: [token]}}`, ""},
	} {
		got := securityProblems(t, c.lists, c.cookie, c.actions)
		if c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%s:\n%s\nwant %s", c.what, got, c.want)
		}
	}
}

func TestI2TheLoginsCookieIsTheSession(t *testing.T) {
	text := strings.NewReplacer("LISTS", `cookies: {pass: ["*"]}`, "COOKIE", ", cookie: sid").Replace(securityAdapter) + `  - {name: x.read, match: {method: GET, path: /x}}`
	set, err := Load([]Source{{Name: "a.yaml", Text: []byte(text)}})
	if err != nil {
		t.Fatal(err)
	}
	_, cookies, removed := set.ByName("a").Strip(nil, []Field{{Name: "Cookie", Value: "sid=1; SID=2; theme=dark"}})
	if len(cookies) != 1 || cookies[0].Name != "theme" || len(removed) != 2 || !removed[0].Session {
		t.Errorf("%v pass, %v are removed; want that only theme passes and sid is the session", cookies, removed)
	}
}

func TestRecordsHoldNoKeyAsAPerson(t *testing.T) {
	for name, want := range map[string]string{
		"alice": "alice", "alice@acme.example": "alice@acme.example", "Alice B. Smith": "Alice B. Smith", `ACME\alice`: `ACME\alice`, "agent-01": "agent-01", "Jürgen": "Jürgen", "McDonald": "McDonald",
		"sk_live_4eC39HqLyjWDarjtT1zdp7dc": "", "ghp_0123456789abcdefABCD": "", "d41d8cd98f00b204e9800998ecf8427e": "", "AC0123456789": "", "kjhgfdsaqwertyuiopzxcvbn": "", "aBcDeF": "", "12345": "", "": "",
		"550e8400-e29b-41d4-a716-446655440000": "", "key:abc": "", "api_key": "", "x_token": "", "a/b+c=": "",
	} {
		if got := likelyPerson(name); got != want {
			t.Errorf("%q is shown as %q, want %q", name, got, want)
		}
	}
}
