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
