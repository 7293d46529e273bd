package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/byline-proxy/byline/cmd/byline/e2e/testenv"
	"github.com/byline-proxy/byline/proxy/audit"
)

const forbidSponsor = `@id("alice-is-away")
forbid (principal in Sponsor::"alice@acme.test", action, resource in Adapter::"mediawiki");
`

// atHours forbids in those hours of the day, in UTC.
func atHours(hours ...int) string {
	var all []string
	for _, h := range hours {
		all = append(all, fmt.Sprintf("context.hour == %d", (h+24)%24))
	}
	return "@id(\"closed\")\nforbid (principal, action, resource) when { " + strings.Join(all, " || ") + " };\n"
}

const (
	readPage  = "/index.php?title=Sandbox/Rules&action=history"
	otherPage = "/index.php?title=Sandbox/Secret&action=raw"
)

// ground is a running house with an agent in a task, and an open connection.
func ground(t *testing.T, more string) (*testenv.Env, *testenv.Agent) {
	t.Helper()
	app := testenv.MediaWiki(t)
	h := testenv.New(t, more)
	h.AddAdapter(app, "")
	h.AddAccount(app, "Agent-01")
	h.Start()
	return h, h.NewAgent(h.CreateTask(testenv.TaskSpec{Allow: []string{"mediawiki:page.*,page.delete"}}), app, nil)
}

func lastRecord(h *testenv.Env, id string) (found audit.Record) {
	for _, r := range h.Records() {
		if r.ID == id {
			found = r
		}
	}
	return found
}

// A policy that is put down while the server runs bites on the next request,
// also on a connection that is open, and is named in the record.
func TestAPolicyBitesOnTheNextRequest(t *testing.T) {
	h, agent := ground(t, "")
	before := lastRecord(h, agent.Get(readPage).Want(t, 404, "").Record)
	hour := time.Now().UTC().Hour()
	for _, c := range []struct {
		file, text, policy string
		path               string
		denied             bool
	}{
		{"sponsor.cedar", forbidSponsor, "sponsor.cedar#alice-is-away", readPage, true},
		{"hours.cedar", atHours(hour, hour+1), "hours.cedar#closed", readPage, true},
		{"hours.cedar", atHours(hour+12, hour+13), "", readPage, false},
		{"privileged.cedar", "forbid (principal, action, resource) when { context.privileged };", "privileged.cedar#1", "/index.php?title=Sandbox/Rules&action=delete", true},
		{"privileged.cedar", "forbid (principal, action, resource) when { context.privileged };", "", readPage, false},
	} {
		if said := h.Reload(func() { h.WriteFile("policies.d/"+c.file, c.text) }); strings.Contains(said, "not reloaded") {
			t.Fatalf("%s: %s", c.file, said)
		}
		a := agent.Get(c.path)
		if c.denied {
			a.WantRefusal(t, "policy_denied")
		} else {
			a.Want(t, 404, "")
		}
		var r audit.Record
		h.WaitUntil("the record is there", func() bool { r = lastRecord(h, a.Record); return r.ID != "" })
		if c.denied != slices.Contains(r.Decision.Policies, c.policy) || r.PolicyDigest == before.PolicyDigest {
			t.Errorf("%s: decided by %v under %s", c.file, r.Decision, r.PolicyDigest)
		}
		h.Reload(func() { h.RemoveFile("policies.d/" + c.file) })
		back := lastRecord(h, agent.Get(readPage).Want(t, 404, "").Record)
		if back.PolicyDigest != before.PolicyDigest {
			t.Errorf("without %s the policy digest is %s, at first it was %s", c.file, back.PolicyDigest, before.PolicyDigest)
		}
	}
	if n := h.CountLogins("mediawiki"); n != 1 {
		t.Errorf("%d logins: reloading ended the session", n)
	}
}

const secretAction = `actions:
  - {name: page.secret, privileged: true, match: {path: /index.php, query: {title: "Sandbox/Secret"}}, resource: secret}
`

// Adapters, policies and configuration are one set: what has a problem keeps
// all of it out, with every problem and its line in the log, and the set before
// stays in force.
func TestABadSetIsKeptOutAsAWhole(t *testing.T) {
	h, agent := ground(t, "")
	app := testenv.MediaWiki(t)
	good := func() {
		agent.Get(readPage).Want(t, 404, "")
		agent.Get(otherPage).Want(t, 404, "")
	}
	good()
	// A stricter adapter and a policy that forbids, of which one is broken at a time.
	for name, c := range map[string]struct {
		adapter, policy, config string
		problems                []string
	}{
		"policy":           {secretAction, "forbid (principal, action, resource) when { context.hours > 3 };", "", []string{"bad.cedar:1"}},
		"adapter":          {"nonsense: 1\n" + secretAction + "pin: [User-Agent, User-Agent, \"no header\"]", forbidSponsor, "", []string{"mediawiki.yaml:6", "nonsense"}},
		"both":             {"nonsense: 1", "forbid (principal", "", []string{"mediawiki.yaml:6", "bad.cedar:1"}},
		"configuration":    {secretAction, forbidSponsor, "pass_thru: [files.acme.test]", []string{"byline.yaml", "pass_thru"}},
		"host in two ways": {secretAction, forbidSponsor, "pass_through: [wiki.acme.test]", []string{"pass_through: wiki.acme.test"}},
	} {
		t.Run(name, func(t *testing.T) {
			said := h.Reload(func() {
				h.AddAdapter(app, c.adapter)
				h.WriteFile("policies.d/bad.cedar", c.policy)
				h.Configure(c.config)
			})
			if !strings.Contains(said, "not reloaded") {
				t.Errorf("it was taken: %s", said)
			}
			for _, p := range c.problems {
				if !strings.Contains(said, p) {
					t.Errorf("%q is not in the log: %s", p, said)
				}
			}
			good()
			if r := h.Byline("check"); r.Code != 1 {
				t.Errorf("byline check: %s", r)
			}
		})
	}
	// Mended, all of it is taken at once; nobody need ask for it.
	before := len(h.ServerLog())
	h.AddAdapter(app, secretAction)
	h.WriteFile("policies.d/bad.cedar", `forbid (principal, action == Action::"mediawiki:page.history", resource);`)
	h.Configure("")
	if said := h.WaitForReload(before); strings.Contains(said, "not reloaded") {
		t.Fatal(said)
	}
	agent.Get(readPage).WantRefusal(t, "policy_denied")
	agent.Get(otherPage).WantRefusal(t, "out_of_scope")
}

// What a reload cannot change it says; hosts to pass through and adapters come
// and go.
func TestAReloadSaysWhatWaitsForARestart(t *testing.T) {
	h, agent := ground(t, "")
	said := h.Reload(func() { h.Configure("lease: {wait: 3s}\npass_through: [127.0.0.1]") })
	if !strings.Contains(said, "lease.wait") || strings.Contains(said, "pass_through") {
		t.Errorf("the log does not say what takes effect at the next start: %s", said)
	}
	agent.Get(readPage).Want(t, 404, "")
	h.Reload(func() { h.RemoveFile("adapters.d/mediawiki.yaml") })
	agent.Get(readPage).WantRefusal(t, "host_not_adapted")
	h.Reload(func() { h.AddAdapter(testenv.MediaWiki(t), "") })
	agent.Get(readPage).Want(t, 404, "")
}

// A login recipe or a password that is mended is used at once by the tasks that
// there are: the pause after failed logins is for what would fail again.
func TestAMendedLoginIsUsedAtOnce(t *testing.T) {
	h, agent := ground(t, "lease: {backoff_min: 10m, backoff_max: 10m}")
	app := testenv.MediaWiki(t)
	h.Reload(func() {
		h.AddAdapter(app, `login: {kind: form, steps: [{post: "/index.php?title=Special:UserLogin", form: {wpName: "${username}", wpPassword: "${password}"}}], success: {status: [302], cookie: "*UserID"}}`)
	})
	agent.Get(readPage).WantRefusal(t, "login_failed")
	h.Reload(func() { h.AddAdapter(app, "") })
	agent.Get(readPage).Want(t, 404, "")

	right := h.AddAccount(app, "Agent-01")
	h.PutAccount("mediawiki", "agent-01", map[string]string{"username": right.User, "password": testenv.NewSecret()})
	app.KillSessions()
	agent.Get(readPage).WantRefusal(t, "login_failed")
	if n := h.CountLogins("mediawiki"); n != 3 {
		t.Errorf("%d logins, want 3", n)
	}
	agent.Get(readPage).WantRefusal(t, "login_failed")
	if n := h.CountLogins("mediawiki"); n != 3 {
		t.Errorf("the pause was not kept: %d logins, want 3", n)
	}
	h.AddAccount(app, "Agent-01")
	agent.Get(readPage).Want(t, 404, "")
}
