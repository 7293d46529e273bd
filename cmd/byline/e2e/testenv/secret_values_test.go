package testenv

import (
	"net/http"
	"slices"
	"testing"
)

func TestSecretPartsOfCookies(t *testing.T) {
	list := &http.Cookie{Name: "wordpress_logged_in_ab", Value: "agent-01%7C1790000000%7Cthe-session-token%7Cthe-mac"}
	want := []string{list.Value, "agent-01", "1790000000", "the-session-token", "the-mac"}
	if got := secretParts(list); !slices.Equal(got, want) {
		t.Errorf("secretParts of a list is %q, want %q", got, want)
	}

	words := &http.Cookie{Name: "wikiUserName", Value: "Agent-Number-01"}
	if got := secretParts(words); got != nil {
		t.Errorf("secretParts of a user name is %q, want nil", got)
	}
}
