package adapters

import (
	"cmp"
	"fmt"
	"os"
	"strings"
	"testing"
)

func TestAdviceOnWhatIsAllowedAndSeldomMeant(t *testing.T) {
	text := "name: a\nhosts: [a.example]\ninterim: {reason: r, owner: o, review_by: 2027-06-30}\n" + `upstream: {url: "http://10.0.0.7"}
cookies: {pass: ["*"]}
login:
  kind: form
  steps: [{post: /login, form: {p: "${password}"}}]
  success: {status: 200}
actions:
  - {name: all.read, match: {method: GET, path: "/**"}}
  - {name: any, match: {path: /x}}
  - {name: token.create, match: {method: POST, path: /profile/api-keys}}
  - {name: token.delete, privileged: true, match: {path: /profile/api-keys/x}}
  - {name: build.read, match: {method: GET, path: "/build/{project}-{id:digits}"}}
  - {name: log.read, match: {method: GET, path: "/log/{project}-{branch}"}}
`
	got := Advise([]Source{{Name: "a.yaml", Text: []byte(text)}})
	want := []string{"a.yaml:4: passwords", "a.yaml:5: every cookie", "a.yaml:7: the login does not say", "a.yaml:7: there is no identity", "a.yaml:7: there is no logout", "a.yaml:9: success is the status 200",
		"a.yaml:11: action \"all.read\" is every path", "a.yaml:12: action \"any\" is every method", "a.yaml:13: action \"token.create\" has \"api-key\"",
		"a.yaml:15: action \"build.read\": {project} takes as little", "a.yaml:16: action \"log.read\": {project} takes as little"}
	if len(got) != len(want) {
		t.Fatalf("%d pieces of advice, want %d:\n%v", len(got), len(want), got)
	}
	for i := range want {
		if !strings.HasPrefix(got[i].Error(), want[i]) {
			t.Errorf("%v\nwant %s…", got[i], want[i])
		}
	}
}

// TestAdviceOnWhatIsTooWideAndWhatNeverHolds: each line is a key of an adapter, and the beginning of the advice on it.
func TestAdviceOnWhatIsTooWideAndWhatNeverHolds(t *testing.T) {
	const login = `login: {kind: form, steps: [{post: /login, form: {p: "${password}"}}], success: {status: 302, cookie: s}, ended: [%s], identity: {get: /me, css: b%s}, logout: {steps: [{get: /out}]}}`
	for _, c := range []struct{ top, ended, rotates, action, want string }{
		{top: `query: {pass: ["*"]}`, want: `with "*" no parameter of the query`}, {top: `body: {pass: ["**"]}`, want: `with "**" no body is refused`}, {top: `paths: {pass: ["/**"]}`, want: `with "/**" no path is refused`},
		{top: `headers: {pass: ["X-*"]}`, want: `"X-*" is no pattern`}, {top: `query: {pass: ["wp*token"]}`}, {top: `paths: {pass: ["/files/**"]}`},
		{ended: "{status: 200}", want: "a page that has nothing to do"}, {ended: `{redirect: "*"}`, want: "a page that has nothing to do"}, {ended: "{status: 302, redirect: \"/*\"}", want: "a page that has nothing to do"}, {ended: "{status: 401}"}, {ended: `{status: 200, css: form}`},
		{rotates: `, rotates: ["*"]`, want: `with "*" nobody sees`}, {rotates: ", rotates: [nope]", want: `there is no action "nope"`}, {rotates: ", rotates: [\"p.*\"]"},
		{action: `{name: x, match: {method: GET, path: "/o*"}}`, want: `action "x" is also the logout GET /out`}, {action: `{name: x, login: true, match: {path: /out}}`}, {action: `{name: x, match: {method: POST, path: "/o*", only: []}}`},
		{action: `{name: x, websocket: true, match: {method: GET, path: /x}, messages: [{name: m.a, match: {json: {type: inviteUser}}}]}`, want: `message "m.a" is told by "invite"`}, {action: `{name: x, websocket: true, match: {method: GET, path: /x}, messages: [{name: m.a, privileged: true, match: {json: {type: inviteUser}}}]}`},
		{action: `{name: x, match: {method: POST, path: /x, form: {a: b}, json: {a: b}, only: []}}`, want: `action "x" never matches: no body`}, {action: `{name: x, match: {method: GET, path: "/x?a=b"}}`, want: `action "x" never matches: "?"`},
		{action: `{name: x, match: {method: GET, path: "/x%20y"}}`, want: `action "x" never matches: "%20"`}, {action: `{name: x, match: {method: GET, path: "/50%"}}`}, {action: `{name: x, safe: true, match: {method: DELETE, path: /x}}`, want: `action "x" is safe and deletes`},
		{action: `{name: x, websocket: true, match: {method: GET, path: /x}, messages: [{name: m.a, match: {json: {a: b}}}, {name: m.b, match: {text: ping}}]}`, want: `message "m.b" can never be reached: it is not JSON`},
		{action: `{name: x, websocket: true, match: {method: GET, path: /x}, messages: [{name: m.b, match: {text: ping}}, {name: m.a, match: {json: {a: b}}}]}`},
		{top: `log: {entry: {time: t, user: u}, kinds: [{actions: [p.read], resource: "page/${x}"}]}`, want: `no entry of this kind fits: the resource of "p.read"`}, {top: `log: {entry: {time: t, user: u}, kinds: [{actions: [p.read], resource: "p/${x}"}]}`},
	} {
		lines := []string{"name: a", "hosts: [a.example]", "interim: {reason: r, owner: o, review_by: 2099-06-30}", fmt.Sprintf(login, cmp.Or(c.ended, "{status: 401}"), c.rotates)}
		lines = append(lines, c.top, "actions:", `  - {name: p.read, match: {method: GET, path: "/p/{id}"}, resource: "p/{id}"}`)
		if c.action != "" {
			lines = append(lines, "  - "+c.action)
		}
		var got []string
		for _, p := range Advise([]Source{{Name: "a.yaml", Text: []byte(strings.Join(lines, "\n"))}}) {
			got = append(got, p.Error())
		}
		all := strings.Join(got, "\n")
		if c.want == "" && len(got) > 0 && !strings.Contains(all, "writes and has no only") {
			t.Errorf("%+v: got %s, want no advice", c, all)
		}
		if !strings.Contains(all, c.want) {
			t.Errorf("%+v: got %s, want %s", c, all, c.want)
		}
	}
}

func TestNoAdviceOnWhatShips(t *testing.T) {
	var own []Source
	for _, src := range LibrarySources() {
		name := strings.TrimSuffix(strings.TrimPrefix(src.Name, "library/"), ".yaml")
		text := strings.Replace(string(src.Text), "\nname: ", "\n"+strings.Replace(hostsAndInterim, "HOST", name+".example", 1)+"name: ", 1)
		own = append(own, Source{Name: src.Name, Text: []byte(text)})
	}
	for _, path := range examples(t) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		own = append(own, Source{Name: path, Text: []byte(strings.ReplaceAll(string(text), "SSO_HOST", "sso.acme.example"))})
	}
	for _, p := range Advise(own) {
		t.Error(p)
	}
}
