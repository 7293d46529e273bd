package policy

import (
	"slices"
	"testing"
)

func TestScopeEntryIsReadAsItIsWritten(t *testing.T) {
	for _, line := range []string{
		"mediawiki:page.read,page.edit",
		"mediawiki:page.delete@page/A:B@C,*",
		"w:*@ticket/7",
	} {
		e, err := ParseScopeEntry(line)
		if got := e.Lines(); err != nil || !slices.Equal(got, []string{line}) {
			t.Errorf("%s was written as %q, %v", line, got, err)
		}
		if len(e.Resources) > 1 {
			t.Errorf("%s was read as %d resources, want at most one", line, len(e.Resources))
		}
	}
}

func TestScopeEntryHasALineForEachResource(t *testing.T) {
	e := ScopeEntry{Adapter: "w", Actions: []string{"a", "b"}, Resources: []string{"x", "y"}}
	if got, want := e.Lines(), []string{"w:a,b@x", "w:a,b@y"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestMalformedScopeEntriesAreRefused(t *testing.T) {
	for _, line := range []string{"", "wiki", "wiki:", ":a", "wiki:a@", "wiki:@page"} {
		if e, err := ParseScopeEntry(line); err == nil {
			t.Errorf("%q was read as %+v", line, e)
		}
	}
}
