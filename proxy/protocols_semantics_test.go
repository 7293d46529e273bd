package proxy

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"testing"
	"time"
)

// readTracker is a body that remembers whether it was read.
type readTracker struct {
	io.Reader
	wasRead bool
}

func (r *readTracker) Read(p []byte) (int, error) {
	r.wasRead = true
	return r.Reader.Read(p)
}

// TestContinueComesFromApplication checks that the agent gets 100 Continue only
// after the application has asked for the body.
func TestContinueComesFromApplication(t *testing.T) {
	continued := make(chan struct{}, 1)
	handler := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/unwanted" {
			w.WriteHeader(http.StatusExpectationFailed)
			return
		}
		select {
		case <-continued:
			t.Error("the agent got 100 Continue before the application asked for the body")
		case <-time.After(100 * time.Millisecond):
		}
		body, _ := io.ReadAll(r.Body) // sends 100 Continue
		fmt.Fprintf(w, "read %d", len(body))
	}
	testAllProtocols(t, handler, func(p *protocolTest) {
		for _, c := range []struct {
			path, want string
			status     int
			wanted     bool // the application reads the body
		}{
			{"/wanted", "read 9", 200, true},
			{"/unwanted", "", 417, false},
		} {
			body := &readTracker{Reader: strings.NewReader("the body!")}
			r := p.newRequest(http.MethodPut, c.path, body)
			r.ContentLength = 9
			r.Header.Set("Expect", "100-continue")
			trace := &httptrace.ClientTrace{Got100Continue: func() { continued <- struct{}{} }}
			resp := p.send(r.WithContext(httptrace.WithClientTrace(r.Context(), trace)))
			p.checkBody(resp, c.want)
			if resp.StatusCode != c.status {
				p.t.Errorf("PUT %s: status %d, want %d", c.path, resp.StatusCode, c.status)
			}

			gotContinue := false
			select {
			case <-continued:
				gotContinue = true
			default:
			}
			if gotContinue != c.wanted {
				p.t.Errorf("PUT %s: the agent got 100 Continue: %v, want %v", c.path, gotContinue, c.wanted)
			}
			if body.wasRead && !c.wanted {
				p.t.Errorf("PUT %s: the agent sent its body, which the application does not want", c.path)
			}
		}
	})
}

// TestI2TrailersPassByTheRulesOfHeaders sends trailers of which one is a
// borrowed credential. The answer has trailers of which one is the session, and
// one that names what arrived.
func TestI2TrailersPassByTheRulesOfHeaders(t *testing.T) {
	handler := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-Sum, X-Echo, X-Saw")
		body, _ := io.ReadAll(r.Body)
		w.Write(body)
		w.(http.Flusher).Flush()
		w.Header().Set("X-Sum", "42")
		w.Header().Set("X-Echo", "session "+canarySession)
		w.Header().Set("X-Saw", fmt.Sprint(r.Trailer["X-Check"], r.Trailer["X-Api-Key"], r.TransferEncoding, r.Header["Te"]))
	}
	testAllProtocols(t, handler, func(p *protocolTest) {
		r := p.newRequest(http.MethodPost, "/page", strings.NewReader("hello"))
		r.ContentLength = -1
		r.Trailer = http.Header{"X-Check": {"sum"}, "X-Api-Key": {canaryHuman}}
		r.Header.Set("Te", "trailers")
		resp := p.send(r)
		p.checkBody(resp, "hello")

		saw := "[sum] [] [chunked] [trailers]"
		if p.to == "h2" {
			saw = "[sum] [] [] [trailers]"
		}
		for name, want := range map[string]string{"X-Sum": "42", "X-Echo": "session " + maskedSession, "X-Saw": saw} {
			if got := resp.Trailer.Get(name); got != want {
				p.t.Errorf("the trailer %s is %q, want %q", name, got, want)
			}
		}

		outcomes := p.readPathRecords("outcome")
		if len(outcomes) != 1 || len(outcomes[0].Stripped) != 1 || outcomes[0].Stripped[0].In != "trailer" {
			p.t.Errorf("I2: the outcomes are %+v, want one that names one stripped trailer", outcomes)
		}
	})
}

// TestAnswersWithoutBodyKeepTheConnection checks HEAD, 204, 304 and an empty
// answer, and that none costs a connection to the application.
func TestAnswersWithoutBodyKeepTheConnection(t *testing.T) {
	const etag = `"v1"`
	handler := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", etag)
		switch r.URL.Path {
		case "/head":
			w.Header().Set("Content-Length", "1234567")
		case "/204":
			w.WriteHeader(http.StatusNoContent)
		case "/304":
			w.WriteHeader(http.StatusNotModified)
		case "/empty":
			w.Header().Set("Content-Length", "0")
		}
	}
	testAllProtocols(t, handler, func(p *protocolTest) {
		const anyLength = -2
		for _, c := range []struct {
			method, path string
			status       int
			length       int64
		}{
			{"HEAD", "/head", 200, 1234567},
			{"GET", "/204", 204, 0},
			{"GET", "/304", 304, anyLength}, // clients differ in how they report that there is no length
			{"GET", "/empty", 200, 0},
			{"HEAD", "/empty", 200, 0},
			{"DELETE", "/204", 204, 0},
		} {
			resp := p.send(p.newRequest(c.method, c.path, nil))
			p.checkBody(resp, "")
			if got := resp.Header.Get("ETag"); resp.StatusCode != c.status || got != etag {
				p.t.Errorf("%s %s: status %d, ETag %s; want %d, %s", c.method, c.path, resp.StatusCode, got, c.status, etag)
			}
			if c.length != anyLength && resp.ContentLength != c.length {
				p.t.Errorf("%s %s: length %d, want %d", c.method, c.path, resp.ContentLength, c.length)
			}
			if length := resp.Header["Content-Length"]; c.status == 204 && len(length) > 0 {
				p.t.Errorf("%s %s: 204 with Content-Length %q, want none", c.method, c.path, length)
			}
		}
		if n := p.appConns.Load(); p.from == "h1" && n > 2 {
			p.t.Errorf("%d connections to the application, want at most 2", n)
		}
	})
}
