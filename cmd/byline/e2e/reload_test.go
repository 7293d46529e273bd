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

// Requests that the agent of startWikiAgent may send. Both pages do not exist,
// so MediaWiki answers 404.
const (
	pageHistory = "/index.php?title=Sandbox/Rules&action=history"
	secretPage  = "/index.php?title=Sandbox/Secret&action=raw"
	deletePage  = "/index.php?title=Sandbox/Rules&action=delete"
)

const forbidSponsor = `@id("alice-is-away")
forbid (principal in Sponsor::"alice@acme.test", action, resource in Adapter::"mediawiki");
`

const forbidPrivileged = "forbid (principal, action, resource) when { context.privileged };"

// forbidHours returns a policy that forbids everything in those hours of the
// day, UTC.
func forbidHours(hours ...int) string {
	var conditions []string
	for _, h := range hours {
		conditions = append(conditions, fmt.Sprintf("context.hour == %d", (h+24)%24))
	}
	return "@id(\"closed\")\nforbid (principal, action, resource) when { " + strings.Join(conditions, " || ") + " };\n"
}

// startWikiAgent starts an installation for MediaWiki and returns an agent of a
// task that may use its pages.
func startWikiAgent(t *testing.T, config string) (*testenv.Env, *testenv.Agent) {
	t.Helper()
	app := testenv.MediaWiki(t)
	env := startEnv(t, app, config, "Agent-01")
	task := env.CreateTask(testenv.TaskSpec{Allow: []string{"mediawiki:page.*,page.delete"}})
	return env, env.NewAgent(task, app, nil)
}

// recordByID returns the last record with that ID, or a zero record.
func recordByID(env *testenv.Env, id string) audit.Record {
	var found audit.Record
	for _, r := range env.Records() {
		if r.ID == id {
			found = r
		}
	}
	return found
}

// TestPolicyAppliesToNextRequest adds and removes policies while the server
// runs. They apply to the next request on an open connection and are named in
// its record.
func TestPolicyAppliesToNextRequest(t *testing.T) {
	env, agent := startWikiAgent(t, "")
	before := recordByID(env, agent.Get(pageHistory).Want(t, 404, "").Record)
	hour := time.Now().UTC().Hour()
	for _, c := range []struct {
		file, text string
		path       string // of the request
		denied     bool
		policy     string // that denies it
	}{
		{"sponsor.cedar", forbidSponsor, pageHistory, true, "sponsor.cedar#alice-is-away"},
		{"hours.cedar", forbidHours(hour, hour+1), pageHistory, true, "hours.cedar#closed"},
		{"hours.cedar", forbidHours(hour+12, hour+13), pageHistory, false, ""},
		{"privileged.cedar", forbidPrivileged, deletePage, true, "privileged.cedar#1"},
		{"privileged.cedar", forbidPrivileged, pageHistory, false, ""},
	} {
		logged := env.Reload(func() { env.WriteFile("policies.d/"+c.file, c.text) })
		if strings.Contains(logged, "not reloaded") {
			t.Fatalf("%s was not reloaded: %s", c.file, logged)
		}

		answer := agent.Get(c.path)
		if c.denied {
			answer.WantRefusal(t, "policy_denied")
		} else {
			answer.Want(t, 404, "")
		}
		var r audit.Record
		env.WaitUntil("the record is written", func() bool {
			r = recordByID(env, answer.Record)
			return r.ID != ""
		})
		if c.denied != slices.Contains(r.Decision.Policies, c.policy) {
			t.Errorf("%s: GET %s was decided by %v; want denied %v by %q", c.file, c.path, r.Decision, c.denied, c.policy)
		}
		if r.PolicyDigest == before.PolicyDigest {
			t.Errorf("%s: the policy digest is the same with and without it: %s", c.file, r.PolicyDigest)
		}

		env.Reload(func() { env.RemoveFile("policies.d/" + c.file) })
		after := recordByID(env, agent.Get(pageHistory).Want(t, 404, "").Record)
		if after.PolicyDigest != before.PolicyDigest {
			t.Errorf("the policy digest is %s after %s was removed, want %s as before", after.PolicyDigest, c.file, before.PolicyDigest)
		}
	}
	if n := env.CountLogins("mediawiki"); n != 1 {
		t.Errorf("%d logins, want 1: a reload must not end the session", n)
	}
}

// privilegedSecretPage adds an action to the adapter that makes secretPage
// privileged.
const privilegedSecretPage = `actions:
  - {name: page.secret, privileged: true, match: {path: /index.php, query: {title: "Sandbox/Secret"}}, resource: secret}
`

// TestReloadRejectsInvalidSetAsAWhole reloads an adapter, a policy and a
// configuration of which one has a problem. None of the three applies, and
// every problem is in the log with its file and line.
func TestReloadRejectsInvalidSetAsAWhole(t *testing.T) {
	env, agent := startWikiAgent(t, "")
	app := testenv.MediaWiki(t)
	checkOldRulesApply := func() {
		agent.Get(pageHistory).Want(t, 404, "")
		agent.Get(secretPage).Want(t, 404, "")
	}
	checkOldRulesApply()

	for name, c := range map[string]struct {
		adapter, policy, config string
		problems                []string // in the log
	}{
		"invalid policy": {
			privilegedSecretPage, "forbid (principal, action, resource) when { context.hours > 3 };", "",
			[]string{"bad.cedar:1"},
		},
		"invalid adapter": {
			"nonsense: 1\n" + privilegedSecretPage + "pin: [User-Agent, User-Agent, \"no header\"]", forbidSponsor, "",
			[]string{"mediawiki.yaml:6", "nonsense"},
		},
		"invalid policy and adapter": {
			"nonsense: 1", "forbid (principal", "",
			[]string{"mediawiki.yaml:6", "bad.cedar:1"},
		},
		"invalid configuration": {
			privilegedSecretPage, forbidSponsor, "pass_thru: [files.acme.test]",
			[]string{"byline.yaml", "pass_thru"},
		},
		"host both intercepted and passed through": {
			privilegedSecretPage, forbidSponsor, "pass_through: [wiki.acme.test]",
			[]string{"pass_through: wiki.acme.test"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			logged := env.Reload(func() {
				env.AddAdapter(app, c.adapter)
				env.WriteFile("policies.d/bad.cedar", c.policy)
				env.Configure(c.config)
			})
			if !strings.Contains(logged, "not reloaded") {
				t.Errorf("the set was reloaded, want it rejected: %s", logged)
			}
			for _, p := range c.problems {
				if !strings.Contains(logged, p) {
					t.Errorf("the log does not name %q: %s", p, logged)
				}
			}
			checkOldRulesApply()
			if r := env.Byline("check"); r.Code != 1 {
				t.Errorf("byline check: want exit 1, got %s", r)
			}
		})
	}

	// The server also reloads a valid set without a signal, all of it at once.
	offset := len(env.ServerLog())
	env.AddAdapter(app, privilegedSecretPage)
	env.WriteFile("policies.d/bad.cedar", `forbid (principal, action == Action::"mediawiki:page.history", resource);`)
	env.Configure("")
	if logged := env.WaitForReload(offset); strings.Contains(logged, "not reloaded") {
		t.Fatalf("the valid set was not reloaded: %s", logged)
	}
	agent.Get(pageHistory).WantRefusal(t, "policy_denied")
	agent.Get(secretPage).WantRefusal(t, "out_of_scope")
}

// TestReloadReportsSettingsThatNeedRestart changes a setting that a reload
// cannot change and one that it can. Then it removes an adapter and adds it
// again.
func TestReloadReportsSettingsThatNeedRestart(t *testing.T) {
	env, agent := startWikiAgent(t, "")
	logged := env.Reload(func() { env.Configure("lease: {wait: 3s}\npass_through: [127.0.0.1]") })
	if !strings.Contains(logged, "lease.wait") || strings.Contains(logged, "pass_through") {
		t.Errorf("the log must say that lease.wait, and not pass_through, takes effect at the next start: %s", logged)
	}
	agent.Get(pageHistory).Want(t, 404, "")

	env.Reload(func() { env.RemoveFile("adapters.d/mediawiki.yaml") })
	agent.Get(pageHistory).WantRefusal(t, "host_not_adapted")
	env.Reload(func() { env.AddAdapter(testenv.MediaWiki(t), "") })
	agent.Get(pageHistory).Want(t, 404, "")
}

// wrongLogin is a login recipe that MediaWiki rejects: it sends no token.
const wrongLogin = `login: {kind: form, steps: [{post: "/index.php?title=Special:UserLogin", form: {wpName: "${username}", wpPassword: "${password}"}}], success: {status: [302], cookie: "*UserID"}}`

// TestFixedLoginIsUsedImmediately fixes a login recipe, then a password. Each
// applies to the next request of a running task, although failed logins are
// otherwise followed by a pause.
func TestFixedLoginIsUsedImmediately(t *testing.T) {
	env, agent := startWikiAgent(t, "lease: {backoff_min: 10m, backoff_max: 10m}")
	app := testenv.MediaWiki(t)
	env.Reload(func() { env.AddAdapter(app, wrongLogin) })
	agent.Get(pageHistory).WantRefusal(t, "login_failed")
	env.Reload(func() { env.AddAdapter(app, "") })
	agent.Get(pageHistory).Want(t, 404, "")

	right := env.AddAccount(app, "Agent-01")
	env.PutAccount("mediawiki", "agent-01", map[string]string{"username": right.User, "password": testenv.NewSecret()})
	app.KillSessions()
	agent.Get(pageHistory).WantRefusal(t, "login_failed")
	if n := env.CountLogins("mediawiki"); n != 3 {
		t.Errorf("%d logins after the wrong password, want 3", n)
	}
	agent.Get(pageHistory).WantRefusal(t, "login_failed")
	if n := env.CountLogins("mediawiki"); n != 3 {
		t.Errorf("%d logins after a second request, want still 3: there must be a pause", n)
	}
	env.AddAccount(app, "Agent-01")
	agent.Get(pageHistory).Want(t, 404, "")
}
