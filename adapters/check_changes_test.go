package adapters

import (
	"strings"
	"testing"
)

// changesOf returns the changes of an adapter, one a line, each after its topic.
func changesOf(t *testing.T, lists, cookie, actions string) string {
	t.Helper()
	text := strings.NewReplacer("LISTS", lists, "COOKIE", cookie).Replace(securityAdapter) + actions
	all := ChangesFor([]Source{{Name: "a.yaml", Text: []byte(text)}})
	if len(all) != 1 || all[0].Adapter != "a" || all[0].File != "a.yaml" {
		t.Fatalf("%v, want the changes of one adapter", all)
	}
	var b strings.Builder
	for _, c := range all[0].Changes {
		b.WriteString(c.Topic + ": " + c.What + " " + c.Hint + "\n")
	}
	return b.String()
}

func TestAdapterCheckTellsWhatChanges(t *testing.T) {
	const session = ", cookie: sid"
	for _, c := range []struct{ what, lists, actions, want, not string }{
		{"held and passed fields", "headers: {pass: [X-Request-Id]}", `  - {name: x.read, match: {method: GET, path: /x}}`, "of headers.pass (X-Request-Id) go on", "these are held: X-Request-Id"},
		{"held fields", "", `  - {name: x.read, match: {method: GET, path: /x}}`, "these are held: X-Request-Id, X-Correlation-Id", ""},
		{"stripped fields", "headers: {strip: [Prefer]}", `  - {name: x.read, match: {method: GET, path: /x}}`, "X-HTTP-Method-Override", "pass: X-Requested-With, X-CSRF-Token, Destination, If-Match, Prefer"},
		{"bodies", "", `  - {name: x.edit, match: {method: POST, path: /x, form: {do: save}}}`, "bodies: forms, JSON and XML", ""},
		{"bodies that decide", "", `  - {name: x.edit, match: {method: POST, path: /x, only: [a]}}`, "Decided by their bodies: x.edit.", ""},
		{"bodies as they came", "", `  - {name: x.edit, verbatim: true, match: {method: POST, path: /x}}`, "Sent as they came: x.edit.", "credentials: "},
		{"no bodies", "", `  - {name: x.read, match: {method: GET, path: /x}}`, "", "bodies: "},
		{"the login", "", `  - {name: x.read, match: {method: GET, path: /x}}`, "a field of the login (p)", ""},
		{"the login's path", "", `  - {name: x.read, match: {method: GET, path: /x}}`, "every POST, PUT and PATCH to /login,", ""},
		{"WebSockets", "", `  - {name: x.read, match: {method: GET, path: /x}}`, "no action opens one", ""},
		{"a WebSocket", "", `  - {name: x.watch, match: {method: GET, path: /x}, websocket: true}`, "only these actions open one: x.watch.", ""},
		{"the query", "query: {pass: [key]}", `  - {name: x.read, match: {method: GET, path: /x}}`, "These pass: key.", ""},
		{"cookies", "cookies: {pass: [theme]}", `  - {name: x.read, match: {method: GET, path: /x}}`, "Named: theme. In answers, asterisks stand for the values of held cookies that have at least 8 bytes: of each one named sid", ""},
		{"masked cookies", "cookies: {mask: [sid]}", `  - {name: x.read, match: {method: GET, path: /x}}`, "Named: none. In answers the values of these held cookies are masked, and of no others: sid.", "asterisks stand"},
		{"identity", "", `  - {name: x.read, match: {method: GET, path: /x}}`, "identity: nothing says whose a session is", ""},
		{"body.pass", "body: {pass: [token]}", `  - {name: x.edit, match: {method: POST, path: /x}}`, "These pass: token.", ""},
	} {
		got := changesOf(t, c.lists, session, c.actions)
		if !strings.Contains(got, c.want) || c.not != "" && strings.Contains(got, c.not) {
			t.Errorf("%s:\n%s\nwant %s and not %s", c.what, got, c.want, c.not)
		}
	}
	if all := ChangesFor([]Source{{Name: "bad.yaml", Text: []byte("name: x")}}); len(all) != 0 {
		t.Errorf("a file with problems has changes: %v", all)
	}
}
