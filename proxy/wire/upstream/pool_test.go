package upstream

import (
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/byline-proxy/byline/proxy/wire"
)

// TestAPoolKeepsABoundedNumberOfHosts: an agent that asks for one host after the
// other leaves no more behind than maxHosts, the most recent; an answer that is
// under way when its host is let go arrives whole.
func TestAPoolKeepsABoundedNumberOfHosts(t *testing.T) {
	for _, to := range []string{"", "h2"} {
		t.Run("to "+to, func(t *testing.T) {
			more := make(chan struct{})
			_, target := origin(t, to, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.WriteString(w, "first ")
				if r.URL.Path == "/slow" {
					w.(http.Flusher).Flush()
					<-more
					_, _ = io.WriteString(w, "last")
				}
			}))
			pool := newPool(t, wire.Config{})
			authority := func(n int) string { return fmt.Sprintf("example.com:%d", 1000+n) } // one certificate for all
			ask := func(n int, path string) *wire.Response {
				to := *target
				to.Authority = authority(n)
				resp, err := pool.RoundTrip(t.Context(), &to, &wire.Request{Head: wire.Head{Proto: "HTTP/2.0", Method: "GET", Scheme: to.Scheme, Authority: to.Authority, Path: path}})
				if err != nil {
					t.Fatal(err)
				}
				return resp
			}
			slow := ask(0, "/slow")
			for n := 1; n < 3*maxHosts; n++ {
				resp := ask(n, "/")
				if b, err := io.ReadAll(resp.Body); string(b) != "first " || err != nil {
					t.Fatalf("host %d: %q %v", n, b, err)
				}
				resp.Body.Close()
			}
			kept := map[string]bool{}
			pool.hosts.Range(func(key, _ any) bool { kept[key.(hostKey).authority] = true; return true })
			if len(kept) != maxHosts {
				t.Errorf("%d hosts are kept, want %d", len(kept), maxHosts)
			}
			if kept[authority(1)] || !kept[authority(3*maxHosts-1)] {
				t.Error("it is not the most recent hosts that are kept")
			}
			close(more)
			if b, err := io.ReadAll(slow.Body); string(b) != "first last" || err != nil {
				t.Errorf("the answer under way: %q %v", b, err)
			}
			slow.Body.Close()
		})
	}
}
