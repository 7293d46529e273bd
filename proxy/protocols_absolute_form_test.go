package proxy

import (
	"bufio"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"testing"
)

// TestAbsoluteFormIsCarriedLikeTunnels sends requests in absolute form over plain
// HTTP, which goproxy parses. They stream, break off, and have interim answers
// and trailers like those in a tunnel.
func TestAbsoluteFormIsCarriedLikeTunnels(t *testing.T) {
	next := make(chan struct{})
	handler := func(w http.ResponseWriter, r *http.Request) {
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
	}
	for _, to := range []string{"h1", "h2"} {
		t.Run(to, func(t *testing.T) {
			p := newProtocolTest(t, "h1", to, handler, protocolOptions{})
			newRequest := func(path string) *http.Request {
				r, err := http.NewRequest(http.MethodGet, "http://example.com"+path, nil)
				if err != nil {
					t.Fatal(err)
				}
				return r
			}

			lines := bufio.NewReader(p.send(newRequest("/lines")).Body)
			for i := range 3 { // the next line is sent only when this one is here
				line, err := lines.ReadString('\n')
				if want := fmt.Sprintf("line %d\n", i); err != nil || line != want {
					t.Fatalf("got %q, error %v; want %q", line, err, want)
				}
				next <- struct{}{}
			}

			p.checkBreaksOff(p.send(newRequest("/broken")))

			hints := 0
			r := newRequest("/hints")
			trace := &httptrace.ClientTrace{Got1xxResponse: func(int, textproto.MIMEHeader) error { hints++; return nil }}
			resp := p.send(r.WithContext(httptrace.WithClientTrace(r.Context(), trace)))
			p.checkBody(resp, "done")
			if sum := resp.Trailer.Get("X-Sum"); hints != 1 || sum != "42" {
				t.Errorf("GET /hints: %d interim answers, trailer X-Sum %q; want 1 and 42", hints, sum)
			}

			var codes []string
			for _, o := range p.readPathRecords("outcome") {
				codes = append(codes, o.Code)
			}
			if want := []string{"", string(UpstreamUnreached), ""}; fmt.Sprint(codes) != fmt.Sprint(want) {
				t.Errorf("the outcomes have the codes %q, want %q", codes, want)
			}
		})
	}
}
