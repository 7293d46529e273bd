package adapters

import (
	"strings"
	"testing"
)

const hostsAndInterim = "hosts: [HOST]\ninterim: {reason: r, owner: o, review_by: 2027-06-30}\n"

// loadChild loads a file that extends a library adapter.
func loadChild(t testing.TB, parent string) *Adapter {
	t.Helper()
	text := "name: my-" + parent + "\nextends: " + parent + "\n" + strings.Replace(hostsAndInterim, "HOST", parent+".acme.example", 1)
	set, err := Load([]Source{{Name: parent + ".yaml", Text: []byte(text)}})
	if err != nil {
		t.Fatal(err)
	}
	return set.ByHost(strings.ToUpper(parent) + ".acme.example.:8443")
}

func TestTheLibraryCanBeExtended(t *testing.T) {
	for _, parent := range []string{"gitea", "mediawiki", "requesttracker", "wordpress"} {
		if a := loadChild(t, parent); a == nil || a.Name() != "my-"+parent {
			t.Errorf("%s: not found by its host", parent)
		}
	}
}
