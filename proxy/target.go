package proxy

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/proxy/wire/upstream"
)

// targetOf returns where the adapter's requests for an authority go: to that host
// over TLS, unless the adapter names another address. The application and its
// certificate are asked for by the agent's name in every case.
func (r *rules) targetOf(a *adapters.Adapter, authority string) (*upstream.Target, error) {
	up := a.Upstream()
	t := &upstream.Target{Scheme: "https", Authority: strings.TrimSuffix(authority, ":443"), Protocol: up.Protocol}
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

	s, err := r.settingsOf(a)
	if err != nil {
		return nil, err
	}
	t.TLS, t.Proxy = s.config, s.via
	return t, nil
}

// upstreamSettings is how an adapter's requests reach the application, made from
// one version of the files that the adapter names. It does not change.
type upstreamSettings struct {
	config *tls.Config     // nil: the system's authorities and no client certificate
	via    *upstream.Proxy // nil: dial directly
	files  fileVersions
}

// fileVersion tells one version of a file from another. It is zero if there is no
// file.
type fileVersion struct {
	size, modified int64
}

type fileVersions [4]fileVersion

// versionsOf returns the versions of the files that the adapter names.
func versionsOf(up adapters.Upstream) fileVersions {
	var all fileVersions
	for i, path := range [len(all)]string{up.CA, up.ClientCert, up.ClientKey, up.ProxyAuth} {
		if path == "" || strings.Contains(path, "-----BEGIN") {
			continue
		}
		f, err := os.Stat(path)
		if err == nil {
			all[i] = fileVersion{f.Size(), f.ModTime().UnixNano()}
		}
	}
	return all
}

// settingsOf returns the same settings to all tunnels to an adapter's hosts until
// one of its files changes. Connections are shared by requests that share
// settings.
func (r *rules) settingsOf(a *adapters.Adapter) (*upstreamSettings, error) {
	up := a.Upstream()
	now := versionsOf(up)
	if s, ok := r.settings.Load(a); ok && s.(*upstreamSettings).files == now {
		return s.(*upstreamSettings), nil
	}

	config, problems := upstreamTLS(up)
	if len(problems) > 0 {
		return nil, problems[0]
	}
	via, err := r.proxyOf(up)
	if err != nil {
		return nil, fmt.Errorf("upstream.%w", err)
	}

	made := &upstreamSettings{config: config, via: via, files: now}
	if stored, loaded := r.settings.LoadOrStore(a, made); loaded {
		if stored.(*upstreamSettings).files == now {
			return stored.(*upstreamSettings), nil
		}
		r.settings.Store(a, made)
	}
	return made, nil
}

// proxyOf returns the proxy towards the application: the adapter's own, or the one
// for all adapters. It is nil if the application is dialed directly.
func (r *rules) proxyOf(up adapters.Upstream) (*upstream.Proxy, error) {
	switch up.Proxy {
	case "":
		return r.via, nil
	case "direct":
		return nil, nil
	}
	return upstream.NewProxy(upstream.ProxyConfig{Proxy: up.Proxy, ProxyAuth: up.ProxyAuth, ProxyNames: up.ProxyNames}, r.dialer)
}

// UpstreamProblem is a key of an adapter's upstream section that names a file or
// a proxy which cannot be used.
type UpstreamProblem struct {
	Key string // like upstream.ca
	Err error
}

// Error is the key and what is wrong with it.
func (p *UpstreamProblem) Error() string { return p.Key + ": " + p.Err.Error() }

// Unwrap returns the cause.
func (p *UpstreamProblem) Unwrap() error { return p.Err }

// CheckUpstream reads the files that the upstream section names, in the same way
// as the first request of a task does, and returns all problems. It connects to
// nothing.
func CheckUpstream(up adapters.Upstream) []*UpstreamProblem {
	_, problems := upstreamTLS(up)
	if up.Proxy != "direct" {
		if _, err := upstream.NewProxy(upstream.ProxyConfig{Proxy: up.Proxy, ProxyAuth: up.ProxyAuth}, nil); err != nil {
			problems = append(problems, &UpstreamProblem{"upstream.proxy", err})
		}
	}
	return problems
}

// upstreamTLS reads the authorities and the client certificate of the upstream
// section. The configuration is nil if the section has nothing about TLS: the system's
// authorities apply. Certificates are verified in every case, pinned ones by their
// fingerprint.
func upstreamTLS(up adapters.Upstream) (*tls.Config, []*UpstreamProblem) {
	pins, _ := up.Pin.Fingerprints() // which are checked when the adapter is loaded
	if up.CA == "" && up.ClientCert == "" && len(pins) == 0 && up.Renegotiate.Because == "" {
		return nil, nil
	}

	// Sessions are resumed only within a lease: the connection pool of package
	// wire keeps them.
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	var problems []*UpstreamProblem

	if up.CA != "" {
		roots, err := readAuthorities(up.CA)
		if err != nil {
			problems = append(problems, &UpstreamProblem{"upstream.ca", err})
		}
		config.RootCAs = roots
	}

	if len(pins) > 0 {
		config.InsecureSkipVerify = true // verifyPinned takes its place
		config.VerifyConnection = func(s tls.ConnectionState) error { return verifyPinned(s, pins, time.Now()) }
	}
	if up.Renegotiate.Because != "" {
		config.Renegotiation = tls.RenegotiateOnceAsClient
	}

	if up.ClientCert != "" {
		pair, err := tls.LoadX509KeyPair(up.ClientCert, up.ClientKey)
		if err != nil {
			problems = append(problems, &UpstreamProblem{"upstream.client_cert", err})
		}
		config.Certificates = []tls.Certificate{pair}
	}

	return config, problems
}

// verifyPinned accepts a certificate with one of the fingerprints that has not expired.
func verifyPinned(s tls.ConnectionState, pins [][sha256.Size]byte, now time.Time) error {
	if len(s.PeerCertificates) == 0 {
		return errors.New("the application sent no certificate")
	}
	leaf := s.PeerCertificates[0]
	is := sha256.Sum256(leaf.Raw)
	if !slices.Contains(pins, is) {
		return fmt.Errorf("the certificate's fingerprint is %x, which upstream.pin does not name", is)
	}
	if now.Before(leaf.NotBefore) || now.After(leaf.NotAfter) {
		return fmt.Errorf("the pinned certificate is valid from %s to %s", leaf.NotBefore.Format(time.DateOnly), leaf.NotAfter.Format(time.DateOnly))
	}
	return nil
}

// readAuthorities returns the certificates of a PEM file, or of PEM text.
func readAuthorities(fileOrPEM string) (*x509.CertPool, error) {
	pem := []byte(fileOrPEM)
	if !strings.Contains(fileOrPEM, "-----BEGIN") {
		var err error
		if pem, err = os.ReadFile(fileOrPEM); err != nil {
			return nil, err
		}
	}

	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, errors.New("holds no certificate in PEM form")
	}
	return roots, nil
}
