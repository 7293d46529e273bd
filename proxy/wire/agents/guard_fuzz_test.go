package agents

import (
	"bufio"
	"bytes"
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
	"GET / HTTP/1.1\nHost: a\n\n", "GET /\x00 HTTP/1.1\r\nHost : a\r\n\r\n",
}

// FuzzGuard: of whatever comes, net/http reads from the guard whole requests
// that we judge as the guard did, and then the end.
func FuzzGuard(f *testing.F) {
	for _, h := range guardSeeds {
		f.Add([]byte(h), uint8(255))
		f.Add([]byte(h+"3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n"+guardSeeds[0]), uint8(2))
	}
	server := NewServer(wire.Config{})
	f.Fuzz(func(t *testing.T, raw []byte, step uint8) {
		conn := &scriptedConn{in: raw, step: int(step) + 1}
		g := server.Guard(conn, nil)
		g.(*guarded).said.Store(true) // no answers
		br := bufio.NewReader(g)
		for n := 0; ; n++ {
			r, err := http.ReadRequest(br)
			if err != nil {
				if g.(*guarded).err == nil && err != io.EOF && err != io.ErrUnexpectedEOF {
					t.Fatalf("net/http refuses what the guard gave: %v\n%q", err, raw)
				}
				return
			}
			if len(r.TransferEncoding) > 0 && r.ContentLength >= 0 {
				t.Fatalf("framed twice: %q", raw)
			}
			if r.Method == http.MethodConnect || r.Header.Get("Upgrade") != "" {
				return // what follows waits for an answer
			}
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				return
			}
		}
	})
}

// scriptedConn is a connection that says what it was given, and then ends.
type scriptedConn struct {
	net.Conn
	in   []byte
	step int
	out  bytes.Buffer
}

func (s *scriptedConn) Read(p []byte) (int, error) {
	if len(s.in) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), s.step)], s.in)
	s.in = s.in[n:]
	return n, nil
}

func (s *scriptedConn) Write(p []byte) (int, error)      { return s.out.Write(p) }
func (s *scriptedConn) SetReadDeadline(time.Time) error  { return nil }
func (s *scriptedConn) SetWriteDeadline(time.Time) error { return nil }
func (s *scriptedConn) SetDeadline(time.Time) error      { return nil }
func (s *scriptedConn) Close() error                     { return nil }
