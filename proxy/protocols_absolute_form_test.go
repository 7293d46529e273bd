package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"testing"
)

// TestPlainHTTPIsCarriedLikeTheRest: requests in absolute form come by another
// parser, and get what those in a tunnel get.
func TestPlainHTTPIsCarriedLikeTheRest(t *testing.T) {
	next := make(chan struct{})
	for _, to := range []string{"h1", "h2"} {
		t.Run(to, func(t *testing.T) {
			w := newWires(t, "h1", to, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/x-ndjson")
				switch r.URL.Path {
				case "/broken":
					fmt.Fprint(w, "part")
					w.(http.Flusher).Flush()
					panic(http.ErrAbortHandler)
				case "/hints":
					w.Header().Set("Link", "</style.css>")
					w.WriteHeader(http.StatusEarlyHints)
					w.Header().Set("Trailer", "X-Sum")
					fmt.Fprint(w, "done")
					w.(http.Flusher).Flush()
					w.Header().Set("X-Sum", "42")
				default:
					for i := range 3 {
						fmt.Fprintf(w, "line %d\n", i)
						w.(http.Flusher).Flush()
						<-next
					}
				}
			}, nil)
			plain := func(path string) *http.Request {
				r, err := http.NewRequest(http.MethodGet, "http://example.com"+path, nil)
				if err != nil {
					t.Fatal(err)
				}
				return r
			}
			lines := bufio.NewReader(w.do(plain("/lines")).Body)
			for i := range 3 {
				if line, err := lines.ReadString('\n'); err != nil || line != fmt.Sprintf("line %d\n", i) {
					t.Fatalf("%q %v", line, err)
				}
				next <- struct{}{}
			}
			if b, err := io.ReadAll(w.do(plain("/broken")).Body); err == nil {
				t.Errorf("an answer that broke off ends as if it were whole: %q", b)
			}
			var hints int
			r := plain("/hints")
			trace := &httptrace.ClientTrace{Got1xxResponse: func(int, textproto.MIMEHeader) error { hints++; return nil }}
			resp := w.do(r.WithContext(httptrace.WithClientTrace(r.Context(), trace)))
			if b, err := io.ReadAll(resp.Body); string(b) != "done" || err != nil || hints != 1 || resp.Trailer.Get("X-Sum") != "42" {
				t.Errorf("%q %v, %d hints, trailer %v", b, err, hints, resp.Trailer)
			}
			if o := w.records("outcome"); len(o) != 3 || o[1].Code != string(UpstreamUnreached) || o[0].Code+o[2].Code != "" {
				t.Errorf("on record: %+v", o)
			}
		})
	}
}
