package protocols

import (
	"bytes"
	"compress/gzip"
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

func TestMessages(t *testing.T) {
	m := open(t, "", 1)
	m.keeps(
		promise{name: "100 Continue is the application's to say", test: continues},
		promise{name: "103 Early Hints come ahead, without secrets", test: earlyHints},
		promise{name: "trailers go both ways under the rules of headers", test: trailers},
		promise{name: "HEAD, 204, 304 and nothing at all have no body", test: bodiless},
		promise{name: "ranges of what is no text pass with their ETag", test: ranges},
		promise{name: "text comes readable and masked, the rest as it is coded", test: codings},
	)
}

// noted is a body that knows whether it was asked for.
type noted struct {
	io.Reader
	read bool
}

func (n *noted) Read(p []byte) (int, error) { n.read = true; return n.Reader.Read(p) }

func continues(c *cell) {
	c.answers(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/no") {
			w.WriteHeader(http.StatusExpectationFailed)
			return
		}
		b, _ := io.ReadAll(r.Body) // says 100 Continue
		fmt.Fprintf(w, "took %d", len(b))
	})
	for _, k := range []struct {
		path, want string
		status     int
		wanted     bool
	}{{"/yes", "took 9", 200, true}, {"/no", "", 417, false}} {
		body, asked := &noted{Reader: strings.NewReader("the body!")}, false
		r := c.request("PUT", k.path, body)
		r.ContentLength = 9
		r.Header.Set("Expect", "100-continue")
		trace := &httptrace.ClientTrace{Got100Continue: func() { asked = true }}
		a := c.do(r.WithContext(httptrace.WithClientTrace(r.Context(), trace)))
		b, err := io.ReadAll(a.Body)
		if err != nil || a.StatusCode != k.status || string(b) != k.want {
			c.t.Errorf("%s: %d %q %v", k.path, a.StatusCode, b, err)
		}
		if asked != k.wanted || body.read != k.wanted {
			c.t.Errorf("%s: the agent was told to go on: %v, its body left it: %v; the application wanted it: %v", k.path, asked, body.read, k.wanted)
		}
	}
}

func earlyHints(c *cell) {
	var session string
	c.answers(func(w http.ResponseWriter, r *http.Request) {
		session = sessionOf(r)
		h := w.Header()
		h.Set("Link", "</style.css>; rel=preload")
		h.Set("X-Echo", session)
		h.Set("Set-Cookie", "sid="+session+"; Path=/")
		w.WriteHeader(http.StatusEarlyHints)
		clear(h)
		fmt.Fprint(w, "done")
	})
	var got []string
	r := c.request("GET", "/page", nil)
	trace := &httptrace.ClientTrace{Got1xxResponse: func(status int, h textproto.MIMEHeader) error {
		got = append(got, fmt.Sprint(status, h["Link"], h["X-Echo"], h["Set-Cookie"]))
		return nil
	}}
	a := c.do(r.WithContext(httptrace.WithClientTrace(r.Context(), trace)))
	if b, err := io.ReadAll(a.Body); err != nil || string(b) != "done" || a.Header.Get("Link") != "" {
		c.t.Errorf("%q %v %v", b, err, a.Header)
	}
	if want := []string{"103 [</style.css>; rel=preload] [" + masked(session) + "] []"}; !slices.Equal(got, want) {
		c.t.Errorf("I1: interim answers %q, want %q", got, want)
	}
}

func trailers(c *cell) {
	var session string
	c.answers(func(w http.ResponseWriter, r *http.Request) {
		session = sessionOf(r)
		w.Header().Set("Trailer", "X-Sum, X-Echo, X-Saw")
		b, _ := io.ReadAll(r.Body)
		_, _ = w.Write(b)
		flush(w)
		w.Header().Set("X-Sum", "42")
		w.Header().Set("X-Echo", session)
		w.Header().Set("X-Saw", fmt.Sprint(r.Trailer["X-Check"], r.Trailer["X-Api-Key"], r.Header["Te"]))
	})
	r := c.request("POST", "/page", io.NopCloser(strings.NewReader("hello")))
	r.ContentLength, r.Trailer = -1, http.Header{"X-Check": {"sum"}, "X-Api-Key": {c.lent.Value}}
	r.Header.Set("Te", "trailers")
	a := c.do(r)
	if b, err := io.ReadAll(a.Body); err != nil || string(b) != "hello" {
		c.t.Fatalf("%q %v", b, err)
	}
	for name, want := range map[string]string{"X-Sum": "42", "X-Echo": masked(session), "X-Saw": "[sum] [] [trailers]"} {
		if got := a.Trailer.Get(name); got != want {
			c.t.Errorf("%s behind the body is %q, want %q", name, got, want)
		}
	}
}

func bodiless(c *cell) {
	c.answers(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"v1"`)
		switch {
		case strings.HasSuffix(r.URL.Path, "/long"):
			w.Header().Set("Content-Length", "1234567")
		case strings.HasSuffix(r.URL.Path, "/204"):
			w.WriteHeader(http.StatusNoContent)
		case strings.HasSuffix(r.URL.Path, "/304"):
			if r.Header.Get("If-None-Match") != `"v1"` {
				c.t.Errorf("the condition did not arrive: %v", r.Header)
			}
			w.WriteHeader(http.StatusNotModified)
		default:
			w.Header().Set("Content-Length", "0")
		}
	})
	for _, k := range []struct {
		method, path string
		status       int
		length       int64 // -1: not looked at
	}{
		{"HEAD", "/long", 200, 1234567},
		{"GET", "/204", 204, 0},
		{"DELETE", "/204", 204, 0},
		{"GET", "/304", 304, -1}, // the libraries disagree about what an absent length is called
		{"GET", "/empty", 200, 0},
		{"HEAD", "/empty", 200, 0},
	} {
		r := c.request(k.method, k.path, nil)
		r.Header.Set("If-None-Match", `"v1"`)
		a := c.do(r)
		b, err := io.ReadAll(a.Body)
		if err != nil || len(b) > 0 || a.StatusCode != k.status || k.length >= 0 && a.ContentLength != k.length || a.Header.Get("ETag") != `"v1"` {
			c.t.Errorf("%s %s: %d, length %d, %d bytes, %v %v", k.method, k.path, a.StatusCode, a.ContentLength, len(b), err, a.Header)
		}
		if k.status == 204 && len(a.Header["Content-Length"]) > 0 {
			c.t.Error("a 204 has a Content-Length")
		}
	}
}

// ranges: of a text the whole is sent, for a secret cut in two could be read out
// piece by piece.
func ranges(c *cell) {
	content := strings.Repeat("0123456789", 1000)
	c.answers(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"v1"`)
		w.Header().Set("Content-Type", r.URL.Query().Get("type"))
		http.ServeContent(w, r, "", time.Unix(1e9, 0), strings.NewReader(content))
	})
	for _, k := range []struct {
		kind, asked, ifRange string
		status               int
		want, part           string
	}{
		{"image/png", "bytes=10-19", "", 206, content[10:20], "bytes 10-19/10000"},
		{"image/png", "bytes=-5", `"v1"`, 206, content[9995:], "bytes 9995-9999/10000"},
		{"image/png", "bytes=10-19", `"v0"`, 200, content, ""},
		{"image/png", "bytes=99999-", "", 416, "invalid range: failed to overlap\n", "bytes */10000"},
		{"text/plain", "bytes=10-19", "", 200, content, ""},
	} {
		path := "/" + strings.ReplaceAll(k.kind, "/", "-")
		if k.kind == "text/plain" {
			c.asksAgain(path) // for the whole, when a part has come
		}
		r := c.request("GET", path+"?type="+k.kind, nil)
		r.Header.Set("Range", k.asked)
		if k.ifRange != "" {
			r.Header.Set("If-Range", k.ifRange)
		}
		a := c.do(r)
		b, err := io.ReadAll(a.Body)
		if err != nil || a.StatusCode != k.status || string(b) != k.want || a.Header.Get("Content-Range") != k.part {
			c.t.Errorf("%s %s if %q: %d, %d bytes, part %q, %v", k.kind, k.asked, k.ifRange, a.StatusCode, len(b), a.Header.Get("Content-Range"), err)
		}
		if k.status < 300 && a.Header.Get("ETag") != `"v1"` {
			c.t.Errorf("%s %s: ETag %q", k.kind, k.asked, a.Header.Get("ETag"))
		}
	}
}

func packed(text string) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	return b.Bytes()
}

// codings: a coded text is read, masked, and said to be another form of the same;
// what is no text, and a coding nobody here can read, are not touched or not let
// through.
func codings(c *cell) {
	words := strings.Repeat("some words ", 5000)
	var session string
	c.answers(func(w http.ResponseWriter, r *http.Request) {
		session = sessionOf(r)
		q, body := r.URL.Query(), []byte(words+session)
		if q.Get("coding") == "gzip" {
			body = packed(string(body))
		}
		w.Header().Set("Content-Type", q.Get("type"))
		w.Header().Set("ETag", `"v1"`)
		if q.Get("coding") != "" {
			w.Header().Set("Content-Encoding", q.Get("coding"))
		}
		_, _ = w.Write(body)
	})
	for _, k := range []struct {
		kind, coding string
		status       int
		coded, etag  string
		body         func(session string) string
	}{
		{"text/html", "", 200, "", `"v1"`, func(s string) string { return words + masked(s) }},
		{"application/json", "gzip", 200, "", `W/"v1"`, func(s string) string { return words + masked(s) }},
		{"text/html", "br", 502, "", "", nil},
		{"image/png", "gzip", 200, "gzip", `"v1"`, func(s string) string { return string(packed(words + s)) }},
	} {
		path := "/" + strings.ReplaceAll(k.kind, "/", "-") + k.coding
		if k.status == 502 {
			c.ends(path, "upstream_unreachable")
		}
		r := c.request("GET", path+"?type="+k.kind+"&coding="+k.coding, nil)
		r.Header.Set("Accept-Encoding", "gzip, br")
		r.Header.Set("Sec-Fetch-Dest", "image") // else only what can be read is asked for
		a := c.doAs(c.agent.WithoutTranscript(), r)
		b, err := io.ReadAll(a.Body)
		if err != nil || a.StatusCode != k.status || a.Header.Get("Content-Encoding") != k.coded || a.Header.Get("ETag") != k.etag || k.body != nil && string(b) != k.body(session) {
			c.t.Errorf("%s in %q: %d, %d bytes, %v, %v", k.kind, k.coding, a.StatusCode, len(b), err, a.Header)
		}
	}
}
