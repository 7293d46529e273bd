package protocols

import (
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/elazarl/goproxy"

	"github.com/byline-proxy/byline/cmd/byline/e2e/testenv"
)

// proxyUser is the user name that a proxyServer demands.
const proxyUser = "byline"

// proxyServer is a proxy between Byline and the application. It demands a
// password.
type proxyServer struct {
	url      string
	password string

	mu           sync.Mutex     // guards the fields below
	tunnels      map[string]int // by target, host:port
	unauthorized int            // requests without the password
}

func newProxyServer() *proxyServer {
	return &proxyServer{password: testenv.NewSecret(), tunnels: map[string]int{}}
}

// countTunnel counts a request for a tunnel to target.
func (p *proxyServer) countTunnel(target string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tunnels[target]++
}

func (p *proxyServer) countUnauthorized() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.unauthorized++
}

// tunnelsTo returns how many tunnels to target were requested.
func (p *proxyServer) tunnelsTo(target string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.tunnels[target]
}

// unauthorizedRequests returns how many requests lacked the password.
func (p *proxyServer) unauthorizedRequests() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.unauthorized
}

// writeCredentials writes the user name and password to a file and registers the
// password as a secret. It returns the path.
func (p *proxyServer) writeCredentials(t *testing.T, m *matrix, name string) string {
	t.Helper()
	m.AddSecret("the password of the proxy "+name, p.password)
	path := t.TempDir() + "/auth"
	writeFile(t, path, proxyUser+":"+p.password+"\n")
	return path
}

// startHTTPProxy starts a proxy that supports CONNECT, over TLS if certificate
// is not nil.
func startHTTPProxy(t *testing.T, certificate *tls.Certificate) *proxyServer {
	t.Helper()

	p := newProxyServer()
	credentials := "Basic " + base64.StdEncoding.EncodeToString([]byte(proxyUser+":"+p.password))
	g := goproxy.NewProxyHttpServer()
	g.Logger = discardLogger{}
	g.OnRequest().HandleConnectFunc(func(target string, ctx *goproxy.ProxyCtx) (*goproxy.ConnectAction, string) {
		if ctx.Req.Header.Get("Proxy-Authorization") != credentials {
			p.countUnauthorized()
			return goproxy.RejectConnect, target
		}
		p.countTunnel(target)
		return goproxy.OkConnect, target
	})

	s := httptest.NewUnstartedServer(g)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	if certificate == nil {
		s.Start()
	} else {
		s.TLS = &tls.Config{Certificates: []tls.Certificate{*certificate}}
		s.StartTLS()
	}
	t.Cleanup(s.Close)
	p.url = s.URL
	return p
}

// discardLogger is a goproxy.Logger that discards everything.
type discardLogger struct{}

func (discardLogger) Printf(string, ...any) {}

// startSOCKSProxy starts a SOCKS5 proxy (RFC 1928) with user name and password
// (RFC 1929).
func startSOCKSProxy(t *testing.T) *proxyServer {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })

	p := newProxyServer()
	p.url = "socks5://" + ln.Addr().String()
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go p.serveSOCKS(conn)
		}
	}()
	return p
}

// serveSOCKS serves one connection. It does not check what the protocol does
// not need, such as version numbers.
func (p *proxyServer) serveSOCKS(conn net.Conn) {
	defer conn.Close()
	read := func(n int) []byte {
		b := make([]byte, n)
		_, _ = io.ReadFull(conn, b)
		return b
	}
	readString := func() string { return string(read(int(read(1)[0]))) }

	// Methods, RFC 1928, Section 3: only user name and password is accepted.
	read(1)
	if methods := readString(); !strings.Contains(methods, "\x02") {
		p.countUnauthorized()
		_, _ = conn.Write([]byte{5, 0xff})
		return
	}
	_, _ = conn.Write([]byte{5, 2})

	// User name and password, RFC 1929, Section 2.
	read(1)
	if readString() != proxyUser || readString() != p.password {
		p.countUnauthorized()
		_, _ = conn.Write([]byte{1, 1})
		return
	}
	_, _ = conn.Write([]byte{1, 0})

	// Request, RFC 1928, Section 4.
	host := ""
	switch addressType := read(4)[3]; addressType {
	case 1:
		host = net.IP(read(4)).String()
	case 3:
		host = readString()
	case 4:
		host = net.IP(read(16)).String()
	}
	port := read(2)
	target := net.JoinHostPort(host, fmt.Sprint(int(port[0])<<8|int(port[1])))
	p.countTunnel(target)

	up, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	defer up.Close()
	_, _ = conn.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
	go func() {
		_, _ = io.Copy(up, conn)
		up.Close()
	}()
	_, _ = io.Copy(conn, up)
}
