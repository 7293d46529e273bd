package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/byline-proxy/byline/adapters"
)

func TestConditionsHaveALineEach(t *testing.T) {
	long := strings.Repeat("x", 40)
	got := conditionLines(&adapters.MatchSpec{
		Query: map[string]adapters.Strings{"title": {"{page}"}, "curid": {""}},
		Form:  map[string]adapters.Strings{"text": {"*", ""}},
		Param: map[string]adapters.Strings{"page": {long, long, "y"}},
		Only:  adapters.Strings{"a", long, long},
	})

	want := []string{
		"query curid=-",
		"query title={page}",
		"form text=*|-",
		"page=" + long + "|",
		"  " + long + "|y",
		"else only: a " + long + " ",
		"  " + long,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
}
