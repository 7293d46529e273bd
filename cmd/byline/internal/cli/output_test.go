package cli

import (
	"strings"
	"testing"
)

func TestTableAlignsColumnsAndLeavesNoSpacesAtLineEnds(t *testing.T) {
	var b strings.Builder
	err := Table(&b, []string{"NAME", "HOSTS", "OWNER"}, [][]string{
		{"wiki", "wiki.acme.example", ""},
		{"", "two\x1b", "secops"},
		{"", "", ""},
	})

	want := "NAME  HOSTS              OWNER\n" +
		"wiki  wiki.acme.example\n" +
		"      two?               secops\n" +
		"\n"
	if err != nil || b.String() != want {
		t.Errorf("got %v and\n%q\nwant\n%q", err, b.String(), want)
	}
}
