package proxy

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/byline-proxy/byline/proxy/wire"
)

// shortTimeouts returns a configuration with short timeouts and low limits. They
// are long enough for an application that answers at once on a busy machine.
func shortTimeouts() wire.Config {
	const timeout = 1200 * time.Millisecond
	return wire.Config{
		HeadTimeout: timeout, BodyStall: timeout, AnswerStall: timeout, ResponseHead: timeout,
		MaxHeadBytes: 8 << 10, MaxFields: 40,
	}
}

// hangTimeout ends what would hang. Tests do not depend on how long it is.
const hangTimeout = 8 * time.Second

// Answers to an application with a fault.
var (
	badGateway     = verdict{502, "upstream_unreachable"}
	gatewayTimeout = verdict{504, "upstream_unreachable"}
	okAnswer       = verdict{status: 200}
)

// upstreamFault is what an application of HTTP/1.1 does instead of answering. The
// agent gets one answer. If brokenOff, that answer has begun when the fault
// happens, and breaks off for the agent too.
type upstreamFault struct {
	name      string
	do        func(net.Conn)
	want      verdict
	brokenOff bool
}

var upstreamFaults = []upstreamFault{
	{name: "does not answer", do: waitForClose, want: gatewayTimeout},
	{name: "closes the connection", do: func(net.Conn) {}, want: badGateway},
	{name: "resets the connection", do: func(c net.Conn) { _ = c.(*net.TCPConn).SetLinger(0) }, want: badGateway},
	{name: "does not speak HTTP", do: write("SSH-2.0-OpenSSH_9.2\r\n"), want: badGateway},
	{name: "speaks HTTP/2", do: write("\x00\x00\x00\x04\x00\x00\x00\x00\x00\r\n\r\n"), want: badGateway},
	{name: "closes the connection in the head", do: write("HTTP/1.1 200 OK\r\nContent-Ty"), want: badGateway},
	{name: "stops in the head", do: writeAndWait("HTTP/1.1 200 OK\r\nContent-Ty"), want: gatewayTimeout},
	{name: "sends the head slowly", do: writeSlowly("HTTP/1.1 200 OK\r\n", "X: y\r\n"), want: gatewayTimeout},
	{name: "sends an endless head", do: writeEndlessly("HTTP/1.1 200 OK\r\n", "X-Endless: yes\r\n"), want: badGateway},
	{name: "sends an endless line", do: writeEndlessly("HTTP/1.1 200 OK\r\nX: ", "yyyyyyyyyyyyyyyy"), want: badGateway},
	{name: "sends too many fields", do: write("HTTP/1.1 200 OK\r\n" + strings.Repeat("X: y\r\n", 50) + "\r\n"), want: badGateway},
	{name: "sends endless interim answers", do: writeEndlessly("", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"), want: badGateway},
	{name: "frames the body twice", do: write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), want: badGateway},
	{name: "sends two lengths", do: write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nokk"), want: badGateway},
	{name: "ends lines in LF", do: write("HTTP/1.1 200 OK\nContent-Length: 2\n\nok"), want: badGateway},
	{name: "folds a field", do: write("HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\nok"), want: badGateway},
	{name: "sends a NUL in a field", do: write("HTTP/1.1 200 OK\r\nX: a\x00b\r\nContent-Length: 2\r\n\r\nok"), want: badGateway},
	{name: "switches protocols without a request", do: write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"), want: badGateway},
	{name: "sends an invalid coded body", do: write("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nok"), want: okAnswer, brokenOff: true},
	{name: "closes the connection in a short body", do: write("HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nok"), want: badGateway},
	{name: "stops in a short body", do: writeAndWait("HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nok"), want: gatewayTimeout},
	{name: "closes the connection in a long body", do: write("HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\nok"), want: okAnswer, brokenOff: true},
	{name: "stops in a long body", do: writeAndWait("HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\nok"), want: okAnswer, brokenOff: true},
	{name: "closes the connection between chunks", do: write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n"), want: okAnswer, brokenOff: true},
	{name: "sends an invalid chunk", do: writeTwice("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", "zz\r\n"), want: okAnswer, brokenOff: true},
	{name: "sends blanks after a chunk's size", do: write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2  \r\nok\r\n0\r\n\r\n"), want: badGateway},
	{name: "sends an extension that is too long", do: writeTwice("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", "2;"+strings.Repeat("a=b;", 1000)), want: okAnswer, brokenOff: true},
	{name: "ends an extension in LF", do: write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a\nok\r\n0\r\n\r\n"), want: badGateway},
	{name: "resets the connection in a long body", do: func(c net.Conn) {
		io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\nok")
		time.Sleep(50 * time.Millisecond)
		_ = c.(*net.TCPConn).SetLinger(0)
	}, want: okAnswer, brokenOff: true},
}

func write(s string) func(net.Conn) {
	return func(c net.Conn) { io.WriteString(c, s) }
}

func writeAndWait(s string) func(net.Conn) {
	return func(c net.Conn) {
		io.WriteString(c, s)
		waitForClose(c)
	}
}

// writeTwice pauses between the two writes.
func writeTwice(first, second string) func(net.Conn) {
	return func(c net.Conn) {
		io.WriteString(c, first)
		time.Sleep(50 * time.Millisecond)
		io.WriteString(c, second)
	}
}

// waitForClose waits until the other side closes the connection.
func waitForClose(c net.Conn) {
	_ = c.SetReadDeadline(time.Now().Add(hangTimeout))
	_, _ = io.Copy(io.Discard, c)
}

// writeSlowly writes first, and then repeated again and again with pauses, until
// the connection is closed.
func writeSlowly(first, repeated string) func(net.Conn) {
	return func(c net.Conn) {
		_, err := io.WriteString(c, first)
		for deadline := time.Now().Add(hangTimeout); err == nil && time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
			_, err = io.WriteString(c, repeated)
		}
	}
}

// writeEndlessly writes first, and then repeated again and again, until the
// connection is closed or 64 MiB are written.
func writeEndlessly(first, repeated string) func(net.Conn) {
	return func(c net.Conn) {
		_ = c.SetWriteDeadline(time.Now().Add(hangTimeout))
		_, err := io.WriteString(c, first)
		for n := 0; err == nil && n < 64<<20; n += len(repeated) {
			_, err = io.WriteString(c, repeated)
		}
	}
}

// TestI10UpstreamFaults checks that the agent gets one answer for every fault, in
// bounded time, and that another task is served in the meantime.
func TestI10UpstreamFaults(t *testing.T) {
	origin := newRecordingOrigin(t)
	origin.faults = map[string]func(net.Conn){}
	for i, f := range upstreamFaults {
		origin.faults[fmt.Sprintf("/page/%d", i)] = f.do
	}
	h := startServerFor(t, origin, shortTimeouts())
	other := h.withNewTask(t)
	other.checkWorks(t)
	h.checkWorks(t)

	for i, f := range upstreamFaults {
		for _, kind := range []string{"tls", "h2"} {
			t.Run(f.name+"/"+kind, func(t *testing.T) {
				done := make(chan struct{})
				go func() {
					defer close(done)
					h.checkFault(t, kind, fmt.Sprintf("/page/%d", i), f.want, f.brokenOff)
				}()
				other.checkWorks(t)
				<-done
				h.checkWorks(t)
			})
		}
	}
}

// checkFault sends a GET and compares its answer.
func (h *hostileServer) checkFault(t *testing.T, kind, path string, want verdict, wantBrokenOff bool) {
	t.Helper()
	a, brokenOff := h.sendOnce(t, kind, "GET "+path+" HTTP/1.1\r\nHost: example.com\r\n\r\n")
	if wantBrokenOff && kind == "h2" && a.verdict == (verdict{}) && brokenOff {
		return // frameAgent drops the status of a stream that is reset
	}
	if a.verdict != want || brokenOff != wantBrokenOff {
		t.Errorf("GET %s: got %v, broke off %v; want %v, %v: %q", path, a.verdict, brokenOff, want, wantBrokenOff, a.body)
	}
}
