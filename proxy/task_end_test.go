package proxy

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// TestI6NoConnectionOfAnEndedTaskStaysOpen ends a task whose agent keeps a
// connection in a state in which no exchange runs, or in which the exchange waits
// for the agent: before the TLS handshake, in the middle of it, and in the middle
// of an upload. Each is closed within one second.
func TestI6NoConnectionOfAnEndedTaskStaysOpen(t *testing.T) {
	readAll := func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		switch r.URL.Path {
		case "/silent":
			<-r.Context().Done()
		case "/endless":
			for err := error(nil); err == nil; {
				_, err = w.Write(make([]byte, 32<<10))
			}
		}
	}
	helloStart := []byte{0x16, 3, 1, 2, 0, 1, 0} // of a ClientHello of 512 bytes

	for name, open := range map[string]func(p *protocolTest) net.Conn{
		"a tunnel without a byte": func(p *protocolTest) net.Conn { return p.openTunnel() },
		"a tunnel with half a ClientHello": func(p *protocolTest) net.Conn {
			conn := p.openTunnel()
			_, _ = conn.Write(helloStart)
			return conn
		},
		"a tunnel with half a head": func(p *protocolTest) net.Conn {
			conn := p.openTunnel()
			_, _ = io.WriteString(conn, "GET /page/1 HTTP/1.1\r\nHo")
			return conn
		},
		"an idle tunnel with TLS": func(p *protocolTest) net.Conn { return p.openTLS() },
		"a stalled upload in a tunnel": func(p *protocolTest) net.Conn {
			conn := p.openTLS()
			_, _ = io.WriteString(conn, "POST /form HTTP/1.1\r\nHost: example.com\r\nContent-Length: 1000000\r\n\r\npart")
			return conn
		},
		"a stalled upload in absolute form": func(p *protocolTest) net.Conn { return p.openStalledUpload("Content-Length: 1000000\r\n\r\npart") },
		"a stalled upload in chunks": func(p *protocolTest) net.Conn {
			return p.openStalledUpload("Transfer-Encoding: chunked\r\n\r\n4\r\npart\r\n")
		},
		"a download in absolute form that nobody reads": func(p *protocolTest) net.Conn {
			conn := p.dialFront()
			fmt.Fprintf(conn, "GET http://example.com/endless HTTP/1.1\r\nHost: example.com\r\nProxy-Authorization: %s\r\n\r\n", p.proxyAuthorization())
			return conn
		},
		"a download in a tunnel that nobody reads": func(p *protocolTest) net.Conn {
			conn := p.openTLS()
			_, _ = io.WriteString(conn, "GET /endless HTTP/1.1\r\nHost: example.com\r\n\r\n")
			return conn
		},
		"an idle connection after an answer in absolute form": func(p *protocolTest) net.Conn {
			conn := p.dialFront()
			fmt.Fprintf(conn, "GET http://example.com/short HTTP/1.1\r\nHost: example.com\r\nProxy-Authorization: %s\r\n\r\n", p.proxyAuthorization())
			return conn
		},
		"half a head in absolute form": func(p *protocolTest) net.Conn {
			conn := p.dialFront()
			fmt.Fprintf(conn, "GET http://example.com/short HTTP/1.1\r\nHost: example.com\r\nProxy-Authorization: %s\r\n\r\n", p.proxyAuthorization())
			time.Sleep(50 * time.Millisecond)
			fmt.Fprintf(conn, "GET http://example.com/short HTTP/1.1\r\nHost: example.com\r\nProxy-Authorization: %s\r\n", p.proxyAuthorization())
			return conn
		},
		"a request that the application does not answer": func(p *protocolTest) net.Conn {
			conn := p.dialFront()
			fmt.Fprintf(conn, "GET http://example.com/silent HTTP/1.1\r\nHost: example.com\r\nProxy-Authorization: %s\r\n\r\n", p.proxyAuthorization())
			return conn
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProtocolTest(t, "h1", "h1", readAll, protocolOptions{})
			conn := open(p)
			time.Sleep(100 * time.Millisecond)

			ended := time.Now()
			if _, err := p.EndTask(p.task.ID(), "revoked"); err != nil {
				t.Fatal(err)
			}

			_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
			_, err := io.Copy(io.Discard, underneath(conn))
			if took := time.Since(ended); took > time.Second {
				t.Errorf("the connection was closed after %v (%v), want within a second of the task's end", took, err)
			}
		})
	}
}

// underneath returns the connection below TLS.
func underneath(conn net.Conn) net.Conn {
	if secured, ok := conn.(*tls.Conn); ok {
		return secured.NetConn()
	}
	return conn
}

// dialFront opens a connection to the proxy.
func (p *protocolTest) dialFront() net.Conn {
	p.t.Helper()
	conn, err := net.Dial("tcp", p.addr)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { conn.Close() })
	return conn
}

// openStalledUpload begins a request in absolute form and sends the given end of
// its head with the start of its body.
func (p *protocolTest) openStalledUpload(rest string) net.Conn {
	p.t.Helper()
	conn := p.dialFront()
	fmt.Fprintf(conn, "POST http://example.com/form HTTP/1.1\r\nHost: example.com\r\nProxy-Authorization: %s\r\n%s", p.proxyAuthorization(), rest)
	return conn
}
