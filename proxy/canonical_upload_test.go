package proxy

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/byline-proxy/byline/proxy/identity"
	"github.com/byline-proxy/byline/proxy/vault"
)

// uploadAdapter logs in at the path of everything else.
const uploadAdapter = `
name: uploads
interim: {reason: test, owner: secops@acme.example, review_by: 2099-01-01}
hosts: [example.com]
upstream: {url: %q}
cookies: {hold: [sid]}
login:
  kind: form
  steps: [{post: "/index?do=login", form: {user: "${username}", pass: "${password}"}}]
  success: {status: [302], cookie: sid}
  ended: [{status: 401}]
actions:
  - {name: file.put, safe: true, match: {method: POST, path: /index, query: {do: upload}}, resource: file}
`

// TestI11LoginRuleDoesNotHoldUploads: a login at the same path neither bounds an
// upload nor makes it wait, and a form with a login after its file is broken off. A
// form that is held is sent again after the session was renewed.
func TestI11LoginRuleDoesNotHoldUploads(t *testing.T) {
	var logins, ended atomic.Int32
	var last atomic.Value
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("do") == "login" {
			logins.Add(1)
			http.SetCookie(w, &http.Cookie{Name: "sid", Value: canarySession, Path: "/"})
			http.Redirect(w, r, "/", http.StatusFound)
			return
		}
		n, err := io.Copy(io.Discard, r.Body)
		if ended.CompareAndSwap(1, 0) {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		last.Store(fmt.Sprintf("%v, length %v", err == nil, r.ContentLength == n))
	}))
	t.Cleanup(app.Close)

	server := startServer(t, t.TempDir(), loadRules(t, fmt.Sprintf(uploadAdapter, app.URL)), func(o *Options) {
		putAccount(t, o.Vault.(*vault.File), "uploads", "agent-01", passwordAccount)
		o.SpoolDir = "/nonexistent" // a form that waits on disk fails
	})
	client, _ := server.newAgent(t, identity.Spec{
		Agent: "agent/uploads", Sponsor: "alice@acme.example", Purpose: "INC-9",
		Scope: []identity.ScopeEntry{{Adapter: "uploads", Actions: []string{"*"}}},
	})
	b := &bodyTest{T: t, server: server, client: client}

	const whole = "true, length true"
	long := strings.Repeat("b", 32)
	send := func(before string, n int64, after string) (int, string) {
		content, _ := upload(before, n, after)
		text, err := io.ReadAll(content)
		if err != nil {
			t.Fatal(err)
		}
		form := strings.NewReplacer("--b\r\n", "--"+long+"\r\n", "--b--\r\n", "--"+long+"--\r\n").Replace(string(text))
		return b.send("POST", "/index?do=upload", "multipart/form-data; boundary="+long, strings.NewReader(form))
	}

	if status, answer := send(part(`form-data; name="note"`, "n"), 9<<20, part(`form-data; name="csrf_token"`, "t")); status != http.StatusOK || last.Load() != whole {
		t.Errorf("an upload of 9 MiB: got %d %.300s, arrived %v", status, answer, last.Load())
	}
	last.Store("")
	if _, answer := send("", 1<<20, part(`form-data; name="do"`, "login")); !hasCode(answer, AmbiguousRequest) || last.Load() == whole {
		t.Errorf("a login after the file: got %.300s, arrived %v; want the refusal ambiguous_request", answer, last.Load())
	}
	if _, answer := send(part(`form-data; name="do"`, "login"), 1<<20, ""); !hasCode(answer, AmbiguousRequest) && !hasCode(answer, LoginByAgent) {
		t.Errorf("a login before the file: got %.300s, want a refusal", answer)
	}

	before := logins.Load()
	ended.Store(1)
	if status, answer := send(part(`form-data; name="note"`, "n"), 1000, ""); status != http.StatusOK || last.Load() != whole || logins.Load() != before+1 {
		t.Errorf("a short form after the session ended: got %d %.300s, arrived %v, %d logins", status, answer, last.Load(), logins.Load()-before)
	}
	ended.Store(1)
	if _, answer := send("", 1<<20, ""); !hasCode(answer, RenewNotReplayable) {
		t.Errorf("a long form after the session ended: got %.300s, want the refusal renew_not_replayable", answer)
	}
}

// TestI11UploadIsBrokenOffOverHTTP2: an application that speaks HTTP/2 does not get
// the whole request either.
func TestI11UploadIsBrokenOffOverHTTP2(t *testing.T) {
	var whole atomic.Int32
	app := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err == nil {
			whole.Add(1)
		}
	}))
	app.EnableHTTP2 = true
	app.StartTLS()
	t.Cleanup(app.Close)
	adapter := strings.Replace(fmt.Sprintf(bodyAdapter, app.URL), "}\nlogin", fmt.Sprintf(", ca: %q, protocol: h2}\nlogin", writeCertificate(t, app)), 1)
	server := startServer(t, t.TempDir(), loadRules(t, adapter), func(o *Options) {
		putAccount(t, o.Vault.(*vault.File), "bodies", "agent-01", passwordAccount)
	})
	client, _ := server.newAgent(t, identity.Spec{
		Agent: "agent/bodies", Sponsor: "alice@acme.example", Purpose: "INC-8",
		Scope: []identity.ScopeEntry{{Adapter: "bodies", Actions: []string{"*"}}},
	})
	b := &bodyTest{T: t, server: server, client: client}

	id := part(`form-data; name="id"`, "7")
	for _, c := range []struct {
		after string
		want  int32
	}{{"", 1}, {part(`form-data; name="id"`, "8"), 0}} {
		whole.Store(0)
		content, _ := upload(id, 3<<20, c.after)
		text, err := io.ReadAll(content)
		if err != nil {
			t.Fatal(err)
		}
		long := strings.Repeat("b", 32)
		form := strings.NewReplacer("--b\r\n", "--"+long+"\r\n", "--b--\r\n", "--"+long+"--\r\n").Replace(string(text))
		status, answer := b.send("POST", "/free", "multipart/form-data; boundary="+long, strings.NewReader(form))
		if (status == http.StatusOK) != (c.want == 1) || whole.Load() != c.want {
			t.Errorf("with %q after the file: got %d %.300s, %d whole requests arrived, want %d", c.after, status, answer, whole.Load(), c.want)
		}
	}
}
