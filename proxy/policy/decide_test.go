package policy

import (
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	alice = Subject{Agent: "spiffe://acme.example/agent/triage", Sponsor: "alice@acme.example", Task: "t_1", Purpose: "INC-1234", Grant: "sha256:00"}
	noon  = time.Date(2026, 11, 24, 12, 30, 0, 0, time.UTC) // a Tuesday
	wiki  = &Catalog{Adapters: map[string][]string{"mediawiki": {"page.read", "page.edit", "page.delete", "account.manage", "account.login"}}}
	pages = []ScopeEntry{{Adapter: "mediawiki", Actions: []string{"page.read", "page.edit"}, Resources: []string{"page/Sandbox*"}}}
)

func edit() Request {
	return Request{Adapter: "mediawiki", Action: "page.edit", Resource: "page/Sandbox/1", Method: "POST", Host: "wiki.acme.example", Path: "/index.php", Now: noon}
}

func parse(t testing.TB, text string) *Set {
	t.Helper()
	s, err := Parse([]Source{{"own.cedar", []byte(text)}}, wiki)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestScopePermits(t *testing.T) {
	for _, c := range []struct {
		name  string
		scope []ScopeEntry
		ask   func(*Request)
		want  string // ids that permit; "" is out of scope
	}{
		{"as approved", pages, nil, "scope[0]"},
		{"another resource", pages, func(q *Request) { q.Resource = "page/Main" }, ""},
		{"no resource", pages, func(q *Request) { q.Resource = "" }, ""},
		{"another action", pages, func(q *Request) { q.Action = "page.delete" }, ""},
		{"another adapter", pages, func(q *Request) { q.Adapter = "wordpress" }, ""},
		{"all resources", []ScopeEntry{{Adapter: "mediawiki", Actions: []string{"page.edit"}}}, nil, "scope[0]"},
		{"group", []ScopeEntry{{Adapter: "mediawiki", Actions: []string{"page.*"}}}, nil, "scope[0]"},
		{"everything", []ScopeEntry{{Adapter: "mediawiki", Actions: []string{"*"}}}, nil, "scope[0]"},
		{"second resource pattern", []ScopeEntry{{Adapter: "mediawiki", Actions: []string{"*"}, Resources: []string{"user/*", "*/1"}}}, nil, "scope[0]"},
		{"both entries", []ScopeEntry{pages[0], {Adapter: "mediawiki", Actions: []string{"*"}}}, nil, "scope[0] scope[1]"},
		{"one of two", []ScopeEntry{{Adapter: "mediawiki", Actions: []string{"*"}, Resources: []string{"user/*"}}, pages[0]}, nil, "scope[1]"},
		{"no adapter stands for all", []ScopeEntry{{Adapter: "*", Actions: []string{"*"}}}, nil, ""},
		{"privileged, by wildcard", []ScopeEntry{{Adapter: "mediawiki", Actions: []string{"*", "page.*"}}}, func(q *Request) { q.Privileged = true }, ""},
		{"privileged, by name", []ScopeEntry{{Adapter: "mediawiki", Actions: []string{"*", "page.edit"}}}, func(q *Request) { q.Privileged = true }, "scope[0]"},
		{"no scope", nil, nil, ""},
		{"entry without actions", []ScopeEntry{{Adapter: "mediawiki"}}, nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := edit()
			if c.ask != nil {
				c.ask(&q)
			}
			g := parse(t, "").Narrow(alice, c.scope)
			for range 2 { // the second time from what is kept
				d := g.Decide(q)
				if got := strings.Join(d.Policies, " "); got != c.want || (d.Effect == Permit) != (c.want != "") {
					t.Fatalf("%s by %q (%s), want %q", d.Effect, got, d.Code, c.want)
				}
				if c.want == "" && d.Code != OutOfScope {
					t.Fatalf("code %q", d.Code)
				}
			}
		})
	}
}

func TestPoliciesForbid(t *testing.T) {
	for _, c := range []struct {
		name, policy string
		ask          func(*Request)
		forbids      bool
	}{
		{"everything", `forbid (principal, action, resource);`, nil, true},
		{"the action", `forbid (principal, action == Action::"mediawiki:page.edit", resource);`, nil, true},
		{"another action", `forbid (principal, action == Action::"mediawiki:page.read", resource);`, nil, false},
		{"one of a list", `forbid (principal, action in [Action::"mediawiki:page.read", Action::"mediawiki:page.*"], resource);`, nil, true},
		{"the group", `forbid (principal, action in Action::"mediawiki:page.*", resource);`, nil, true},
		{"the adapter's actions", `forbid (principal, action in Action::"mediawiki:*", resource);`, nil, true},
		{"another group", `forbid (principal, action in Action::"mediawiki:account.*", resource);`, nil, false},
		{"group in a condition", `forbid (principal, action, resource) when { action in Action::"mediawiki:page.*" };`, nil, true},
		{"the agent", `forbid (principal == Agent::"spiffe://acme.example/agent/triage", action, resource);`, nil, true},
		{"another agent", `forbid (principal == Agent::"x", action, resource);`, nil, false},
		{"the sponsor's", `forbid (principal in Sponsor::"alice@acme.example", action, resource);`, nil, true},
		{"the task's", `forbid (principal is Agent in Task::"t_1", action, resource);`, nil, true},
		{"another task's", `forbid (principal is Agent in Task::"t_2", action, resource);`, nil, false},
		{"any agent", `forbid (principal is Agent, action, resource is Resource);`, nil, true},
		{"the adapter", `forbid (principal, action, resource in Adapter::"mediawiki");`, nil, true},
		{"the adapter, by type", `forbid (principal, action, resource is Resource in Adapter::"mediawiki");`, nil, true},
		{"the resource", `forbid (principal, action, resource == Resource::"mediawiki:page/Sandbox/1");`, nil, true},
		{"another resource", `forbid (principal, action, resource == Resource::"mediawiki:page/Sandbox/2");`, nil, false},
		{"what the principal is", `forbid (principal, action, resource) when { principal.purpose like "INC-*" && principal.grant != "" && principal.task == "t_1" };`, nil, true},
		{"what the resource is", `forbid (principal, action, resource) when { resource.adapter == "mediawiki" && resource.name like "*/1" };`, nil, true},
		{"unless", `forbid (principal, action, resource) unless { context.host == "wiki.acme.example" };`, nil, false},
		{"hour", `forbid (principal, action, resource) when { context.hour < 8 };`, nil, false},
		{"hour in another zone", `forbid (principal, action, resource) when { context.hour < 8 };`,
			func(q *Request) { q.Now = time.Date(2026, 11, 24, 23, 0, 0, 0, time.FixedZone("", -8*3600)) }, true},
		{"weekday", `forbid (principal, action, resource) when { ["Sat", "Sun"].contains(context.weekday) };`,
			func(q *Request) { q.Now = noon.AddDate(0, 0, 4) }, true},
		{"after a date", `forbid (principal, action, resource) when { context.now > datetime("2026-11-24T12:00:00Z") };`, nil, true},
		{"who, in the context", `forbid (principal, action, resource) when { context.agent like "spiffe:*" && context.sponsor like "alice@*" };`, nil, true},
		{"method and path", `forbid (principal, action, resource) when { context.method == "POST" && context.path like "/index*" };`, nil, true},
		{"the context has it", `forbid (principal, action, resource) when { context has privileged };`, nil, true},
		{"the whole context", `forbid (principal, action, resource) when { context == context };`, nil, true},
		{"an entity nobody knows", `forbid (principal, action, resource) when { Agent::"x" in Task::"t_1" };`, nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := edit()
			if c.ask != nil {
				c.ask(&q)
			}
			g := parse(t, "@id(\"it\") "+c.policy).Narrow(alice, pages)
			for range 2 {
				d := g.Decide(q)
				if c.forbids != (d.Effect == Deny) || len(d.Errors) > 0 {
					t.Fatalf("%+v", d)
				}
				if c.forbids && (d.Code != PolicyDenied || !slices.Equal(d.Policies, []string{"own.cedar#it"})) {
					t.Fatalf("%+v", d)
				}
			}
		})
	}
}

func TestKeptContextFollowsTheRequest(t *testing.T) {
	g := parse(t, `forbid (principal, action, resource) when { context.hour < 8 || context.method == "PUT" || context.host == "b" };`).Narrow(alice, pages)
	for _, c := range []struct {
		change func(*Request)
		want   Effect
	}{
		{func(*Request) {}, Permit},
		{func(q *Request) { q.Now = noon.Add(-6 * time.Hour) }, Deny},
		{func(*Request) {}, Permit},
		{func(q *Request) { q.Method = "PUT" }, Deny},
		{func(q *Request) { q.Host = "b" }, Deny},
		{func(q *Request) { q.Resource = "page/Sandbox/22" }, Permit},
		{func(q *Request) { q.Resource = "page/Other" }, Deny},
	} {
		q := edit()
		c.change(&q)
		if d := g.Decide(q); d.Effect != c.want {
			t.Fatalf("%+v got %+v", q, d)
		}
	}
}

func TestI7ZeroValuesDeny(t *testing.T) {
	var d Decision
	if d.Effect != Deny || d.Effect.String() != "deny" || Permit.String() != "permit" {
		t.Fatal("the zero decision does not deny")
	}
	all := []ScopeEntry{{Adapter: "mediawiki", Actions: []string{"*", "page.edit"}}}
	s := parse(t, "")
	var none *Set
	var nobody *Grant
	for name, g := range map[string]*Grant{
		"nil grant": nobody, "zero grant": {}, "nil set": none.Narrow(alice, all), "zero set": new(Set).Narrow(alice, all),
		"nobody": s.Narrow(Subject{}, all), "no sponsor": s.Narrow(Subject{Agent: "a", Task: "t"}, all),
		"no task": s.Narrow(Subject{Agent: "a", Sponsor: "s"}, all),
	} {
		if d := g.Decide(edit()); d.Effect != Deny || d.Code != OutOfScope {
			t.Errorf("%s: %+v", name, d)
		}
	}
	g := s.Narrow(alice, all)
	for name, q := range map[string]Request{
		"zero": {}, "no adapter": {Action: "page.edit", Now: noon}, "no action": {Adapter: "mediawiki", Now: noon},
		"no time":            {Adapter: "mediawiki", Action: "page.edit"},
		"a group for action": {Adapter: "mediawiki", Action: "page.*", Now: noon},
		"two names in one":   {Adapter: "mediawiki:page", Action: "edit", Now: noon},
	} {
		if d := g.Decide(q); d.Effect != Deny || d.Code == "" {
			t.Errorf("%s: %+v", name, d)
		}
	}
}

func TestI7AFailingPolicyDenies(t *testing.T) {
	s := parse(t, `@id("overflow") forbid (principal, action, resource) when { context.hour + 9223372036854775807 > 3 && false };`)
	d := s.Narrow(alice, pages).Decide(edit())
	if d.Effect != Deny || d.Code != PolicyDenied || !slices.Equal(d.Policies, []string{"own.cedar#overflow"}) ||
		len(d.Errors) != 1 || !strings.Contains(d.Errors[0], "own.cedar#overflow: ") {
		t.Fatalf("%+v", d)
	}
}

func TestI7NoScopeGrantsALogin(t *testing.T) {
	s := parse(t, "")
	for _, action := range []string{"login", "account.login"} {
		g := s.Narrow(alice, []ScopeEntry{{Adapter: "mediawiki", Actions: []string{"*", action}}})
		d := g.Decide(Request{Adapter: "mediawiki", Action: action, Now: noon})
		if d.Effect != Deny || !slices.Equal(d.Policies, []string{"base#login-never"}) {
			t.Fatalf("%s: %+v", action, d)
		}
	}
}

func TestAllowsIsForReading(t *testing.T) {
	s := parse(t, "")
	two := append(slices.Clone(pages), ScopeEntry{Adapter: "wordpress", Actions: []string{"post.read"}})
	const want = "mediawiki: page.read, page.edit on page/Sandbox*; wordpress: post.read"
	if got := s.Narrow(alice, two).Allows(); got != want {
		t.Fatalf("%q, want %q", got, want)
	}
	var nobody *Grant
	for _, g := range []*Grant{nobody, {}, s.Narrow(alice, nil), s.Narrow(Subject{}, two)} {
		if got := g.Allows(); got != "nothing" {
			t.Fatalf("%q", got)
		}
	}
}

func TestScopeShapesAreAsDocumented(t *testing.T) {
	g := parse(t, "").Narrow(alice, []ScopeEntry{{Adapter: "mediawiki", Actions: []string{"page.edit", "page.*"}, Resources: []string{"page/Sandbox*"}}})
	flat := func(s string) string { return strings.Join(strings.Fields(strings.ReplaceAll(s, "//", " ")), "") }
	for _, action := range []string{"page.edit", "page.read"} {
		text := string(g.plan("mediawiki", action).all[0].policy.MarshalCedar())
		if !strings.Contains(flat(builtin), flat(text)) {
			t.Errorf("base.cedar does not show\n%s", text)
		}
	}
}

func TestPlansAreBounded(t *testing.T) {
	g := parse(t, "").Narrow(alice, pages)
	for i := range maxPlans + 10 {
		g.Decide(Request{Adapter: "mediawiki", Action: strings.Repeat("a", i+1), Now: noon})
	}
	if n := len(*g.plans.Load()); n > maxPlans+1 {
		t.Fatalf("%d plans are kept", n)
	}
}

func TestConfig(t *testing.T) {
	var c Config
	if len(c.Check()) != 1 {
		t.Fatal("an empty dir was accepted")
	}
	c.SetDefaults()
	if c.Dir != "policies.d" || len(c.Check()) != 0 {
		t.Fatalf("%+v", c)
	}
}
