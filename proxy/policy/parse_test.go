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
		{"string that is not closed", f + "\nwhen { \"abc\n};", "a.cedar:2: cannot be read at literal not terminated"},
		{"not UTF-8", "// ü\n\xffü", "a.cedar:2: is not UTF-8"},
		{"no semicolon", f, `a.cedar:1: cannot be read`},
		{"permit", "permit (principal, action, resource);", "a.cedar:1: permit: only a task's scope permits"},
		{"permit remedy", "permit (principal, action, resource);", "write forbid … unless { … }"},
		{"same id", "@id(\"x\") " + f + ";\n@id(\"x\") " + f + ";", `a.cedar:2: @id("x") is also on line 1`},
		{"id that is not a name", "@id(\"a b\") " + f + ";", `a.cedar:1: @id("a b") is not a name`},
		{"misspelt attribute", f + " when { context.houre < 8 };", "a.cedar:1: attribute `houre` in context"},
		{"wrong type", f + ` when { context.hour < "8" };`, "a.cedar:1: unexpected type"},
		{"another adapter", "\n" + `forbid (principal, action == Action::"wiki:page.read", resource);`,
			`a.cedar:2: Action::"wiki:page.read" names an adapter that is not loaded (known: mediawiki)`},
		{"another action", `forbid (principal, action == Action::"mediawiki:page.raed", resource);`,
			"names no action of mediawiki (known: account.login, account.manage, page.delete"},
		{"another action in a list", `forbid (principal, action in [Action::"mediawiki:page.raed"], resource);`, "names no action of mediawiki"},
		{"another action in a condition", f + ` when { action == Action::"mediawiki:page.raed" };`, "names no action of mediawiki"},
		{"empty group", `forbid (principal, action in Action::"mediawiki:pages.*", resource);`, "names no action of mediawiki"},
		{"half a name", `forbid (principal, action in Action::"mediawiki:pa*", resource);`, "* stands only for a whole name"},
		{"no adapter", `forbid (principal, action == Action::"page.read", resource);`, "is not an action; write Action::"},
		{"group by ==", `forbid (principal, action == Action::"mediawiki:page.*", resource);`, `names a group; write action in Action::"mediawiki:page.*"`},
		{"login by ==", `forbid (principal, action == Action::"login", resource);`, "names a group"},
		{"resource without adapter", `forbid (principal, action, resource == Resource::"page");`, "is not a resource; write Resource::"},
		{"resource of another adapter", `forbid (principal, action, resource == Resource::"wiki:page");`, "names an adapter that is not loaded"},
		{"another adapter's resources", `forbid (principal, action, resource in Adapter::"wiki");`, "names an adapter that is not loaded"},
		{"namespace", `forbid (principal == Byline::Agent::"x", action, resource);`, "has an unknown type; the types are Agent,"},
		{"type that does not fit", `forbid (principal is Task, action, resource);`, "unable to find an applicable action"},
		{"sponsor as principal", `forbid (principal == Sponsor::"a", action, resource);`, "unable to find an applicable action"},
		{"brackets", f + "\nwhen { " + strings.Repeat("(", maxDepth) + "true" + strings.Repeat(")", maxDepth) + " };", "a.cedar:2: has more than 64 brackets"},
		{"size", "//" + strings.Repeat(" ", maxFileBytes), "a.cedar:1: holds more than 262144 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := Parse([]File{{"a.cedar", []byte(c.text)}}, wiki)
			if s != nil || err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("%.200s:\ngot  %v\nwant %s", c.text, err, c.want)
			}
		})
	}
}

func TestParseReportsAllProblemsOfAllFiles(t *testing.T) {
	_, err := Parse([]File{
		{"b.cedar", []byte("forbid (principal, action, resource) when { context.hour < };\n" +
			"forbid (principal, action, resource) when { context.hours };\n\n" +
			"permit (principal, action, resource);")},
		{"a.cedar", []byte("\nforbid;")},
		{"a.cedar", nil},
		{"base", nil},
	}, nil)
	var problems Problems
	if !errors.As(err, &problems) {
		t.Fatalf("Parse returned %v, want Problems", err)
	}

	var places []string
	for _, p := range problems {
		place, _, _ := strings.Cut(p.String(), ": ")
		places = append(places, place)
	}
	want := []string{"a.cedar:1", "a.cedar:2", "b.cedar:1", "b.cedar:2", "b.cedar:4", "base:1"}
	if !slices.Equal(places, want) {
		t.Fatalf("problems at %v, want %v:\n%v", places, want, err)
	}
}

func TestWithoutCatalogEveryNameIsAccepted(t *testing.T) {
	text := `forbid (principal, action in [Action::"x:y", Action::"x:y.*", Action::"x:*", Action::"login"], resource in Adapter::"z")
unless { resource == Resource::"z:1" };`
	if _, err := Parse([]File{{"a.cedar", []byte(text)}}, nil); err != nil {
		t.Errorf("without a catalog Parse returned %v", err)
	}
	_, err := Parse([]File{{"a.cedar", []byte(text)}}, &Catalog{})
	if err == nil || !strings.Contains(err.Error(), "(known: none)") {
		t.Errorf("with an empty catalog Parse returned %v, want that nothing is known", err)
	}
}

func TestPolicyIDs(t *testing.T) {
	s := parseOwn(t, "// \";\" \\ in a comment\n"+
		"forbid (principal, action, resource) when { \"a\\\";//\" == \"b\" };\n\n"+
		"@id(\"named\")\nforbid (principal, action, resource);\n"+
		"forbid (principal, action, resource);")
	var ids []string
	for _, r := range s.rules {
		ids = append(ids, r.id)
	}
	if want := []string{"base#login-never", "own.cedar#1", "own.cedar#named", "own.cedar#3"}; !slices.Equal(ids, want) {
		t.Errorf("ids %v, want %v", ids, want)
	}
	if line := s.rules[2].tree.Position.Line; line != 4 {
		t.Errorf("own.cedar#named is on line %d, want 4", line)
	}
}

func TestDigestDependsOnEveryByteAndNotOnTheOrder(t *testing.T) {
	one, two := File{"a", []byte("// 1")}, File{"b", []byte("// 2")}
	digests := map[string]bool{}
	for _, own := range [][]File{
		nil,
		{one},
		{two},
		{one, two},
		{{"a", []byte("// 12")}},
		{{"a/", []byte("/ 1")}}, // the bytes of one, cut elsewhere
	} {
		d := digestOf(own)
		if !strings.HasPrefix(d, "sha256:") || len(d) != 71 || digests[d] {
			t.Errorf("%v: digest %s is malformed or that of other files", own, d)
		}
		digests[d] = true

		s, err := Parse(own, nil)
		if err != nil && len(own) > 0 && own[0].Name != "a/" {
			t.Fatal(err)
		}
		if s != nil && s.Digest() != d {
			t.Errorf("%v: Digest returned %s, want %s", own, s.Digest(), d)
		}
	}

	s, err := Parse([]File{two, one}, nil)
	if err != nil || s.Digest() != digestOf([]File{one, two}) {
		t.Errorf("the order of files changes the digest (%v)", err)
	}
}

func TestValidateReportsABrokenSchema(t *testing.T) {
	r := parseOwn(t, "forbid (principal, action, resource);").rules[1]
	for _, text := range []string{"nonsense", "entity A in [B];"} {
		if r.validate(text) == nil {
			t.Errorf("validate accepted the schema %q", text)
		}
	}
}

func TestSamplePoliciesAreValid(t *testing.T) {
	paths, err := filepath.Glob("../../configs/policies/*.cedar.example")
	if err != nil || len(paths) < 3 {
		t.Fatalf("found %v (%v), want 3 samples or more", paths, err)
	}
	var own []File
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		own = append(own, File{filepath.Base(path), text})
	}

	s, err := Parse(own, wiki)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.rules) < 2*len(paths) {
		t.Errorf("%d policies in %d files, want two or more in each", len(s.rules), len(paths))
	}
}

func TestPoliciesOfThePackageCommentAreValid(t *testing.T) {
	text, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "# Writing policies")
	example, _, found := strings.Cut(rest, "// Policies can use:")
	if !found {
		t.Fatal("doc.go has no example between its heading and the list of names")
	}
	if s := parseOwn(t, strings.ReplaceAll(example, "//\t", "\t")); len(s.rules) != 4 {
		t.Errorf("%d policies with the built-in one, want 4", len(s.rules))
	}
}
