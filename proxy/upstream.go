package proxy

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/wire"
)

type auditRecord = audit.Record

// targetOf is where the adapter's requests go: the tunnel's own host over TLS,
// unless the adapter says otherwise. The name that the SaaS and its certificate
// are asked by stays the agent's.
func targetOf(a *adapters.Adapter, authority string) (*wire.Target, error) {
	up := a.Upstream()
	t := &wire.Target{Scheme: "https", Authority: strings.TrimSuffix(authority, ":443"), Protocol: up.Protocol}
	if up.URL != "" {
		u, err := url.Parse(up.URL)
		if err != nil {
			return nil, fmt.Errorf("upstream.url: %w", err)
		}
		t.Scheme, t.Addr = u.Scheme, u.Host
		if u.Port() == "" {
			t.Addr = net.JoinHostPort(u.Hostname(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
		}
	}
	var err error
	t.TLS, err = upstreamTLS(up)
	return t, err
}

// upstreamTLS is nil when the system's authorities and no client certificate
// will do. Certificates are verified in every case.
func upstreamTLS(up adapters.Upstream) (*tls.Config, error) {
	if up.CA == "" && up.ClientCert == "" {
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, ClientSessionCache: tls.NewLRUClientSessionCache(0)}
	if up.CA != "" {
		pem := []byte(up.CA)
		if !strings.Contains(up.CA, "-----BEGIN") {
			var err error
			if pem, err = os.ReadFile(up.CA); err != nil {
				return nil, fmt.Errorf("upstream.ca: %w", err)
			}
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, errors.New("upstream.ca: holds no certificate in PEM form")
		}
	}
	if up.ClientCert != "" {
		pair, err := tls.LoadX509KeyPair(up.ClientCert, up.ClientKey)
		if err != nil {
			return nil, fmt.Errorf("upstream.client_cert: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

func cutQuery(target string) (path, query string, has bool) { return strings.Cut(target, "?") }
