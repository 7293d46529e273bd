package text

import "testing"

func TestGlob(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"", "", true}, {"*", "", true}, {"*", "abc", true}, {"a*c", "abbc", true}, {"a*c", "abcd", false}, {"*_session", "wiki_session", true},
		{"**x", "x", true}, {"a", "A", false}, {"*a*b*", "xaybz", true}, {"*a*b", "ba", false},
	} {
		if got := Glob(c.pattern, c.name, nil); got != c.want {
			t.Errorf("Glob(%q, %q) = %v, want %v", c.pattern, c.name, got, c.want)
		}
	}
	if !Glob("*_Session", "wiki.session", FoldParam) || Glob("*_Session", "wiki.session", Fold) {
		t.Error("FoldParam takes . for _ and ignores case, Fold takes - for _")
	}
}

func TestNames(t *testing.T) {
	if !SameName("X_Auth-Token", "x-auth_token") || SameName("a", "ab") {
		t.Error("SameName ignores case and takes _ for -, and nothing else")
	}
	for name, want := range map[string]bool{"": false, "Accept": true, "a b": false, "a:": false, "a\x7f": false, "ä": false, "!#$%&'*+-.^_`|~09azAZ": true} {
		if IsToken(name) != want {
			t.Errorf("IsToken(%q) = %v, want %v", name, !want, want)
		}
	}
}

func TestIsClear(t *testing.T) {
	for s, want := range map[string]bool{"": true, "a b": true, "Café": true, "a\x00": false, "a\u200bb": false, "\xff": false, "a\u0085": false} {
		if IsClear(s) != want {
			t.Errorf("IsClear(%q) = %v, want %v", s, !want, want)
		}
	}
}

func TestNearest(t *testing.T) {
	known := []string{"status", "success"}
	if got := Nearest("sucess", known); got != `did you mean "success"?` {
		t.Error(got)
	}
	if got := Nearest("colour", known); got != "known: status, success" {
		t.Error(got)
	}
}
