package proxy

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/byline-proxy/byline/adapters"
)

// TestCheckUpstreamFindsWhatAConnectionWouldFind checks upstream sections whose
// files cannot be used: every problem is found at once, and a connection fails
// with the first of them.
func TestCheckUpstreamFindsWhatAConnectionWouldFind(t *testing.T) {
	notPEM := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(notPEM, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		up   adapters.Upstream
		want []string
	}{
		{"nothing named", adapters.Upstream{}, nil},
		{"missing CA", adapters.Upstream{CA: "nowhere.pem"}, []string{"upstream.ca: open nowhere.pem: no such file or directory"}},
		{"CA without a certificate", adapters.Upstream{CA: notPEM}, []string{"upstream.ca: holds no certificate in PEM form"}},
		{"CA and client certificate", adapters.Upstream{CA: notPEM, ClientCert: "no.pem", ClientKey: "no.key"},
			[]string{"upstream.ca: holds no certificate in PEM form", "upstream.client_cert: open no.pem: no such file or directory"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			found := CheckUpstream(c.up)
			if len(found) != len(c.want) {
				t.Fatalf("got %v, want %q", found, c.want)
			}
			for i, p := range found {
				if p.Error() != c.want[i] {
					t.Errorf("problem %d: got %q, want %q", i, p, c.want[i])
				}
			}

			_, inUse := upstreamTLS(c.up)
			if len(inUse) != len(found) {
				t.Errorf("a connection finds %v, the check %v", inUse, found)
			}
		})
	}
}
