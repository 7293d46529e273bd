package policy

import (
	"strings"
	"testing"
)

// FuzzParse shows that any bytes are policies or problems with a place, and that
// accepted policies decide without a panic and permit nothing without a scope.
func FuzzParse(f *testing.F) {
	f.Add([]byte(builtin))
	f.Add([]byte(`@id("a") forbid (principal, action == Action::"mediawiki:page.edit", resource) when { context.hour < 8 };`))
	f.Add([]byte("permit (principal, action, resource);\n\"\\"))
	f.Add([]byte("forbid (principal, action in [Action::\"a:*\"], resource is Resource in Adapter::\"a\") unless { context == {} }; // \""))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := Parse([]File{{"f.cedar", text}}, nil)
		if (s == nil) == (err == nil) {
			t.Fatalf("Parse returned set %v and error %v", s, err)
		}
		if err != nil {
			lines := 1 + strings.Count(string(text), "\n")
			for _, p := range err.(Problems) {
				if p.Line < 1 || p.Line > lines || p.Text == "" {
					t.Fatalf("problem %v has no place in %d lines, or no text", p, lines)
				}
			}
			return
		}

		if d := s.Narrow(alice, nil).Decide(editRequest()); d.Effect != Deny {
			t.Fatal("permitted without a scope")
		}
		s.Narrow(alice, pageScope).Decide(editRequest())
	})
}

// FuzzDecide compares Decide with a matcher that is too simple to be wrong.
func FuzzDecide(f *testing.F) {
	f.Add("page.edit", "page/*", "page.edit", "page/Sandbox", "page.delete", "*/Main", false)
	f.Add("page.*", "", "page.read", "", "page.read", "", true)
	f.Add("*", "a*b*", "account.login", "a\xffb", "x", "*", false)
	f.Fuzz(func(t *testing.T, granted, resources, action, resource, forbidden, pattern string, privileged bool) {
		if strings.ContainsAny(forbidden, "*") || forbidden == "" {
			t.Skip()
		}
		byAction := `forbid (principal, action == Action::` + quote("mediawiki:"+forbidden) + `, resource);`
		byName := `forbid (principal, action, resource) when { resource.name like ` + quotePattern(pattern) + ` && context.hour == 12 };`
		s, err := Parse([]File{{"f.cedar", []byte(byAction + "\n" + byName)}}, nil)
		if err != nil {
			t.Skip() // Cedar cannot express every string
		}

		scope := ScopeEntry{Adapter: "mediawiki", Actions: []string{granted}}
		if resources != "" {
			scope.Resources = []string{resources}
		}
		q := editRequest()
		q.Action = action
		q.Resource = resource
		q.Privileged = privileged

		want := ""
		switch {
		case action == "" || strings.Contains(action, "*"),
			granted != action && (privileged || !matchGlob(granted, action)),
			resources != "" && !matchGlob(resources, resource):
			want = OutOfScope
		case action == forbidden, matchGlob(pattern, resource), action == "login", strings.HasSuffix(action, ".login"):
			want = PolicyDenied
		}
		g := s.Narrow(alice, []ScopeEntry{scope})
		for range 2 { // the second time from the cache
			if d := g.Decide(q); d.Code != want || (d.Effect == Permit) != (want == "") {
				t.Fatalf("%+v: got %+v, want code %q", q, d, want)
			}
		}
	})
}

func quotePattern(p string) string { return string(cedarPattern(p).MarshalCedar()) }

// matchGlob matches a name against a pattern by trying everything.
func matchGlob(pattern, name string) bool {
	rest, isWildcard := strings.CutPrefix(pattern, "*")
	if !isWildcard {
		return pattern == name || pattern != "" && name != "" && pattern[0] == name[0] && matchGlob(pattern[1:], name[1:])
	}
	for i := range len(name) + 1 {
		if matchGlob(rest, name[i:]) {
			return true
		}
	}
	return false
}
