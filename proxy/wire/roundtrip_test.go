package wire

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestRoundTrip(t *testing.T) {
	for _, from := range []string{"http/1.1", "h2"} {
		for _, to := range []string{"", "http/1.1", "h2"} { // "" is without TLS
			t.Run(from+" to "+to, func(t *testing.T) {
				_, target := origin(t, to, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					b, _ := io.ReadAll(r.Body)
					w.Header().Set("X-Saw", r.Proto+" "+r.Method+" "+r.RequestURI+" "+r.Host)
					w.Write(b)
				}))
				r := newRig(t, Config{}, from, through(newPool(t, Config{}), target))
				c := &http.Client{Transport: &http.Transport{TLSClientConfig: r.tls, ForceAttemptHTTP2: from == "h2"}}
				defer c.CloseIdleConnections()
				for _, n := range []int{0, 1, 1000, 40 << 10, 3 << 20} {
					body := strings.Repeat("x", n)
					req, _ := http.NewRequest("POST", "https://"+r.addr+"/a%2Fb/../c?x=%20&y", io.NopCloser(strings.NewReader(body)))
					req.Host = "wiki.example"
					if n%2 == 0 {
						req.ContentLength = int64(n)
					}
					resp, err := c.Do(req)
					if err != nil {
						t.Fatal(err)
					}
					got, err := io.ReadAll(resp.Body)
					if err != nil || string(got) != body {
						t.Fatalf("%d bytes came back as %d: %v", n, len(got), err)
					}
					t.Log(resp.Header)
				}
			})
		}
	}
}

func TestAnAbortedAnswerIsNotTakenForACancelledOne(t *testing.T) {
	for _, to := range []string{"http/1.1", "h2"} {
		_, target := origin(t, to, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
		target.Protocol = map[string]string{"http/1.1": "h1", "h2": "h2"}[to]
		_, err := newPool(t, Config{}).RoundTrip(t.Context(), target, &Request{Head: Head{Method: "GET", Scheme: "https", Authority: "example.com", Path: "/"}})
		var e *Error
		if !errors.As(err, &e) || e.Stage != "head" {
			t.Errorf("%s: %v", to, err)
		}
	}
}
