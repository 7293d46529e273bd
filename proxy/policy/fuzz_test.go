package policy

import (
	"slices"
	"strings"
	"testing"

	"github.com/cedar-policy/cedar-go/types"
)

// FuzzParse: any bytes are policies or problems with a place, and what was
// taken decides without a panic and without permitting what no scope permits.
func FuzzParse(f *testing.F) {
	f.Add([]byte(builtin))
	f.Add([]byte(`@id("a") forbid (principal, action == Action::"mediawiki:page.edit", resource) when { context.hour < 8 };`))
	f.Add([]byte("permit (principal, action, resource);\n\"\\"))
	f.Add([]byte("forbid (principal, action in [Action::\"a:*\"], resource is Resource in Adapter::\"a\") unless { context == {} }; // \""))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := Parse([]Source{{"f.cedar", text}}, nil)
		if (s == nil) == (err == nil) {
			t.Fatalf("set %v with error %v", s, err)
		}
		if err != nil {
			for _, p := range err.(Problems) {
				if p.Line < 1 || p.Line > 1+strings.Count(string(text), "\n") || p.Text == "" {
					t.Fatalf("a problem without its place: %v", p)
				}
			}
			return
		}
		if d := s.Narrow(alice, nil).Decide(edit()); d.Effect != Deny {
			t.Fatal("permitted without a scope")
		}
		s.Narrow(alice, pages).Decide(edit())
	})
}

// FuzzDecide holds Decide against a matcher that is too simple to be wrong.
func FuzzDecide(f *testing.F) {
	f.Add("page.edit", "page/*", "page.edit", "page/Sandbox", "page.delete", "*/Main", false)
	f.Add("page.*", "", "page.read", "", "page.read", "", true)
	f.Add("*", "a*b*", "account.login", "a\xffb", "x", "*", false)
	f.Fuzz(func(t *testing.T, granted, resources, action, resource, forbidden, pattern string, privileged bool) {
		if strings.ContainsAny(forbidden, "*") || forbidden == "" {
			t.Skip()
		}
		head := `forbid (principal, action == Action::` + quote("mediawiki:"+forbidden) + `, resource);`
		cond := `forbid (principal, action, resource) when { resource.name like ` + like(pattern) + ` && context.hour == 12 };`
		s, err := Parse([]Source{{"f.cedar", []byte(head + "\n" + cond)}}, nil)
		if err != nil {
			t.Skip() // not every string can be written in Cedar
		}
		scope := ScopeEntry{Adapter: "mediawiki", Actions: []string{granted}}
		if resources != "" {
			scope.Resources = []string{resources}
		}
		q := edit()
		q.Action, q.Resource, q.Privileged = action, resource, privileged
		want := ""
		switch {
		case action == "" || strings.Contains(action, "*"),
			granted != action && (privileged || !glob(granted, action)),
			resources != "" && !glob(resources, resource):
			want = OutOfScope
		case action == forbidden, glob(pattern, resource), action == "login", strings.HasSuffix(action, ".login"):
			want = PolicyDenied
		}
		g := s.Narrow(alice, []ScopeEntry{scope})
		for range 2 {
			if d := g.Decide(q); d.Code != want || (d.Effect == Permit) != (want == "") {
				t.Fatalf("%+v, want code %q", d, want)
			}
		}
	})
}

func like(p string) string { return string(pattern(p).MarshalCedar()) }

// glob matches a name against a pattern by trying everything.
func glob(pattern, name string) bool {
	rest, wild := strings.CutPrefix(pattern, "*")
	if !wild {
		return pattern == name || pattern != "" && name != "" && pattern[0] == name[0] && glob(pattern[1:], name[1:])
	}
	for i := range len(name) + 1 {
		if glob(rest, name[i:]) {
			return true
		}
	}
	return false
}

func TestIndexMissesNothing(t *testing.T) {
	s := parse(t, `forbid (principal, action in [Action::"mediawiki:page.read", Action::"mediawiki:page.*"], resource);
forbid (principal, action == Action::"mediawiki:page.edit", resource in Adapter::"mediawiki");
forbid (principal in Sponsor::"bob", action, resource);`)
	p := s.Narrow(alice, pages).plan("mediawiki", "page.edit")
	var ids []string
	for id := range p.all.All() {
		ids = append(ids, string(id))
	}
	if want := []string{"scope[0]", "own.cedar#1", "own.cedar#2"}; !slices.Equal(ids, want) {
		t.Fatalf("meets %v, want %v", ids, want)
	}
	for range p.all.All() {
		break // who asks for one gets one
	}
	if _, known := (&world{grant: &Grant{}, plan: &plan{}, place: &types.Entity{}}).Get(types.NewEntityUID("Agent", "x")); known {
		t.Fatal("knows an agent that is not there")
	}
}
