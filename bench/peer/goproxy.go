package peer

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"sync"

	"github.com/elazarl/goproxy"

	"github.com/byline-proxy/byline/bench/origin"
)

// serveGoproxy is stock goproxy that intercepts everything and changes
// nothing, as its examples show it. Two things are kinder than its defaults: a
// P-256 authority instead of the built-in RSA one, and a store so that a leaf
// is made once per host. Raised, it keeps 256 idle connections per host where
// net/http keeps two, and speaks h2 towards agents.
func serveGoproxy(to names, trust string, raised bool) (Ready, error) {
	authority, err := origin.NewAuthority("bench goproxy")
	if err != nil {
		return Ready{}, err
	}
	pem, err := os.ReadFile(trust)
	if err != nil {
		return Ready{}, fmt.Errorf("goproxy: %w", err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	p := goproxy.NewProxyHttpServer()
	p.Logger = log.New(io.Discard, "", 0)
	p.CertStore = &leaves{made: map[string]*tls.Certificate{}}
	p.Tr = &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots},
		DialContext: func(ctx context.Context, network, authority string) (net.Conn, error) {
			addr, err := to.addr(authority)
			if err != nil {
				return nil, err
			}
			return new(net.Dialer).DialContext(ctx, network, addr)
		},
	}
	if raised {
		p.Tr.MaxIdleConnsPerHost = 256
		p.AllowHTTP2 = true
	}
	ca := &tls.Certificate{Certificate: [][]byte{authority.Cert.Raw}, PrivateKey: authority.Key, Leaf: authority.Cert}
	mitm := &goproxy.ConnectAction{Action: goproxy.ConnectMitm, TLSConfig: goproxy.TLSConfigFromCA(ca)}
	p.OnRequest().HandleConnectFunc(func(host string, _ *goproxy.ProxyCtx) (*goproxy.ConnectAction, string) {
		return mitm, host
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return Ready{}, fmt.Errorf("goproxy: %w", err)
	}
	go func() { _ = http.Serve(l, p) }() // ends with the process
	return Ready{Addr: l.Addr().String(), Roots: string(authority.PEM)}, nil
}

// leaves is goproxy's certificate store.
type leaves struct {
	mu   sync.Mutex
	made map[string]*tls.Certificate
}

// Fetch makes the leaf of a host once.
func (s *leaves) Fetch(host string, make func() (*tls.Certificate, error)) (*tls.Certificate, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.made[host]; c != nil {
		return c, nil
	}
	c, err := make()
	if err == nil {
		s.made[host] = c
	}
	return c, err
}
