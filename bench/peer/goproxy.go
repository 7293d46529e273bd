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

// serveGoproxy starts goproxy as its examples show it, intercepting everything
// and changing nothing. Two things are more favorable than its defaults: a P-256
// authority in place of the built-in RSA one, and a store, so that one leaf per
// host is made. If raised is true, it keeps 256 idle connections per host, where
// net/http keeps two, and speaks h2 to agents.
func serveGoproxy(hosts hostTable, trustFile string, raised bool) (Ready, error) {
	authority, err := origin.NewAuthority("bench goproxy")
	if err != nil {
		return Ready{}, err
	}
	pem, err := os.ReadFile(trustFile)
	if err != nil {
		return Ready{}, fmt.Errorf("goproxy: %w", err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)

	proxy := goproxy.NewProxyHttpServer()
	proxy.Logger = log.New(io.Discard, "", 0)
	proxy.CertStore = &leafStore{leaves: map[string]*tls.Certificate{}}
	proxy.Tr = &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots},
		DialContext: func(ctx context.Context, network, authority string) (net.Conn, error) {
			addr, err := hosts.addressOf(authority)
			if err != nil {
				return nil, err
			}
			return new(net.Dialer).DialContext(ctx, network, addr)
		},
	}
	if raised {
		proxy.Tr.MaxIdleConnsPerHost = 256
		proxy.AllowHTTP2 = true
	}
	ca := &tls.Certificate{Certificate: [][]byte{authority.Cert.Raw}, PrivateKey: authority.Key, Leaf: authority.Cert}
	intercept := &goproxy.ConnectAction{Action: goproxy.ConnectMitm, TLSConfig: goproxy.TLSConfigFromCA(ca)}
	proxy.OnRequest().HandleConnectFunc(func(host string, _ *goproxy.ProxyCtx) (*goproxy.ConnectAction, string) {
		return intercept, host
	})

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return Ready{}, fmt.Errorf("goproxy: %w", err)
	}
	go func() { _ = http.Serve(l, proxy) }() // ends with the process
	return Ready{Addr: l.Addr().String(), Roots: string(authority.PEM)}, nil
}

// leafStore implements goproxy.CertStorage.
type leafStore struct {
	mu     sync.Mutex
	leaves map[string]*tls.Certificate // by host
}

// Fetch returns the leaf of host, which it makes the first time.
func (s *leafStore) Fetch(host string, makeLeaf func() (*tls.Certificate, error)) (*tls.Certificate, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if leaf := s.leaves[host]; leaf != nil {
		return leaf, nil
	}
	leaf, err := makeLeaf()
	if err == nil {
		s.leaves[host] = leaf
	}
	return leaf, err
}
