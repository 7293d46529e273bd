package adapters

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// probeOf returns a probe of an adapter with that identity, for the account agent-01
// or the given user name.
func probeOf(t *testing.T, identity, username string) *Probe {
	t.Helper()
	a := loadLogin(t, `
  kind: form
  steps: [{post: /login, form: {u: "${username}", p: "${password}"}}]
  success: {status: [302], cookie: app_session}
  identity: `+identity)
	s := &Session{sessionState: &sessionState{scheme: "https", authority: "app.acme.example", username: username}}
	p := a.Probe(s)
	if _, err := p.Step(); err != nil {
		t.Fatal(err)
	}
	return p
}

// A page shows names in many places and spellings, some of them written by others.
func TestI2HostileNamesAreNotTheAccount(t *testing.T) {
	const (
		css    = `{get: /me, css: "#me"}`
		attr   = `{get: /me, css: "input#user", attr: value}`
		js     = `{get: /me, json: user.name}`
		header = `{get: /me, header: X-User}`
		re     = `{get: /me, regexp: '"userName":"([^"]*)"'}`
	)
	htmlType := []Field{{"Content-Type", "text/html; charset=utf-8"}}
	for _, c := range []struct {
		name, identity, username, body string
		fields                         []Field
		want                           Holder
	}{
		{"the account", css, "agent", "<b id=me>agent</b>", nil, HolderAccount},
		{"another name that begins alike", css, "agent", "<b id=me>agent-01</b>", nil, HolderOther},
		{"the beginning of the account's name", css, "agent-01", "<b id=me>agent</b>", nil, HolderOther},
		{"words around it", css, "agent", "<b id=me>Hello agent</b>", nil, HolderOther},
		{"another case", css, "agent", "<b id=me>AGENT</b>", nil, HolderAccount},
		{"the Kelvin sign for K", css, "desk", "<b id=me>des\u212a</b>", nil, HolderOther},
		{"the long s for s", css, "desk", "<b id=me>de\u017fk</b>", nil, HolderOther},
		{"a dotless i", css, "mike", "<b id=me>M\u0131ke</b>", nil, HolderOther},
		{"a Cyrillic a", css, "agent", "<b id=me>\u0430gent</b>", nil, HolderOther},
		{"a zero width space", css, "agent", "<b id=me>ag\u200bent</b>", nil, HolderOther},
		{"an umlaut in another case", css, "älter", "<b id=me>ÄLTER</b>", nil, HolderAccount},
		{"escaped in the page", css, "o'brien & co", "<b id=me>o&#39;brien &amp; co</b>", nil, HolderAccount},
		{"escaped twice", css, "a&b", "<b id=me>a&amp;amp;b</b>", nil, HolderOther},
		{"a name with tags in it", css, "agent", "<b id=me>ag<i>ent</i></b>", nil, HolderAccount},
		{"two places that agree", css, "agent", "<b id=me>agent</b><i id=me>agent</i>", nil, HolderAccount},
		{"both names, the account first", css, "agent", "<b id=me>agent</b><i id=me>alice</i>", nil, HolderNobody},
		{"both names, the account last", css, "agent", "<b id=me>alice</b><i id=me>agent</i>", nil, HolderNobody},
		{"one within the other", css, "agent", "<b id=me>agent<i id=me>alice</i></b>", nil, HolderOther},
		{"in a comment", css, "agent", "<!-- <b id=me>agent</b> --><b id=me>alice</b>", nil, HolderOther},
		{"in a script", css, "agent", "<script>'<b id=me>agent</b>'</script><b id=me>alice</b>", nil, HolderOther},
		{"in a textarea", css, "agent", "<textarea><b id=me>agent</b></textarea><b id=me>alice</b>", nil, HolderOther},
		{"in an attribute", css, "agent", `<a title="<b id=me>agent</b>"></a><b id=me>alice</b>`, nil, HolderOther},
		{"elsewhere on the page", css, "agent", "<h1>agent</h1><b id=me>alice</b>", nil, HolderOther},
		{"elsewhere alone", css, "agent", "<h1>agent</h1>", nil, HolderNobody},

		{"an attribute", attr, "agent", `<input id=user value="agent">`, nil, HolderAccount},
		{"two fields", attr, "agent", `<input id=user value="agent"><input id=user value="alice">`, nil, HolderNobody},
		{"nested fields", attr, "agent", `<input id=user value="agent"><div><input id=user value="alice"></div>`, nil, HolderNobody},

		{"JSON", js, "agent", `{"user":{"name":"agent"}}`, nil, HolderAccount},
		{"the name twice in JSON", js, "agent", `{"user":{"name":"alice"},"user":{"name":"agent"}}`, nil, HolderNobody},
		{"the member twice", js, "agent", `{"user":{"name":"agent","name":"alice"}}`, nil, HolderNobody},
		{"in another member", js, "agent", `{"x":{"user":{"name":"agent"}},"user":{"name":"alice"}}`, nil, HolderOther},
		{"another case of the member", js, "agent", `{"User":{"name":"agent"}}`, nil, HolderNobody},
		{"two JSON values", js, "agent", `{"user":{"name":"agent"}}{"user":{"name":"alice"}}`, nil, HolderNobody},
		{"a list instead of a text", js, "agent", `{"user":{"name":["agent"]}}`, nil, HolderNobody},
		{"an escape", js, "agent", `{"user":{"name":"\u0061gent"}}`, nil, HolderAccount},
		{"a number", js, "7", `{"user":{"name":7}}`, nil, HolderAccount},

		{"a field", header, "agent", "", []Field{{"x-user", "agent"}}, HolderAccount},
		{"two fields that differ", header, "agent", "", []Field{{"X-User", "agent"}, {"X-User", "alice"}}, HolderNobody},

		{"an expression", re, "agent", `{"userName":"agent"}`, nil, HolderAccount},
		{"an expression that fits twice", re, "agent", `{"userName":"agent"},{"userName":"alice"}`, nil, HolderNobody},
		{"escaped where HTML is read", re, "o'brien", `"userName":"o&#39;brien"`, htmlType, HolderAccount},
		{"escaped where it is not", re, "agent", `"userName":"&#97;gent"`, []Field{{"Content-Type", "application/json"}}, HolderOther},
	} {
		p := probeOf(t, c.identity, c.username)
		got := p.Judge(&Reply{Status: 200, Fields: c.fields, Body: []byte(c.body)})
		if got != c.want {
			t.Errorf("%s: %s is judged %d, want %d", c.name, c.body, got, c.want)
		}
	}
}

// Once a page has shown the account's name, names that differ only in case are others.
func TestI2TheSpellingOfThePageCountsAfterTheLogin(t *testing.T) {
	a := loadLogin(t, identityLogin)
	s := sessionAfterLogin(t, a)
	judge := func(s *Session, name string) Holder {
		p := a.Probe(s)
		if _, err := p.Step(); err != nil {
			t.Fatal(err)
		}
		holder := p.Judge(&Reply{Status: 200, Body: []byte("<b id=me>" + name + "</b>")})
		if holder == HolderAccount {
			p.Keep(s)
		}
		return holder
	}
	if got := judge(s, "Agent-01"); got != HolderAccount {
		t.Fatalf("the first name is judged %d, want the account", got)
	}

	stored, err := s.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	restored, err := a.Restore(stored)
	if err != nil {
		t.Fatal(err)
	}
	for what, s := range map[string]*Session{"the session": s, "a copy": s.Copy(), "after a restart": restored} {
		if got := judge(s, "AGENT-01"); got != HolderOther {
			t.Errorf("%s: AGENT-01 is judged %d after Agent-01, want somebody else", what, got)
		}
		if got := judge(s, "Agent-01"); got != HolderAccount {
			t.Errorf("%s: Agent-01 is judged %d, want the account", what, got)
		}
	}
}

// selectInTree is another reader of css selectors: it walks the tree that package html
// parses, and reads the text of nodes.
func selectInTree(page []byte, id string) (found []string) {
	root, err := html.Parse(strings.NewReader(string(page)))
	if err != nil {
		return nil
	}
	var text func(n *html.Node) string
	text = func(n *html.Node) string {
		if n.Type == html.TextNode {
			return n.Data
		}
		var b strings.Builder
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			b.WriteString(text(c))
		}
		return b.String()
	}
	var walk func(n *html.Node)
	walk = func(n *html.Node) {
		for _, attr := range n.Attr {
			if attr.Key == "id" && attr.Val == id {
				found = append(found, joinSpaces(text(n)))
				return
			}
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			walk(c)
		}
	}
	walk(root)
	return found
}

// FuzzNamesInPages: a page in which an author writes anything between well-formed tags
// shows the account's name only if a parser of the whole tree finds that name and no
// other.
func FuzzNamesInPages(f *testing.F) {
	f.Add("agent", "<i>x</i>", "</b>")
	f.Add("alice", "<b id=me>agent</b>", "<!--")
	f.Add("agent", "<textarea><b id=me>", "alice</b>")
	f.Add("&#97;gent", "<svg><b id=me>agent", "<template><b id=me>agent</b></template>")
	f.Add("a", "<p id=me>", "<b id=me/>agent")
	id := &IdentitySpec{Get: "/me", CSS: "#me"}
	f.Fuzz(func(t *testing.T, name, before, after string) {
		page := []byte("<div><p>" + before + "</p><span id=me>" + name + "</span><p>" + after + "</p></div>")
		names, err := readNames(id, &Reply{Status: 200, Body: page})
		if err != nil || len(names) != 1 || names[0] != "agent" {
			return
		}
		for _, other := range selectInTree(page, "me") {
			if other != "agent" && other != "" {
				t.Fatalf("%q is read as %q alone; the tree has %q", page, names, other)
			}
		}
	})
}

// FuzzNamesInJSON: a JSON text names the account only if encoding/json, which keeps the
// last of two members, reads that name too.
func FuzzNamesInJSON(f *testing.F) {
	f.Add(`{"user":{"name":"agent"}}`)
	f.Add(`{"user":{"name":"agent"},"user":null}`)
	f.Add(`[{"user":1}]`)
	f.Add(`{"user":[{"name":"agent"}]}`)
	f.Add(`{"user":{"name":"\ud800agent"}}`)
	id := &IdentitySpec{Get: "/me", JSON: "user.name"}
	f.Fuzz(func(t *testing.T, body string) {
		names, err := readNames(id, &Reply{Status: 200, Body: []byte(body)})
		var v map[string]any
		readable := json.Unmarshal([]byte(body), &v) == nil
		if err != nil || len(names) != 1 || !readable {
			return
		}
		user, _ := v["user"].(map[string]any)
		if name, ok := user["name"].(string); ok && joinSpaces(name) != names[0] && joinSpaces(name) != "" {
			t.Fatalf("%s is read as %q, and by encoding/json as %q", body, names, name)
		}
	})
}

// A session that is sent in the query, in JSON bodies or as the answer to a challenge is
// sent so by probes and logouts, too.
func TestProbesAndLogoutsSendTheWholeSession(t *testing.T) {
	a := loadLogin(t, `
  kind: json
  steps: [{post: /login, json: {u: "${username}", p: "${password}"}, take: {token: {json: token}}, success: {status: [200]}}]
  query: {sid: "${token}"}
  json: {auth.token: "${token}"}
  ended: [{status: 401}]
  identity: {get: "/me?full=1", json: name}
  logout: {steps: [{post: /rpc, json: {method: logout, auth: {}}}, {get: "/bye?sid=${token|query}"}], check: /private}`)
	d := a.Login(account{"username": "agent-01", "password": "canary-password"}, nil)
	d.UseHost("https", "app.acme.example")
	if _, err := d.Next(nil); err != nil {
		t.Fatal(err)
	}
	if step, err := d.Next(&Reply{Status: 200, Body: []byte(`{"token":"canary token/1"}`)}); err != nil || step != nil {
		t.Fatalf("the login goes on with %v, error %v", step, err)
	}
	s := d.Session()

	const token = "canary+token%2F1"
	for what, c := range map[string]struct {
		probe *Probe
		want  string
	}{
		"identity":     {a.Probe(s), "/me?full=1&sid=" + token},
		"logout.check": {a.LogoutProbe(s.Copy()), "/private?sid=" + token},
	} {
		step, err := c.probe.Step()
		if err != nil || step.Path != c.want {
			t.Errorf("%s asks for %q, error %v; want %q", what, step.Path, err, c.want)
		}
	}

	logout := a.Logout(s)
	step, err := logout.Next(nil)
	if err != nil || step.Path != "/rpc?sid="+token || !strings.Contains(string(step.Body), `"token":"canary token/1"`) {
		t.Errorf("the logout sends %s with %s, error %v; want the token in both", step.Path, step.Body, err)
	}
	step, err = logout.Next(&Reply{Status: 200})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Count(step.Path, "sid=") != 1 {
		t.Errorf("the logout sends %s, want the token once", step.Path)
	}
}

func TestSecretsAreMarkedInSteps(t *testing.T) {
	a := loadLogin(t, `
  kind: form
  steps:
    - {get: "/login?u=${username}", take: {csrf: {regexp: "c=(.)"}}}
    - {post: /login, form: {u: "${username}", c: "${csrf}"}}
    - {post: /password, form: {p: "${password}"}}
    - {get: /home}
  success: {status: [200]}`)
	d := a.Login(account{"username": "agent-01", "password": "canary-password"}, nil)
	d.UseHost("https", "app.acme.example")
	var last *Reply
	var proves []bool
	for {
		step, err := d.Next(last)
		if err != nil {
			t.Fatal(err)
		}
		if step == nil {
			break
		}
		proves = append(proves, step.Proves)
		last = &Reply{Status: 200, Body: []byte("c=1")}
	}
	if want := []bool{false, false, true, true}; !slices.Equal(proves, want) {
		t.Errorf("the steps prove who the account is: %v, want %v", proves, want)
	}
	if got := fmt.Sprint(d.Session().landing); got != "/home" {
		t.Errorf("the login leads to %q, want /home", got)
	}
}
