package policy

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestProblemsNameFileLineAndRemedy(t *testing.T) {
	const f = `forbid (principal, action, resource)`
	for _, c := range []struct{ name, text, want string }{
		{"syntax", "// night\n" + f + "\nwhen { context.hour < };", `a.cedar:3: cannot be read at ";": invalid primary`},
		{"unclosed string", f + "\nwhen { \"abc\n};", "a.cedar:2: cannot be read at literal not terminated"},
		{"not UTF-8", "// ü\n\xffü", "a.cedar:2: is not UTF-8"},
		{"unfinished", f, `a.cedar:1: cannot be read`},
		{"permit", "permit (principal, action, resource);", "a.cedar:1: permit: only a task's scope permits"},
		{"permit remedy", "permit (principal, action, resource);", "write forbid … unless { … }"},
		{"same id", "@id(\"x\") " + f + ";\n@id(\"x\") " + f + ";", `a.cedar:2: @id("x") is also on line 1`},
		{"id that is no name", "@id(\"a b\") " + f + ";", `a.cedar:1: @id("a b") is no name`},
		{"misspelt attribute", f + " when { context.houre < 8 };", "a.cedar:1: attribute `houre` in context"},
		{"wrong type", f + ` when { context.hour < "8" };`, "a.cedar:1: unexpected type"},
		{"another adapter", "\n" + `forbid (principal, action == Action::"wiki:page.read", resource);`, `a.cedar:2: Action::"wiki:page.read" names no adapter that is loaded (known: mediawiki)`},
		{"another action", `forbid (principal, action == Action::"mediawiki:page.raed", resource);`, "names no action of mediawiki (known: account.login, account.manage, page.delete"},
		{"another action in a list", `forbid (principal, action in [Action::"mediawiki:page.raed"], resource);`, "names no action of mediawiki"},
		{"another action in a condition", f + ` when { action == Action::"mediawiki:page.raed" };`, "names no action of mediawiki"},
		{"empty group", `forbid (principal, action in Action::"mediawiki:pages.*", resource);`, "names no action of mediawiki"},
		{"half a name", `forbid (principal, action in Action::"mediawiki:pa*", resource);`, "* stands only for a whole name"},
		{"no adapter", `forbid (principal, action == Action::"page.read", resource);`, "is no action; write Action::"},
		{"group by ==", `forbid (principal, action == Action::"mediawiki:page.*", resource);`, `names a group; write action in Action::"mediawiki:page.*"`},
		{"login by ==", `forbid (principal, action == Action::"login", resource);`, "names a group"},
		{"resource without adapter", `forbid (principal, action, resource == Resource::"page");`, "is no resource; write Resource::"},
		{"resource of another adapter", `forbid (principal, action, resource == Resource::"wiki:page");`, "names no adapter that is loaded"},
		{"another adapter's resources", `forbid (principal, action, resource in Adapter::"wiki");`, "names no adapter that is loaded"},
		{"namespace", `forbid (principal == Byline::Agent::"x", action, resource);`, "is of no type known here; there are Agent,"},
		{"type that does not fit", `forbid (principal is Task, action, resource);`, "unable to find an applicable action"},
		{"sponsor as principal", `forbid (principal == Sponsor::"a", action, resource);`, "unable to find an applicable action"},
		{"brackets", f + "\nwhen { " + strings.Repeat("(", maxDepth) + "true" + strings.Repeat(")", maxDepth) + " };", "a.cedar:2: has more than 64 brackets"},
		{"size", "//" + strings.Repeat(" ", maxSource), "a.cedar:1: holds more than 262144 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := Parse([]Source{{"a.cedar", []byte(c.text)}}, wiki)
			if s != nil || err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got\n%v\nwant\n%s", err, c.want)
			}
		})
	}
}

func TestAllProblemsComeAtOnce(t *testing.T) {
	_, err := Parse([]Source{
		{"b.cedar", []byte("forbid (principal, action, resource) when { context.hour < };\nforbid (principal, action, resource) when { context.hours };\n\npermit (principal, action, resource);")},
		{"a.cedar", []byte("\nforbid;")},
		{"a.cedar", nil},
		{"base", nil},
	}, nil)
	var ps Problems
	if !errors.As(err, &ps) {
		t.Fatalf("%v", err)
	}
	var at []string
	for _, p := range ps {
		at = append(at, strings.SplitN(p.String(), ": ", 2)[0])
	}
	want := []string{"a.cedar:1", "a.cedar:2", "b.cedar:1", "b.cedar:2", "b.cedar:4", "base:1"}
	if !slices.Equal(at, want) {
		t.Fatalf("%v, want %v\n%v", at, want, err)
	}
}

func TestWithoutCatalogNamesAreFree(t *testing.T) {
	text := `forbid (principal, action in [Action::"x:y", Action::"x:y.*", Action::"x:*", Action::"login"], resource in Adapter::"z")
unless { resource == Resource::"z:1" };`
	if _, err := Parse([]Source{{"a.cedar", []byte(text)}}, nil); err != nil {
		t.Fatal(err)
	}
	_, err := Parse([]Source{{"a.cedar", []byte(text)}}, &Catalog{})
	if err == nil || !strings.Contains(err.Error(), "(known: none)") {
		t.Fatalf("an empty catalog knows something: %v", err)
	}
}

func TestPolicyIDs(t *testing.T) {
	s := parse(t, "// \";\" \\ in a comment\nforbid (principal, action, resource) when { \"a\\\";//\" == \"b\" };\n\n@id(\"named\")\nforbid (principal, action, resource);\nforbid (principal, action, resource);")
	var ids []string
	for _, r := range s.rules {
		ids = append(ids, r.id)
	}
	if want := []string{"base#login-never", "own.cedar#1", "own.cedar#named", "own.cedar#3"}; !slices.Equal(ids, want) {
		t.Fatalf("%v, want %v", ids, want)
	}
	if line := s.rules[2].tree.Position.Line; line != 4 {
		t.Fatalf("the named one is on line %d", line)
	}
}

func TestDigestFollowsEveryByteButNotTheOrder(t *testing.T) {
	one, two := Source{"a", []byte("// 1")}, Source{"b", []byte("// 2")}
	seen := map[string]bool{}
	for _, own := range [][]Source{nil, {one}, {two}, {one, two}, {{"a", []byte("// 12")}}, {{"a/", []byte("/ 1")}}} {
		s, err := Parse(own, nil)
		if err != nil && len(own) > 0 && own[0].Name != "a/" {
			t.Fatal(err)
		}
		d := digest(own)
		if s != nil && s.Digest() != d || !strings.HasPrefix(d, "sha256:") || len(d) != 71 || seen[d] {
			t.Fatalf("%v: %s", own, d)
		}
		seen[d] = true
	}
	s, err := Parse([]Source{two, one}, nil)
	if err != nil || !seen[s.Digest()] {
		t.Fatalf("the order of files changes the digest: %v", err)
	}
}

func TestBrokenShapesAreErrors(t *testing.T) {
	r := parse(t, "forbid (principal, action, resource);").rules[1]
	for _, shape := range []string{"nonsense", "entity A in [B];"} {
		if r.mistyped(shape) == nil {
			t.Errorf("%q was taken", shape)
		}
	}
}

func TestSamplesAreValid(t *testing.T) {
	files, err := filepath.Glob("../../configs/policies/*.cedar.example")
	if err != nil || len(files) < 3 {
		t.Fatalf("%v, %v", files, err)
	}
	var own []Source
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		own = append(own, Source{filepath.Base(f), text})
	}
	s, err := Parse(own, wiki)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.rules) < 2*len(files) {
		t.Fatalf("only %d policies in %d files", len(s.rules), len(files))
	}
}

// The package comment's own example must load, or it teaches mistakes.
func TestDocumentedPoliciesAreValid(t *testing.T) {
	text, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "# Writing policies")
	example, _, found := strings.Cut(rest, "// The words are:")
	if !found {
		t.Fatal("the comment has lost its example")
	}
	if s := parse(t, strings.ReplaceAll(example, "//\t", "\t")); len(s.rules) != 4 {
		t.Fatalf("%d policies", len(s.rules))
	}
}
