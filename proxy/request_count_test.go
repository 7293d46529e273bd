package proxy

import (
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/policy"
)

// TestEveryRequestCarriesItsNumber has the application keep the header that the
// adapter asks for: each value is that of one intent on record, none is missing
// on either side, and what an agent sends under the name does not arrive.
func TestEveryRequestCarriesItsNumber(t *testing.T) {
	app := newLegacy(t)
	var mu sync.Mutex
	saw := map[string]int{}
	inner := app.Config.Handler
	counting := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/page/") {
			mu.Lock()
			for _, v := range r.Header.Values("X-Byline-Count") {
				saw[v]++
			}
			mu.Unlock()
		}
		inner.ServeHTTP(w, r)
	}))
	defer counting.Close()
	dir := t.TempDir()
	writeFile(t, dir+"/ca.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: counting.Certificate().Raw}))
	text := fmt.Sprintf(legacyAdapter, counting.URL, dir+"/ca.pem") + "count: {header: X-Byline-Count}\n"
	set, err := adapters.Load([]adapters.Source{{Name: "legacy.yaml", Text: []byte(text)}})
	if err != nil {
		t.Fatal(err)
	}
	p, err := policy.Parse(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	h := openWith(t, dir, Rules{Adapters: set, Policy: p}, nil)
	c, _ := h.agent(t, reader)
	const requests = 40
	var wait sync.WaitGroup
	for range requests {
		wait.Go(func() {
			r, _ := http.NewRequest(http.MethodGet, "https://example.com/page/1", nil)
			r.Header.Set("X-Byline-Count", "999 forged")
			resp, err := c.Do(r)
			if err != nil {
				t.Error(err)
				return
			}
			_ = resp.Body.Close()
		})
	}
	wait.Wait()
	do(t, c, http.MethodGet, "/page/3", "") // out of scope: refused, so it has no number
	h.shut(t)
	recorded := map[string]bool{}
	for r, err := range audit.Tail(t.Context(), dir+"/audit", 1000, false) {
		if err != nil {
			t.Fatal(err)
		}
		if (r.Kind == "intent") != (r.Count > 0) {
			t.Errorf("%s has count %d", r.Kind, r.Count)
		}
		if r.Kind == "intent" {
			recorded[fmt.Sprintf("%d %s", r.Count, r.ID)] = true
		}
	}
	if len(recorded) != requests || len(saw) != requests {
		t.Errorf("%d intents on record, the application saw %d numbers", len(recorded), len(saw))
	}
	for v, n := range saw {
		if !recorded[v] || n != 1 {
			t.Errorf("the application saw %q %d times; on record: %v", v, n, recorded[v])
		}
	}
}
