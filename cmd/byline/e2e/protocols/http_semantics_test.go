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

func TestHTTPSemantics(t *testing.T) {
	m := startMatrix(t, "", 1)
	m.run(
		matrixTest{name: "100 Continue comes from the application", run: testContinue},
		matrixTest{name: "102 and 103 come before the answer, with secrets masked", run: testInterimAnswers},
		matrixTest{name: "trailers pass both ways by the rules of header fields", run: testTrailers},
		matrixTest{name: "HEAD, 204, 304 and an empty answer have no body", run: testAnswersWithoutBody},
		matrixTest{name: "ranges pass with their ETag unless they are of a text", run: testRanges},
		matrixTest{name: "texts are decoded and masked, other types pass as they are", run: testContentCodings},
	)
}

// readTracker is a body that remembers whether it was read.
type readTracker struct {
	io.Reader
	wasRead bool
}

func (r *readTracker) Read(p []byte) (int, error) {
	r.wasRead = true
	return r.Reader.Read(p)
}

// testContinue sends a request with Expect: 100-continue to a handler that reads
// the body and to one that does not.
func testContinue(c *cell) {
	c.handle(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/unwanted") {
			w.WriteHeader(http.StatusExpectationFailed)
			return
		}
		body, _ := io.ReadAll(r.Body) // sends 100 Continue
		fmt.Fprintf(w, "read %d", len(body))
	})

	for _, k := range []struct {
		path, want string
		status     int
		wanted     bool // the application reads the body
	}{
		{"/wanted", "read 9", 200, true},
		{"/unwanted", "", 417, false},
	} {
		body := &readTracker{Reader: strings.NewReader("the body!")}
		continued := false
		r := c.newRequest("PUT", k.path, body)
		r.ContentLength = 9
		r.Header.Set("Expect", "100-continue")
		trace := &httptrace.ClientTrace{Got100Continue: func() { continued = true }}
		resp := c.send(r.WithContext(httptrace.WithClientTrace(r.Context(), trace)))

		got, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != k.status || string(got) != k.want {
			c.t.Errorf("PUT %s: got status %d, body %q, error %v; want %d, %q", k.path, resp.StatusCode, got, err, k.status, k.want)
		}
		if continued != k.wanted || body.wasRead != k.wanted {
			c.t.Errorf("PUT %s: the agent got 100 Continue: %v, and sent its body: %v; want %v for both", k.path, continued, body.wasRead, k.wanted)
		}
	}
}

func testInterimAnswers(c *cell) {
	var session string
	c.handle(func(w http.ResponseWriter, r *http.Request) {
		session = sessionOf(r)
		h := w.Header()
		h.Set("Link", "</style.css>; rel=preload")
		h.Set("X-Echo", session)
		h.Set("Set-Cookie", "sid="+session+"; Path=/")
		w.WriteHeader(http.StatusProcessing)
		w.WriteHeader(http.StatusEarlyHints)
		clear(h)
		fmt.Fprint(w, "done")
	})

	var interim []string
	r := c.newRequest("GET", "/page", nil)
	trace := &httptrace.ClientTrace{Got1xxResponse: func(status int, h textproto.MIMEHeader) error {
		interim = append(interim, fmt.Sprint(status, " ", h["Link"], h["X-Echo"], h["Set-Cookie"]))
		return nil
	}}
	resp := c.send(r.WithContext(httptrace.WithClientTrace(r.Context(), trace)))
	if body, err := io.ReadAll(resp.Body); err != nil || string(body) != "done" || resp.Header.Get("Link") != "" {
		c.t.Errorf("got body %q, error %v, header %v; want \"done\" and no Link", body, err, resp.Header)
	}
	fields := " [</style.css>; rel=preload] [" + mask(session) + "] []"
	if want := []string{"102" + fields, "103" + fields}; !slices.Equal(interim, want) {
		c.t.Errorf("I1: got interim answers %q, want %q", interim, want)
	}
}

// testTrailers sends trailers of which one is a borrowed credential. The answer
// has trailers of which one is the session, and one that names what arrived.
func testTrailers(c *cell) {
	var session string
	c.handle(func(w http.ResponseWriter, r *http.Request) {
		session = sessionOf(r)
		w.Header().Set("Trailer", "X-Sum, X-Echo, X-Saw")
		body, _ := io.ReadAll(r.Body)
		_, _ = w.Write(body)
		flush(w)
		w.Header().Set("X-Sum", "42")
		w.Header().Set("X-Echo", session)
		w.Header().Set("X-Saw", fmt.Sprint(r.Trailer["X-Check"], r.Trailer["X-Api-Key"], r.Header["Te"]))
	})

	r := c.newRequest("POST", "/page", io.NopCloser(strings.NewReader("hello")))
	r.ContentLength = -1
	r.Trailer = http.Header{"X-Check": {"sum"}, "X-Api-Key": {c.borrowed.Value}}
	r.Header.Set("Te", "trailers")
	resp := c.send(r)
	if body, err := io.ReadAll(resp.Body); err != nil || string(body) != "hello" {
		c.t.Fatalf("got body %q, error %v; want \"hello\"", body, err)
	}
	for name, want := range map[string]string{"X-Sum": "42", "X-Echo": mask(session), "X-Saw": "[sum] [] [trailers]"} {
		if got := resp.Trailer.Get(name); got != want {
			c.t.Errorf("the trailer %s is %q, want %q", name, got, want)
		}
	}
}

func testAnswersWithoutBody(c *cell) {
	const etag = `"v1"`
	c.handle(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", etag)
		switch {
		case strings.HasSuffix(r.URL.Path, "/long"):
			w.Header().Set("Content-Length", "1234567")
		case strings.HasSuffix(r.URL.Path, "/204"):
			w.WriteHeader(http.StatusNoContent)
		case strings.HasSuffix(r.URL.Path, "/304"):
			if got := r.Header.Get("If-None-Match"); got != etag {
				c.t.Errorf("GET /304 arrived with If-None-Match %q, want %s", got, etag)
			}
			w.WriteHeader(http.StatusNotModified)
		default:
			w.Header().Set("Content-Length", "0")
		}
	})

	const anyLength = -2
	for _, k := range []struct {
		method, path string
		status       int
		length       int64
	}{
		{"HEAD", "/long", 200, 1234567},
		{"GET", "/204", 204, 0},
		{"DELETE", "/204", 204, 0},
		{"GET", "/304", 304, anyLength}, // clients differ in how they report that there is no length
		{"GET", "/empty", 200, 0},
		{"HEAD", "/empty", 200, 0},
	} {
		r := c.newRequest(k.method, k.path, nil)
		r.Header.Set("If-None-Match", etag)
		resp := c.send(r)
		body, err := io.ReadAll(resp.Body)
		if err != nil || len(body) > 0 || resp.StatusCode != k.status || resp.Header.Get("ETag") != etag {
			c.t.Errorf("%s %s: got status %d, %d bytes, error %v, ETag %s; want %d, no body and %s",
				k.method, k.path, resp.StatusCode, len(body), err, resp.Header.Get("ETag"), k.status, etag)
		}
		if k.length != anyLength && resp.ContentLength != k.length {
			c.t.Errorf("%s %s: got length %d, want %d", k.method, k.path, resp.ContentLength, k.length)
		}
		if length := resp.Header["Content-Length"]; k.status == 204 && len(length) > 0 {
			c.t.Errorf("%s %s: got 204 with Content-Length %q, want none", k.method, k.path, length)
		}
	}
}

// testRanges checks that a range of an image passes, and that the whole text is
// asked for instead of a range. Otherwise a secret could be read in pieces that are
// too short to be masked.
func testRanges(c *cell) {
	content := strings.Repeat("\x89\x00\x01345\x02\x03\x049", 1000)
	c.handle(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"v1"`)
		w.Header().Set("Content-Type", r.URL.Query().Get("type"))
		http.ServeContent(w, r, "", time.Unix(1e9, 0), strings.NewReader(content))
	})

	for _, k := range []struct {
		mediaType, requested, ifRange string
		status                        int
		body, contentRange            string
	}{
		{"image/png", "bytes=10-19", "", 206, content[10:20], "bytes 10-19/10000"},
		{"image/png", "bytes=-5", `"v1"`, 206, content[9995:], "bytes 9995-9999/10000"},
		{"image/png", "bytes=10-19", `"v0"`, 200, content, ""},
		{"image/png", "bytes=99999-", "", 416, "invalid range: failed to overlap\n", "bytes */10000"},
		{"text/plain", "bytes=10-19", "", 200, content, ""},
		{"text/plain", "", "", 200, content, ""},
	} {
		path := "/" + strings.ReplaceAll(k.mediaType, "/", "-")
		r := c.newRequest("GET", path+"?type="+k.mediaType, nil)
		r.Header.Set("Accept", k.mediaType)
		if k.requested != "" {
			r.Header.Set("Range", k.requested)
		}
		if k.ifRange != "" {
			r.Header.Set("If-Range", k.ifRange)
		}

		resp := c.send(r)
		body, err := io.ReadAll(resp.Body)
		if got := resp.Header.Get("Content-Range"); err != nil || resp.StatusCode != k.status || string(body) != k.body || got != k.contentRange {
			c.t.Errorf("%s of %s, If-Range %q: got status %d, %d bytes, Content-Range %q, error %v; want %d, %d bytes, %q",
				k.requested, k.mediaType, k.ifRange, resp.StatusCode, len(body), got, err, k.status, len(k.body), k.contentRange)
		}
		if etag := resp.Header.Get("ETag"); k.status < 300 && etag != `"v1"` {
			c.t.Errorf("%s of %s: got ETag %s, want \"v1\"", k.requested, k.mediaType, etag)
		}
	}
}

func gzipText(text string) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	return b.Bytes()
}

// testContentCodings checks that a coded text is decoded, masked and marked as
// another representation, whatever its type says; and that a coding that Byline
// cannot decode is refused.
func testContentCodings(c *cell) {
	words := strings.Repeat("some words ", 5000)
	var session string
	c.handle(func(w http.ResponseWriter, r *http.Request) {
		session = sessionOf(r)
		query := r.URL.Query()
		body := []byte(words + session)
		if query.Get("coding") == "gzip" {
			body = gzipText(string(body))
		}
		w.Header().Set("Content-Type", query.Get("type"))
		w.Header().Set("ETag", `"v1"`)
		if query.Get("coding") != "" {
			w.Header().Set("Content-Encoding", query.Get("coding"))
		}
		_, _ = w.Write(body)
	})

	masked := func(session string) string { return words + mask(session) }
	for _, k := range []struct {
		mediaType, coding string
		status            int
		gotCoding, etag   string
		body              func(session string) string // nil: not compared
	}{
		{"text/html", "", 200, "", `"v1"`, masked},
		{"application/json", "gzip", 200, "", `W/"v1"`, masked},
		{"text/html", "br", 502, "", "", nil},
		{"image/png", "gzip", 200, "", `W/"v1"`, masked},
	} {
		path := "/" + strings.ReplaceAll(k.mediaType, "/", "-") + k.coding
		if k.status == 502 {
			c.expectCode(path, "upstream_unreachable")
		}
		r := c.newRequest("GET", path+"?type="+k.mediaType+"&coding="+k.coding, nil)
		r.Header.Set("Accept-Encoding", "gzip, br")
		r.Header.Set("Sec-Fetch-Dest", "image") // otherwise Byline requests only codings that it can decode

		resp := c.sendAs(c.agent.WithoutTranscript(), r)
		body, err := io.ReadAll(resp.Body)
		gotCoding, etag := resp.Header.Get("Content-Encoding"), resp.Header.Get("ETag")
		if err != nil || resp.StatusCode != k.status || gotCoding != k.gotCoding || etag != k.etag {
			c.t.Errorf("%s in coding %q: got status %d, coding %q, ETag %s, error %v; want %d, %q, %s",
				k.mediaType, k.coding, resp.StatusCode, gotCoding, etag, err, k.status, k.gotCoding, k.etag)
		}
		if k.body != nil && string(body) != k.body(session) {
			c.t.Errorf("%s in coding %q: got %d bytes that differ from the expected %d", k.mediaType, k.coding, len(body), len(k.body(session)))
		}
	}
}
