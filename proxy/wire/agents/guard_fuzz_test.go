package agents

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/byline-proxy/byline/proxy/wire"
)

// guardSeeds are heads that the guard passes, and heads that it must not pass.
var guardSeeds = []string{
	"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
	"POST /a%20b?c=%zz HTTP/1.1\r\nHost: A.example:8080\r\nContent-Length: 3\r\nCookie: a=b; c=d\r\n\r\n",
	"PUT /x HTTP/1.1\r\nHost: [::1]:443\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\nExpect: 100-continue\r\n\r\n",
	"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n",
	"GET http://a.example/x HTTP/1.1\r\nHost: a.example:80\r\nProxy-Authorization: Basic eA==\r\n\r\n",
	"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
	"GET / HTTP/1.1\nHost: a\n\n",
	"GET /\x00 HTTP/1.1\r\nHost : a\r\n\r\n",
}

// FuzzGuard shows that net/http reads from the guard only whole requests that both
// judge alike, and then the end, whatever an agent sends.
func FuzzGuard(f *testing.F) {
	for _, head := range guardSeeds {
		f.Add([]byte(head), uint8(255))
		f.Add([]byte(head+"3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n"+guardSeeds[0]), uint8(2))
	}
	server := NewServer(wire.Config{})
	f.Fuzz(func(t *testing.T, raw []byte, step uint8) {
		conn := &scriptedConn{in: raw, step: int(step) + 1}
		guarded := server.Guard(conn, nil).(*guardedConn)
		guarded.answered.Store(true) // so that it calls no callback
		source := bufio.NewReader(guarded)
		for {
			r, err := http.ReadRequest(source)
			if err != nil {
				if guarded.err == nil && err != io.EOF && err != io.ErrUnexpectedEOF {
					t.Fatalf("net/http refuses what the guard passed: %v\n%q", err, raw)
				}
				return
			}
			if len(r.TransferEncoding) > 0 && r.ContentLength >= 0 {
				t.Fatalf("a body that is framed twice has passed: %q", raw)
			}
			if r.Method == http.MethodConnect || r.Header.Get("Upgrade") != "" {
				return // what follows waits for a response
			}
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				return
			}
		}
	})
}

// scriptedConn is a connection whose peer sends in and then closes it.
type scriptedConn struct {
	net.Conn
	in   []byte
	step int // most bytes of one read
}

func (s *scriptedConn) Read(p []byte) (int, error) {
	if len(s.in) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), s.step)], s.in)
	s.in = s.in[n:]
	return n, nil
}

func (s *scriptedConn) SetReadDeadline(time.Time) error { return nil }
