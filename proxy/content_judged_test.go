package proxy

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/byline-proxy/byline/proxy/identity"
	"github.com/byline-proxy/byline/proxy/vault"
)

// contentAdapter names everything and looks at nothing.
const contentAdapter = `
name: content
interim: {reason: test, owner: secops@acme.example, review_by: 2099-01-01}
hosts: [example.com]
upstream: {url: %q}
login:
  kind: form
  steps: [{post: /login, form: {user: "${username}", pass: "${password}"}}]
  success: {status: 200}
actions:
  - {name: file, verbatim: true, match: {method: PUT, path: "/files/{path...}"}, resource: "file/{path}"}
  - {name: any, match: {path: "/any/**"}, resource: any}
`

// newContentTest starts an application that records what it receives, and an agent of it.
func newContentTest(t *testing.T) *bodyTest {
	t.Helper()
	app := newBodyApp(t)
	server := startServer(t, t.TempDir(), loadRules(t, fmt.Sprintf(contentAdapter, app.URL)), func(o *Options) {
		putAccount(t, o.Vault.(*vault.File), "content", "agent-01", passwordAccount)
	})
	client, _ := server.newAgent(t, identity.Spec{
		Agent: "agent/content", Sponsor: "alice@acme.example", Purpose: "INC-8",
		Scope: []identity.ScopeEntry{{Adapter: "content", Actions: []string{"*"}}},
	})
	b := &bodyTest{t, app, server, client}
	if status, answer := b.send("GET", "/any/start", "", nil); status != http.StatusOK {
		t.Fatalf("got %d %s, want 200", status, answer)
	}
	app.take() // the login
	return b
}

// TestI2ContentIsJudgedWhateverItsType sends logins and credentials in bodies that no action reads, held and in chunks.
func TestI2ContentIsJudgedWhateverItsType(t *testing.T) {
	b := newContentTest(t)
	pad := strings.Repeat("abcdefgh\n", 20_000)
	var broken []receivedBody

	for pass, isChunked := range []bool{false, false, true} { // what is held comes first
		for _, contentType := range []string{"", "text/plain", "application/octet-stream", "image/png", "application/x-json", "multipart/mixed; boundary=b"} {
			for _, c := range []struct {
				content string
				want    Code
			}{
				{`{"user":"alice","pass":"x"}`, LoginByAgent}, {"user=alice&pass=x", LoginByAgent}, {`{"access_token":"abc"}`, CredentialInBody},
				{"<pass>x</pass>", LoginByAgent}, {"user: alice\npass: x\n", LoginByAgent}, {"a=" + pad + "&pass=x", LoginByAgent}, {`{"a":"` + pad + `","pass":"x"}`, LoginByAgent},
				{"--b\r\nContent-Disposition: form-data; name=pass\r\n\r\nx\r\n--b--\r\n", LoginByAgent},
			} {
				if strings.HasPrefix(contentType, "multipart/") != strings.HasPrefix(c.content, "--b") {
					continue
				}
				isHeld := !isChunked && len(c.content) <= maxJudgedAtOnce
				if isHeld != (pass == 0) {
					continue
				}
				var content io.Reader = strings.NewReader(c.content)
				if isChunked {
					content = io.MultiReader(content)
				}
				status, answer := b.send("POST", "/any/x", contentType, content)
				if !hasCode(answer, c.want) {
					t.Errorf("%q %.40q, in chunks %v: got %d %.300s, want the refusal %s", contentType, c.content, isChunked, status, answer, c.want)
				}
				if got := b.app.take(); isHeld && len(got) > 0 {
					t.Errorf("%q %.40q: %d requests arrived, want none", contentType, c.content, len(got))
				} else {
					broken = append(broken, got...)
				}
			}
		}
	}
	for _, got := range append(broken, b.app.take()...) {
		if got.err == nil || strings.Contains(string(got.body), "pass") || strings.Contains(string(got.body), "access_token") {
			t.Errorf("%.100q arrived (error %v), want no part of it", got.body, got.err)
		}
	}
}

// TestI2ContentArrivesAsItWasSent is about bodies in which nothing is found, and about those of an action that takes
// files.
func TestI2ContentArrivesAsItWasSent(t *testing.T) {
	b := newContentTest(t)
	large := strings.Repeat("All work and no play makes Jack a dull boy.\n", 100_000)

	for _, c := range []struct{ method, target, contentType, content string }{
		{"PUT", "/any/a.txt", "text/plain", "some text\n"}, {"PUT", "/any/a.txt", "", large}, {"POST", "/any/x", "application/octet-stream", "\x00\x01\xff"},
		{"PUT", "/files/config.yaml", "application/x-yaml", "user: app\npass: x\n"}, {"PUT", "/files/a/config.json", "application/json", "{ \"pass\" : \"x\" }\n"},
		{"PUT", "/any/package.json", "", "{\n  \"name\": \"app\"\n}\n"},
	} {
		for _, isChunked := range []bool{false, true} {
			var content io.Reader = strings.NewReader(c.content)
			if isChunked {
				content = io.MultiReader(content)
			}
			status, answer := b.send(c.method, c.target, c.contentType, content)
			got := b.app.take()
			if status != http.StatusOK || len(got) != 1 || string(got[0].body) != c.content || got[0].contentType != c.contentType {
				t.Errorf("%s %s, in chunks %v: got %d %.300s and %d requests arrived; want the body as it was sent", c.method, c.target, isChunked, status, answer, len(got))
			}
		}
	}
}
