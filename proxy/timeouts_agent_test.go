package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// requestTimeout is the answer to a head that takes too long.
var requestTimeout = verdict{408, "ambiguous_request"}

// TestI10SlowHeadTimesOut writes a head slowly, as the first and as a later
// request of a connection. More bytes do not extend the timeout.
func TestI10SlowHeadTimesOut(t *testing.T) {
	h := startHostileServer(t, shortTimeouts())
	for _, kind := range []string{"tls", "plain", "front"} {
		for _, position := range []string{"first", "second"} {
			t.Run(position+" request/"+kind, func(t *testing.T) {
				conn := h.connect(t, kind)
				in := bufio.NewReader(conn)
				if position == "second" {
					request := "GET /page/1 HTTP/1.1\r\nHost: example.com\r\n\r\n"
					if kind == "front" {
						request = toAbsoluteForm(request, h.credentials)
					}
					io.WriteString(conn, request)
					resp, err := http.ReadResponse(in, nil)
					if err != nil {
						t.Fatal(err)
					}
					_, _ = io.Copy(io.Discard, resp.Body)
				}

				go writeSlowly("GET /page/1 HTTP/1.1\r\n", "X: y\r\n")(conn)
				resp, err := http.ReadResponse(in, nil)
				if err != nil {
					t.Fatal(err)
				}
				body, _ := io.ReadAll(resp.Body)
				got := verdict{resp.StatusCode, refusalCode(t, resp.Header, string(body))}
				if got != requestTimeout {
					t.Errorf("got %v, want %v: %s", got, requestTimeout, body)
				}
			})
		}
	}
}

// TestI10SlowHeadTimesOutInHTTP2 writes a header block slowly, frame by frame or
// byte by byte. More frames do not extend the timeout. The request is answered,
// and the connection ends.
func TestI10SlowHeadTimesOutInHTTP2(t *testing.T) {
	config := shortTimeouts()
	config.IdleTimeout = time.Minute
	h := startHostileServer(t, config)
	for _, c := range []struct {
		name      string
		writeNext func(f *frameAgent, n int) error
	}{
		{"frames without a byte", func(f *frameAgent, n int) error { return f.WriteContinuation(1, false, nil) }},
		{"frames with a field", func(f *frameAgent, n int) error {
			return f.WriteContinuation(1, false, []byte{0, 1, 'x', 1, 'y'})
		}},
		{"bytes of a frame", func(f *frameAgent, n int) error {
			frame := append([]byte{0, 64, 0, 9, 0, 0, 0, 0, 1}, make([]byte, 1<<14)...) // CONTINUATION of 16 KiB
			_, err := f.conn.Write(frame[n : n+1])
			return err
		}},
		{"nothing", func(*frameAgent, int) error { return nil }},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := h.newSettledFrameAgent(t)
			defer f.conn.Close()
			if err := f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: f.encode(floodRequest)}); err != nil {
				t.Fatal(err)
			}
			go func() {
				for n := 0; c.writeNext(f, n) == nil && n < 300; n++ {
					time.Sleep(20 * time.Millisecond)
				}
			}()

			f.readUntil(f.isAnswered(1))
			a := f.answers[1]
			if a == nil || a.status != requestTimeout.status || refusalCode(t, a.header, a.body) != requestTimeout.code {
				t.Errorf("got %+v, want %v", a, requestTimeout)
			}
			if !f.readToEnd() {
				t.Error("the connection did not end after the answer")
			}
		})
	}

	t.Run("one byte of a PING", func(t *testing.T) {
		f := h.newSettledFrameAgent(t)
		defer f.conn.Close()
		if _, err := f.conn.Write([]byte{0, 0, 8, 6, 0, 0, 0, 0, 0, 1}); err != nil {
			t.Fatal(err)
		}
		if !f.readToEnd() {
			t.Error("the connection did not end")
		}
	})
	h.checkWorks(t)
}

// TestI10AgentThatDoesNotReadTimesOut requests an endless answer and does not
// read it. Its exchange ends with a code, and the server goes on.
func TestI10AgentThatDoesNotReadTimesOut(t *testing.T) {
	kinds := []string{"tls", "plain", "front", "h2"}
	origin := newRecordingOrigin(t)
	ended := make(chan struct{}, len(kinds))
	origin.faults = map[string]func(net.Conn){"/page/endless": func(c net.Conn) {
		_, err := io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
		for chunk := "1000\r\n" + strings.Repeat("z", 4096) + "\r\n"; err == nil; {
			_, err = io.WriteString(c, chunk)
		}
		ended <- struct{}{}
	}}
	h := startServerFor(t, origin, shortTimeouts())

	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			const request = "GET /page/endless HTTP/1.1\r\nHost: example.com\r\n\r\n"
			switch kind {
			case "h2":
				f := h.newFrameAgent(t)
				fields, _ := toHTTP2(request)
				if err := f.writeRequest(1, fields, nil); err != nil {
					t.Fatal(err)
				}
			case "front":
				io.WriteString(h.connect(t, kind), toAbsoluteForm(request, h.credentials))
			default:
				io.WriteString(h.connect(t, kind), request)
			}
			receive(t, "the end of the answer at the application", ended)
			h.checkWorks(t)
		})
	}

	var codes []string
	for _, r := range h.readRecords(t, "outcome") {
		if r.Path == "/page/endless" {
			codes = append(codes, r.Code)
		}
	}
	if len(codes) != len(kinds) || slices.Contains(codes, "") {
		t.Errorf("the outcomes have the codes %q, want %d that are not empty", codes, len(kinds))
	}
}

// TestI10RequestTimeouts checks the answers to a head and a body that stop.
func TestI10RequestTimeouts(t *testing.T) {
	h := startHostileServer(t, shortTimeouts())
	for _, c := range []struct{ name, raw string }{
		{"a head that stops", "GET /page/1 HTTP/1.1\r\nHost: exa"},
		{"a body that stops", "POST /page/1 HTTP/1.1\r\nHost: example.com\r\nContent-Length: 100000\r\n\r\nabc"},
	} {
		for _, kind := range []string{"tls", "plain", "front"} {
			t.Run(fmt.Sprintf("%s/%s", c.name, kind), func(t *testing.T) { h.checkOnce(t, kind, c.raw, requestTimeout) })
		}
	}
	h.checkWorks(t)
}

// checkOnce sends a request on a new connection and compares its answer, which
// must not break off.
func (h *hostileServer) checkOnce(t *testing.T, kind, raw string, want verdict) {
	t.Helper()
	a, brokeOff := h.sendOnce(t, kind, raw)
	if a.verdict != want || brokeOff {
		t.Errorf("got %v, broke off %v; want %v: %s", a.verdict, brokeOff, want, a.body)
	}
}
