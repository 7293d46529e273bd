package policy

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cedar-policy/cedar-go/types"
)

var (
	alice = Subject{Agent: "spiffe://acme.example/agent/triage", Sponsor: "alice@acme.example", Task: "t_1", Purpose: "INC-1234", Grant: "sha256:00"}
	noon  = time.Date(2026, 11, 24, 12, 30, 0, 0, time.UTC) // a Tuesday
	wiki  = &Catalog{Adapters: map[string][]string{
		"mediawiki": {"page.read", "page.edit", "page.delete", "account.manage", "account.login"},
	}}
	pageScope = []ScopeEntry{{Adapter: "mediawiki", Actions: []string{"page.read", "page.edit"}, Resources: []string{"page/Sandbox*"}}}
)

// editRequest is a request that pageScope permits.
func editRequest() Request {
	return Request{
		Adapter:  "mediawiki",
		Action:   "page.edit",
		Resource: "page/Sandbox/1",
		Method:   "POST",
		Host:     "wiki.acme.example",
		Path:     "/index.php",
		Now:      noon,
	}
}

func parseOwn(t testing.TB, text string) *Set {
	t.Helper()
	s, err := Parse([]File{{"own.cedar", []byte(text)}}, wiki)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestScopePermits(t *testing.T) {
	for _, c := range []struct {
		name   string
		scope  []ScopeEntry
		change func(*Request)
		want   string // ids that permit; "": out of scope
	}{
		{"as approved", pageScope, nil, "scope[0]"},
		{"another resource", pageScope, func(q *Request) { q.Resource = "page/Main" }, ""},
		{"no resource", pageScope, func(q *Request) { q.Resource = "" }, ""},
		{"another action", pageScope, func(q *Request) { q.Action = "page.delete" }, ""},
		{"another adapter", pageScope, func(q *Request) { q.Adapter = "wordpress" }, ""},
		{"all resources", []ScopeEntry{{Adapter: "mediawiki", Actions: []string{"page.edit"}}}, nil, "scope[0]"},
		{"group", []ScopeEntry{{Adapter: "mediawiki", Actions: []string{"page.*"}}}, nil, "scope[0]"},
		{"everything", []ScopeEntry{{Adapter: "mediawiki", Actions: []string{"*"}}}, nil, "scope[0]"},
		{"second resource pattern", []ScopeEntry{{Adapter: "mediawiki", Actions: []string{"*"}, Resources: []string{"user/*", "*/1"}}}, nil, "scope[0]"},
		{"both entries", []ScopeEntry{pageScope[0], {Adapter: "mediawiki", Actions: []string{"*"}}}, nil, "scope[0] scope[1]"},
		{"one of two", []ScopeEntry{{Adapter: "mediawiki", Actions: []string{"*"}, Resources: []string{"user/*"}}, pageScope[0]}, nil, "scope[1]"},
		{"a wildcard for the adapter", []ScopeEntry{{Adapter: "*", Actions: []string{"*"}}}, nil, ""},
		{"privileged, by wildcard", []ScopeEntry{{Adapter: "mediawiki", Actions: []string{"*", "page.*"}}}, func(q *Request) { q.Privileged = true }, ""},
		{"privileged, by name", []ScopeEntry{{Adapter: "mediawiki", Actions: []string{"*", "page.edit"}}}, func(q *Request) { q.Privileged = true }, "scope[0]"},
		{"no scope", nil, nil, ""},
		{"entry without actions", []ScopeEntry{{Adapter: "mediawiki"}}, nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := editRequest()
			if c.change != nil {
				c.change(&q)
			}
			g := parseOwn(t, "").Narrow(alice, c.scope)
			for range 2 { // the second time from the cache
				d := g.Decide(q)
				got := strings.Join(d.Policies, " ")
				if got != c.want || (d.Effect == Permit) != (c.want != "") {
					t.Fatalf("%+v: %s by %q (%s), want a permit by %q", q, d.Effect, got, d.Code, c.want)
				}
				if c.want == "" && d.Code != OutOfScope {
					t.Fatalf("%+v: code %q, want %q", q, d.Code, OutOfScope)
				}
			}
		})
	}
}

func TestPoliciesForbid(t *testing.T) {
	for _, c := range []struct {
		name, policy string
		change       func(*Request)
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
		{"attributes of the principal", `forbid (principal, action, resource) when { principal.purpose like "INC-*" && principal.grant != "" && principal.task == "t_1" };`, nil, true},
		{"attributes of the resource", `forbid (principal, action, resource) when { resource.adapter == "mediawiki" && resource.name like "*/1" };`, nil, true},
		{"unless", `forbid (principal, action, resource) unless { context.host == "wiki.acme.example" };`, nil, false},
		{"hour", `forbid (principal, action, resource) when { context.hour < 8 };`, nil, false},
		{"hour in another zone", `forbid (principal, action, resource) when { context.hour < 8 };`,
			func(q *Request) { q.Now = time.Date(2026, 11, 24, 23, 0, 0, 0, time.FixedZone("", -8*3600)) }, true},
		{"weekday", `forbid (principal, action, resource) when { ["Sat", "Sun"].contains(context.weekday) };`,
			func(q *Request) { q.Now = noon.AddDate(0, 0, 4) }, true},
		{"after a date", `forbid (principal, action, resource) when { context.now > datetime("2026-11-24T12:00:00Z") };`, nil, true},
		{"agent and sponsor in the context", `forbid (principal, action, resource) when { context.agent like "spiffe:*" && context.sponsor like "alice@*" };`, nil, true},
		{"method and path", `forbid (principal, action, resource) when { context.method == "POST" && context.path like "/index*" };`, nil, true},
		{"an attribute that is there", `forbid (principal, action, resource) when { context has privileged };`, nil, true},
		{"the whole context", `forbid (principal, action, resource) when { context == context };`, nil, true},
		{"an unknown entity", `forbid (principal, action, resource) when { Agent::"x" in Task::"t_1" };`, nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := editRequest()
			if c.change != nil {
				c.change(&q)
			}
			g := parseOwn(t, "@id(\"it\") "+c.policy).Narrow(alice, pageScope)
			for range 2 { // the second time from the cache
				d := g.Decide(q)
				if c.forbids != (d.Effect == Deny) || len(d.Errors) > 0 {
					t.Fatalf("%+v: got %+v, want a denial: %v", q, d, c.forbids)
				}
				if c.forbids && (d.Code != PolicyDenied || !slices.Equal(d.Policies, []string{"own.cedar#it"})) {
					t.Fatalf("%+v: got %+v, want %s by own.cedar#it", q, d, PolicyDenied)
				}
			}
		})
	}
}

func TestCachedDecisionsFollowTheRequest(t *testing.T) {
	g := parseOwn(t, `forbid (principal, action, resource) when { context.hour < 8 || context.method == "PUT" || context.host == "b" };`).Narrow(alice, pageScope)
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
		q := editRequest()
		c.change(&q)
		if d := g.Decide(q); d.Effect != c.want {
			t.Fatalf("%+v: got %+v, want %s", q, d, c.want)
		}
	}
}

func TestI7ZeroValuesDeny(t *testing.T) {
	var d Decision
	if d.Effect != Deny || d.Effect.String() != "deny" || Permit.String() != "permit" {
		t.Fatal("the zero decision does not deny")
	}

	everything := []ScopeEntry{{Adapter: "mediawiki", Actions: []string{"*", "page.edit"}}}
	s := parseOwn(t, "")
	var nilSet *Set
	var nilGrant *Grant
	for name, g := range map[string]*Grant{
		"nil grant":  nilGrant,
		"zero grant": {},
		"nil set":    nilSet.Narrow(alice, everything),
		"zero set":   new(Set).Narrow(alice, everything),
		"no subject": s.Narrow(Subject{}, everything),
		"no agent":   s.Narrow(Subject{Sponsor: "s", Task: "t"}, everything),
		"no sponsor": s.Narrow(Subject{Agent: "a", Task: "t"}, everything),
		"no task":    s.Narrow(Subject{Agent: "a", Sponsor: "s"}, everything),
	} {
		if d := g.Decide(editRequest()); d.Effect != Deny || d.Code != OutOfScope {
			t.Errorf("%s: got %+v, want %s", name, d, OutOfScope)
		}
	}

	g := s.Narrow(alice, everything)
	for name, q := range map[string]Request{
		"zero request":      {},
		"no adapter":        {Action: "page.edit", Now: noon},
		"no action":         {Adapter: "mediawiki", Now: noon},
		"no time":           {Adapter: "mediawiki", Action: "page.edit"},
		"a group":           {Adapter: "mediawiki", Action: "page.*", Now: noon},
		"two names in one":  {Adapter: "mediawiki:page", Action: "edit", Now: noon},
		"a group's adapter": {Adapter: "*", Action: "page.edit", Now: noon},
	} {
		if d := g.Decide(q); d.Effect != Deny || d.Code == "" {
			t.Errorf("%s: got %+v, want a denial with a code", name, d)
		}
	}
}

func TestI7AFailingPolicyDenies(t *testing.T) {
	s := parseOwn(t, `@id("overflow") forbid (principal, action, resource) when { context.hour + 9223372036854775807 > 3 && false };`)
	d := s.Narrow(alice, pageScope).Decide(editRequest())
	if d.Effect != Deny || d.Code != PolicyDenied || !slices.Equal(d.Policies, []string{"own.cedar#overflow"}) {
		t.Errorf("got %+v, want %s by own.cedar#overflow", d, PolicyDenied)
	}
	if len(d.Errors) != 1 || !strings.Contains(d.Errors[0], "own.cedar#overflow: ") {
		t.Errorf("errors %q, want one of own.cedar#overflow", d.Errors)
	}
}

func TestI7NoScopeGrantsALogin(t *testing.T) {
	s := parseOwn(t, "")
	for _, action := range []string{"login", "account.login"} {
		g := s.Narrow(alice, []ScopeEntry{{Adapter: "mediawiki", Actions: []string{"*", action}}})
		d := g.Decide(Request{Adapter: "mediawiki", Action: action, Now: noon})
		if d.Effect != Deny || !slices.Equal(d.Policies, []string{"base#login-never"}) {
			t.Errorf("%s: got %+v, want a denial by base#login-never", action, d)
		}
	}
}

func TestAllowsDescribesTheScope(t *testing.T) {
	s := parseOwn(t, "")
	two := append(slices.Clone(pageScope), ScopeEntry{Adapter: "wordpress", Actions: []string{"post.read"}})
	const want = "mediawiki: page.read, page.edit on page/Sandbox*; wordpress: post.read"
	if got := s.Narrow(alice, two).Allows(); got != want {
		t.Errorf("Allows returned %q, want %q", got, want)
	}

	var nilGrant *Grant
	for _, g := range []*Grant{nilGrant, {}, s.Narrow(alice, nil), s.Narrow(Subject{}, two)} {
		if got := g.Allows(); got != "nothing" {
			t.Errorf("Allows returned %q, want nothing", got)
		}
	}
}

// TestScopePermitsAreAsBaseCedarShows compares the permits that scope entries
// become with those in the comment of base.cedar.
func TestScopePermitsAreAsBaseCedarShows(t *testing.T) {
	scope := []ScopeEntry{{Adapter: "mediawiki", Actions: []string{"page.edit", "page.*"}, Resources: []string{"page/Sandbox*"}}}
	g := parseOwn(t, "").Narrow(alice, scope)
	withoutSpace := func(s string) string {
		return strings.Join(strings.Fields(strings.ReplaceAll(s, "//", " ")), "")
	}
	for _, action := range []string{"page.edit", "page.read"} {
		permit := string(g.planFor("mediawiki", action).policies[0].policy.MarshalCedar())
		if !strings.Contains(withoutSpace(builtin), withoutSpace(permit)) {
			t.Errorf("base.cedar does not show the permit of %s:\n%s", action, permit)
		}
	}
}

func TestPlansAreBounded(t *testing.T) {
	g := parseOwn(t, "").Narrow(alice, pageScope)
	for i := range maxPlans + 10 {
		g.Decide(Request{Adapter: "mediawiki", Action: strings.Repeat("a", i+1), Now: noon})
	}
	if n := len(*g.plans.Load()); n > maxPlans+1 {
		t.Errorf("the grant keeps %d plans, want at most %d", n, maxPlans+1)
	}
}

func TestAPlanHasEveryRuleThatCanApply(t *testing.T) {
	s := parseOwn(t, `forbid (principal, action in [Action::"mediawiki:page.read", Action::"mediawiki:page.*"], resource);
forbid (principal, action == Action::"mediawiki:page.edit", resource in Adapter::"mediawiki");
forbid (principal in Sponsor::"bob", action, resource);`)
	p := s.Narrow(alice, pageScope).planFor("mediawiki", "page.edit")

	var ids []string
	for id := range p.policies.All() {
		ids = append(ids, string(id))
	}
	if want := []string{"scope[0]", "own.cedar#1", "own.cedar#2"}; !slices.Equal(ids, want) {
		t.Errorf("the plan has %v, want %v", ids, want)
	}
	for range p.policies.All() {
		break // the iterator may be stopped
	}
}

func TestCedarSeesOnlyTheEntitiesOfTheRequest(t *testing.T) {
	s := &entityStore{grant: &Grant{}, plan: &plan{}, resource: &types.Entity{}}
	if e, ok := s.Get(types.NewEntityUID("Agent", "x")); ok {
		t.Errorf("Get returned %v for an entity that is not in the request", e)
	}
}

func TestConfigNeedsADir(t *testing.T) {
	var c Config
	if problems := c.Check(); len(problems) != 1 {
		t.Errorf("Check of an empty dir returned %v, want one problem", problems)
	}
	c.SetDefaults()
	if problems := c.Check(); c.Dir != "policies.d" || len(problems) != 0 {
		t.Errorf("the default is %+v with problems %v, want policies.d", c, problems)
	}
}
