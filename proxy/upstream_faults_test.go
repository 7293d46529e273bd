package proxy

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/wire"
)

// impatient is a configuration under which every wait of the tests is short.
func impatient() wire.Config {
	return wire.Config{HeadTimeout: 400 * time.Millisecond, BodyStall: 400 * time.Millisecond, AnswerStall: 400 * time.Millisecond,
		ResponseHead: 400 * time.Millisecond, MaxHeadBytes: 8 << 10, MaxFields: 40}
}

// tooLong fails a test that hangs; how long things take is not judged.
const tooLong = 8 * time.Second

// troubles are applications that do not answer as they should. breaks: the
// answer has begun and must break off for the agent too. For an agent a 502 of
// ours and the reason for it are all that may be left.
var troubles = []struct {
	name   string
	does   func(net.Conn)
	want   verdict
	breaks bool
}{
	{name: "says nothing", does: wait, want: verdict{504, "upstream_unreachable"}},
	{name: "hangs up", does: func(net.Conn) {}, want: verdict{502, "upstream_unreachable"}},
	{name: "resets", does: func(c net.Conn) { _ = c.(*net.TCPConn).SetLinger(0) }, want: verdict{502, "upstream_unreachable"}},
	{name: "speaks no HTTP", does: say("SSH-2.0-OpenSSH_9.2\r\n"), want: verdict{502, "upstream_unreachable"}},
	{name: "speaks HTTP/2 unasked", does: say("\x00\x00\x00\x04\x00\x00\x00\x00\x00\r\n\r\n"), want: verdict{502, "upstream_unreachable"}},
	{name: "hangs up in its head", does: say("HTTP/1.1 200 OK\r\nContent-Ty"), want: verdict{502, "upstream_unreachable"}},
	{name: "stops in its head", does: sayAndHold("HTTP/1.1 200 OK\r\nContent-Ty"), want: verdict{504, "upstream_unreachable"}},
	{name: "drips its head", does: drip("HTTP/1.1 200 OK\r\n", "X: y\r\n"), want: verdict{504, "upstream_unreachable"}},
	{name: "has a head without an end", does: pour("HTTP/1.1 200 OK\r\n", "X-Endless: yes\r\n"), want: verdict{502, "upstream_unreachable"}},
	{name: "has a line without an end", does: pour("HTTP/1.1 200 OK\r\nX: ", "yyyyyyyyyyyyyyyy"), want: verdict{502, "upstream_unreachable"}},
	{name: "has too many fields", does: say("HTTP/1.1 200 OK\r\n" + strings.Repeat("X: y\r\n", 50) + "\r\n"), want: verdict{502, "upstream_unreachable"}},
	{name: "gives interim answers without an end", does: pour("", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"), want: verdict{502, "upstream_unreachable"}},
	{name: "frames its body twice", does: say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), want: verdict{502, "upstream_unreachable"}},
	{name: "gives two lengths", does: say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nokk"), want: verdict{502, "upstream_unreachable"}},
	{name: "ends lines in LF", does: say("HTTP/1.1 200 OK\nContent-Length: 2\n\nok"), want: verdict{502, "upstream_unreachable"}},
	{name: "folds a field", does: say("HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\nok"), want: verdict{502, "upstream_unreachable"}},
	{name: "has a NUL in a field", does: say("HTTP/1.1 200 OK\r\nX: a\x00b\r\nContent-Length: 2\r\n\r\nok"), want: verdict{502, "upstream_unreachable"}},
	{name: "switches protocols unasked", does: say("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"), want: verdict{502, "upstream_unreachable"}},
	{name: "garbles the coding of its body", does: say("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nok"), want: verdict{200, ""}, breaks: true},
	{name: "hangs up in a short body", does: say("HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nok"), want: verdict{502, "upstream_unreachable"}},
	{name: "stops in a short body", does: sayAndHold("HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nok"), want: verdict{504, "upstream_unreachable"}},
	{name: "hangs up in a long body", does: say("HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\nok"), want: verdict{200, ""}, breaks: true},
	{name: "stops in a long body", does: sayAndHold("HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\nok"), want: verdict{200, ""}, breaks: true},
	{name: "hangs up between chunks", does: say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n"), want: verdict{200, ""}, breaks: true},
	{name: "garbles a chunk", does: sayLater("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", "zz\r\n"), want: verdict{200, ""}, breaks: true},
	{name: "resets in a long body", does: func(c net.Conn) {
		io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\nok")
		time.Sleep(50 * time.Millisecond)
		_ = c.(*net.TCPConn).SetLinger(0)
	}, want: verdict{200, ""}, breaks: true},
}

func say(s string) func(net.Conn) {
	return func(c net.Conn) { io.WriteString(c, s) }
}

func sayAndHold(s string) func(net.Conn) {
	return func(c net.Conn) { io.WriteString(c, s); wait(c) }
}

func sayLater(first, then string) func(net.Conn) {
	return func(c net.Conn) {
		io.WriteString(c, first)
		time.Sleep(50 * time.Millisecond)
		io.WriteString(c, then)
	}
}

// wait waits until the other side gives up.
func wait(c net.Conn) {
	_ = c.SetReadDeadline(time.Now().Add(tooLong))
	_, _ = io.Copy(io.Discard, c)
}

func drip(first, then string) func(net.Conn) {
	return func(c net.Conn) {
		_, err := io.WriteString(c, first)
		for until := time.Now().Add(tooLong); err == nil && time.Now().Before(until); time.Sleep(20 * time.Millisecond) {
			_, err = io.WriteString(c, then)
		}
	}
}

// pour writes without an end, and at least within reason.
func pour(first, then string) func(net.Conn) {
	return func(c net.Conn) {
		_ = c.SetWriteDeadline(time.Now().Add(tooLong))
		_, err := io.WriteString(c, first)
		for n := 0; err == nil && n < 64<<20; n += len(then) {
			_, err = io.WriteString(c, then)
		}
	}
}

// TestI10TroubleUpstream: whatever the application does, the agent has one clear
// answer or one that breaks off, in set time, and another task has its own.
func TestI10TroubleUpstream(t *testing.T) {
	origin := newRecorder(t)
	origin.troubles = map[string]func(net.Conn){}
	for i, c := range troubles {
		origin.troubles[fmt.Sprintf("/page/%d", i)] = c.does
	}
	h := openOver(t, origin, impatient())
	other := *h
	other.proxy = h.newTask(t)
	other.fine(t)
	h.fine(t)
	for i, c := range troubles {
		for _, kind := range []string{"tls", "h2"} {
			t.Run(c.name+"/"+kind, func(t *testing.T) {
				done := make(chan struct{})
				go func() {
					defer close(done)
					h.trouble(t, kind, fmt.Sprintf("/page/%d", i), c.want, c.breaks)
				}()
				other.fine(t)
				<-done
				h.fine(t)
			})
		}
	}
}

// fine makes an exchange that nothing is wrong with.
func (h *hostileHouse) fine(t *testing.T) {
	t.Helper()
	g, broke := h.one(t, "tls", "GET /page/fine HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n")
	if g.status != 200 || g.body != "ok" || broke {
		t.Errorf("a request that has nothing to do with it: %d %q", g.status, g.body)
	}
}

func (h *hostileHouse) trouble(t *testing.T, kind, path string, want verdict, breaks bool) {
	g, broke := h.one(t, kind, "GET "+path+" HTTP/1.1\r\nHost: example.com\r\n\r\n")
	switch {
	case breaks && kind == "h2" && g.verdict == (verdict{}) && broke: // the stream's reset took its status with it
	case g.verdict != want:
		t.Errorf("%v, want %v: %s", g.verdict, want, g.body)
	case broke != breaks:
		t.Errorf("the answer broke off: %v, want %v: %q", broke, breaks, g.body)
	}
}

// one sends raw on a new connection and reads one answer.
func (h *hostileHouse) one(t *testing.T, kind, raw string) (g got, broke bool) {
	t.Helper()
	if kind == "h2" {
		f := h.frames(t)
		defer f.conn.Close()
		fields, body := translate(raw)
		if err := f.request(1, fields, []byte(body)); err != nil {
			t.Error(err)
		}
		f.until(func() bool { return f.answers[1] != nil && f.answers[1].close })
		if f.answers[1] == nil {
			return g, true
		}
		g = *f.answers[1]
		g.code = problemOf(t, g.header, g.body)
		return g, g.verdict == (verdict{})
	}
	if kind == "front" {
		raw = absolute(raw, h.proxy)
	}
	conn := h.connect(t, kind)
	defer conn.Close()
	go io.WriteString(conn, raw)
	br := bufio.NewReader(conn)
	resp, err := http.ReadResponse(br, nil)
	for err == nil && resp.StatusCode < 200 {
		resp, err = http.ReadResponse(br, nil)
	}
	if err != nil {
		t.Errorf("no answer: %v", err)
		return g, true
	}
	b, err := io.ReadAll(resp.Body)
	g = got{verdict: verdict{status: resp.StatusCode}, header: resp.Header, body: string(b)}
	g.code = problemOf(t, resp.Header, g.body)
	return g, err != nil
}

// TestI10LimitsOfAHead: a head beyond the limits has one answer on every wire.
func TestI10LimitsOfAHead(t *testing.T) {
	h := openHostile(t, impatient())
	for _, c := range []struct {
		name, raw string
		want      verdict
		kinds     []string
	}{
		{"one field of 9 KiB", "GET /page/1 HTTP/1.1\r\nHost: example.com\r\nX: " + strings.Repeat("y", 9<<10) + "\r\n\r\n", verdict{431, "too_large"}, nil},
		{"many fields, 9 KiB together", "GET /page/1 HTTP/1.1\r\nHost: example.com\r\n" + strings.Repeat("X-Name: "+strings.Repeat("y", 300)+"\r\n", 30) + "\r\n", verdict{431, "too_large"}, nil},
		{"50 fields", "GET /page/1 HTTP/1.1\r\nHost: example.com\r\n" + strings.Repeat("X: y\r\n", 50) + "\r\n", verdict{431, "too_large"}, nil},
		{"a target of 9 KiB", "GET /page/" + strings.Repeat("y", 9<<10) + " HTTP/1.1\r\nHost: example.com\r\n\r\n", verdict{431, "too_large"}, nil},
		{"a cookie of 9 KiB", "GET /page/1 HTTP/1.1\r\nHost: example.com\r\nCookie: sid=" + strings.Repeat("y", 9<<10) + "\r\n\r\n", verdict{431, "too_large"}, nil},
		{"a head of 60 KiB", "GET /page/1 HTTP/1.1\r\nHost: example.com\r\nX: " + strings.Repeat("y", 60<<10) + "\r\n\r\n", verdict{431, "too_large"}, nil},
		{"a head that stops", "GET /page/1 HTTP/1.1\r\nHost: exa", verdict{408, "ambiguous_request"}, []string{"tls", "plain", "front"}},
		{"a body that stops", "POST /page/1 HTTP/1.1\r\nHost: example.com\r\nContent-Length: 100000\r\n\r\nabc", verdict{408, "ambiguous_request"}, []string{"tls", "plain", "front"}},
	} {
		if c.kinds == nil {
			c.kinds = []string{"tls", "plain", "front", "h2"}
		}
		for _, kind := range c.kinds {
			t.Run(c.name+"/"+kind, func(t *testing.T) {
				g, broke := h.one(t, kind, c.raw)
				if g.verdict != c.want || broke != (c.want.status == 0) {
					t.Errorf("%v (broke %v), want %v: %s", g.verdict, broke, c.want, g.body)
				}
			})
		}
	}
	h.fine(t)
}

// TestI10ASlowHeadIsEndedHoweverItDrips: a byte now and then buys no time.
func TestI10ASlowHeadIsEndedHoweverItDrips(t *testing.T) {
	h := openHostile(t, impatient())
	for _, kind := range []string{"tls", "plain", "front"} {
		for _, before := range []string{"", "GET /page/1 HTTP/1.1\r\nHost: example.com\r\n\r\n"} {
			t.Run(fmt.Sprintf("%s after %d bytes", kind, len(before)), func(t *testing.T) {
				conn := h.connect(t, kind)
				br := bufio.NewReader(conn)
				if before != "" {
					if kind == "front" {
						before = absolute(before, h.proxy)
					}
					io.WriteString(conn, before)
					resp, err := http.ReadResponse(br, nil)
					if err != nil {
						t.Fatal(err)
					}
					_, _ = io.Copy(io.Discard, resp.Body)
				}
				go drip("GET /page/1 HTTP/1.1\r\n", "X: y\r\n")(conn)
				resp, err := http.ReadResponse(br, nil)
				if err != nil {
					t.Fatal(err)
				}
				b, _ := io.ReadAll(resp.Body)
				if code := problemOf(t, resp.Header, string(b)); resp.StatusCode != 408 || code != "ambiguous_request" {
					t.Errorf("%d %s", resp.StatusCode, b)
				}
			})
		}
	}
}

// TestI10AnAgentThatNeverReads costs its own connection, after a set time, and
// its exchange is on record as broken off.
func TestI10AnAgentThatNeverReads(t *testing.T) {
	origin := newRecorder(t)
	gone := make(chan struct{}, 8)
	origin.troubles = map[string]func(net.Conn){"/page/endless": func(c net.Conn) {
		_, err := io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
		for chunk := "1000\r\n" + strings.Repeat("z", 4096) + "\r\n"; err == nil; {
			_, err = io.WriteString(c, chunk)
		}
		gone <- struct{}{}
	}}
	h := openOver(t, origin, impatient())
	for _, kind := range []string{"tls", "plain", "front", "h2"} {
		t.Run(kind, func(t *testing.T) {
			raw := "GET /page/endless HTTP/1.1\r\nHost: example.com\r\n\r\n"
			switch kind {
			case "h2":
				f := h.frames(t)
				fields, _ := translate(raw)
				if err := f.request(1, fields, nil); err != nil {
					t.Fatal(err)
				}
			case "front":
				io.WriteString(h.connect(t, kind), absolute(raw, h.proxy))
			default:
				io.WriteString(h.connect(t, kind), raw)
			}
			within(t, "the application's end", gone)
			h.fine(t)
		})
	}
	var codes []string
	for _, r := range h.recordsOf(t, "outcome") {
		if r.Path == "/page/endless" {
			codes = append(codes, r.Code)
		}
	}
	if len(codes) != 4 || slices.Contains(codes, "") {
		t.Errorf("on record: %q", codes)
	}
}

// recordsOf closes the corridor and gives its records of one kind.
func (h *hostileHouse) recordsOf(t *testing.T, kind string) (all []audit.Record) {
	t.Helper()
	h.shut(t)
	for r, err := range audit.Tail(context.Background(), h.dir+"/audit", 10000, false) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Kind == kind {
			all = append(all, r)
		}
	}
	return all
}
