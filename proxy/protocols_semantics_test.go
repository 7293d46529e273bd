package proxy

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestContinueComesFromTheSaaS(t *testing.T) {
	asked := make(chan struct{}, 1)
	overWires(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/no" {
			w.WriteHeader(http.StatusExpectationFailed)
			return
		}
		select {
		case <-asked:
			t.Error("the body was asked for before the SaaS had asked for it")
		case <-time.After(100 * time.Millisecond):
		}
		b, _ := io.ReadAll(r.Body) // says 100 Continue
		fmt.Fprintf(w, "took %d", len(b))
	}, func(w *wires) {
		for _, c := range []struct {
			path, want string
			status     int
			read       bool
		}{{"/yes", "took 9", 200, true}, {"/no", "", 417, false}} {
			r := w.request(http.MethodPut, c.path)
			body := &noted{Reader: strings.NewReader("the body!")}
			r.Body, r.ContentLength = io.NopCloser(body), 9
			r.Header.Set("Expect", "100-continue")
			trace := &httptrace.ClientTrace{Got100Continue: func() { asked <- struct{}{} }}
			resp := w.do(r.WithContext(httptrace.WithClientTrace(r.Context(), trace)))
			b, err := io.ReadAll(resp.Body)
			if err != nil || resp.StatusCode != c.status || string(b) != c.want {
				w.t.Errorf("%s: %d %q %v", c.path, resp.StatusCode, b, err)
			}
			select {
			case <-asked:
				if !c.read {
					w.t.Error("the agent was told to go on, the SaaS did not want the body")
				}
			default:
				if c.read {
					w.t.Error("the agent was never told to go on")
				}
			}
			if body.read && !c.read {
				w.t.Error("the body left the agent")
			}
		}
	})
}

// noted is a body that knows whether it was asked for.
type noted struct {
	io.Reader
	read bool
}

func (n *noted) Read(p []byte) (int, error) { n.read = true; return n.Reader.Read(p) }

// TestContinueIsNotWaitedForForEver: applications that know nothing of Expect
// read the body when it comes.
func TestContinueIsNotWaitedForForEver(t *testing.T) {
	for _, from := range []string{"h1", "h2"} {
		t.Run(from, func(t *testing.T) {
			w := newWires(t, from, "h1", func(w http.ResponseWriter, r *http.Request) {
				conn, rw, err := w.(http.Hijacker).Hijack() // the library would say 100
				if err != nil {
					t.Error(err)
					return
				}
				defer conn.Close()
				b := make([]byte, 9)
				if _, err := io.ReadFull(rw, b); err != nil {
					t.Error(err)
				}
				fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(b), b)
			}, &wiring{options: func(o *Options) { o.Wire.ContinueWait = 50 * time.Millisecond }})
			r := w.request(http.MethodPut, "/x")
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader("the body!")), 9
			r.Header.Set("Expect", "100-continue")
			if b, err := io.ReadAll(w.do(r).Body); err != nil || string(b) != "the body!" {
				t.Errorf("%q %v", b, err)
			}
		})
	}
}

func TestI1EarlyHintsComeThroughTheShield(t *testing.T) {
	overWires(t, func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Link", "</style.css>; rel=preload")
		h.Set("X-Echo", "your session is "+canarySession)
		h.Set("Set-Cookie", "sid="+canarySession+"; Path=/")
		w.WriteHeader(http.StatusProcessing)
		w.WriteHeader(http.StatusEarlyHints)
		clear(h)
		fmt.Fprint(w, "done")
	}, func(w *wires) {
		var got []string
		r := w.request(http.MethodGet, "/page")
		trace := &httptrace.ClientTrace{Got1xxResponse: func(status int, h textproto.MIMEHeader) error {
			got = append(got, fmt.Sprint(status, " ", h["Link"], h["X-Echo"], h["Set-Cookie"]))
			return nil
		}}
		resp := w.do(r.WithContext(httptrace.WithClientTrace(r.Context(), trace)))
		if b, err := io.ReadAll(resp.Body); err != nil || string(b) != "done" || resp.Header.Get("Link") != "" {
			w.t.Errorf("%q %v %v", b, err, resp.Header)
		}
		masked := "your session is " + strings.Repeat("*", len(canarySession))
		want := []string{"102 [</style.css>; rel=preload] [" + masked + "] []", "103 [</style.css>; rel=preload] [" + masked + "] []"}
		if !slices.Equal(got, want) {
			w.t.Errorf("interim answers:\n%q\nwant\n%q", got, want)
		}
	})
}

func TestTrailersGoBothWaysUnderTheRulesOfHeaders(t *testing.T) {
	overWires(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-Sum, X-Echo, X-Saw")
		b, _ := io.ReadAll(r.Body)
		w.Write(b)
		w.(http.Flusher).Flush()
		w.Header().Set("X-Sum", "42")
		w.Header().Set("X-Echo", "session "+canarySession)
		w.Header().Set("X-Saw", fmt.Sprint(r.Trailer["X-Check"], r.Trailer["X-Api-Key"], r.TransferEncoding, r.Header["Te"]))
	}, func(w *wires) {
		r := w.request(http.MethodPost, "/page")
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader("hello")), -1
		r.Trailer = http.Header{"X-Check": {"sum"}, "X-Api-Key": {canaryHuman}}
		r.Header.Set("Te", "trailers")
		resp := w.do(r)
		if b, err := io.ReadAll(resp.Body); err != nil || string(b) != "hello" {
			w.t.Fatalf("%q %v", b, err)
		}
		saw := "[sum] [] [chunked] [trailers]"
		if w.to == "h2" {
			saw = "[sum] [] [] [trailers]"
		}
		for name, want := range map[string]string{"X-Sum": "42", "X-Echo": "session " + strings.Repeat("*", len(canarySession)), "X-Saw": saw} {
			if got := resp.Trailer.Get(name); got != want {
				w.t.Errorf("%s behind the body is %q, want %q", name, got, want)
			}
		}
		outcomes := w.records("outcome")
		if n := len(outcomes); n != 1 || len(outcomes[0].Stripped) != 1 || outcomes[0].Stripped[0].In != "trailer" {
			w.t.Errorf("I2: the outcome does not name what was stripped: %+v", outcomes)
		}
	})
}

func TestAnswersWithoutABody(t *testing.T) {
	overWires(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"v1"`)
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
	}, func(w *wires) {
		for _, c := range []struct {
			method, path string
			status       int
			length       int64
		}{
			{"HEAD", "/head", 200, 1234567}, {"GET", "/204", 204, 0}, {"GET", "/304", 304, -1}, {"GET", "/empty", 200, 0}, {"HEAD", "/empty", 200, 0},
			{"DELETE", "/204", 204, 0},
		} {
			resp := w.do(w.request(c.method, c.path))
			b, err := io.ReadAll(resp.Body)
			if c.length < 0 { // the libraries disagree about what an absent length is called
				resp.ContentLength = c.length
			}
			if err != nil || len(b) > 0 || resp.StatusCode != c.status || resp.ContentLength != c.length || resp.Header.Get("ETag") != `"v1"` {
				w.t.Errorf("%s %s: %d, length %d, %d bytes, %v %v", c.method, c.path, resp.StatusCode, resp.ContentLength, len(b), err, resp.Header)
			}
			if c.status == 204 && len(resp.Header["Content-Length"]) > 0 {
				w.t.Error("a 204 has a Content-Length")
			}
		}
		if w.from == "h1" && w.conns.Load() > 2 {
			w.t.Errorf("%d connections to the SaaS: an answer without a body cost one", w.conns.Load())
		}
	})
}

// TestRanges: bytes that cannot hold a text pass in part; of a text the whole is
// sent, for a secret cut in two could be read out piece by piece.
func TestRanges(t *testing.T) {
	content := strings.Repeat("0123456789", 1000)
	overWires(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"v1"`)
		w.Header().Set("Content-Type", r.URL.Query().Get("type"))
		http.ServeContent(w, r, "", time.Unix(1e9, 0), strings.NewReader(content))
	}, func(w *wires) {
		for _, c := range []struct {
			kind, spec, ifRange string
			status              int
			want                string
		}{
			{"image/png", "bytes=10-19", "", 206, content[10:20]},
			{"image/png", "bytes=-5", `"v1"`, 206, content[len(content)-5:]},
			{"image/png", "bytes=10-19", `"v0"`, 200, content},
			{"image/png", "bytes=99999-", "", 416, ""},
			{"text/plain", "bytes=10-19", "", 200, content},
			{"text/plain", "", "", 200, content},
		} {
			r := w.request(http.MethodGet, "/file?type="+c.kind)
			r.Header.Set("Range", c.spec)
			if c.spec == "" {
				r.Header.Del("Range")
			}
			if c.ifRange != "" {
				r.Header.Set("If-Range", c.ifRange)
			}
			resp := w.do(r)
			b, err := io.ReadAll(resp.Body)
			if c.status == 416 {
				b = nil
			}
			if err != nil || resp.StatusCode != c.status || string(b) != c.want {
				w.t.Errorf("%s %s %s: %d, %d bytes, %v", c.kind, c.spec, c.ifRange, resp.StatusCode, len(b), err)
			}
			if c.status == 206 && !strings.HasPrefix(resp.Header.Get("Content-Range"), "bytes ") {
				w.t.Errorf("a part without Content-Range: %v", resp.Header)
			}
		}
	})
}
