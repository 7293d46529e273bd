package certs

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"
)

const (
	leafLifetime = 30 * day // including the time by which a leaf is backdated
	leafRenewal  = 10 * day // a leaf that ends sooner than this is replaced
	maxLeaves    = 4096     // kept in memory
)

// leaf is the entry of one host in Authority.leaves. Its mutex is held while a
// certificate is signed, so that concurrent tunnels to a host sign only one.
type leaf struct {
	mu     sync.Mutex
	issuer *issuing // that signed cert
	cert   *tls.Certificate
}

// Leaf returns the certificate for host, followed by that of the issuing
// authority. host is a name or an IP address, with or without a port. The
// certificate is signed once and kept in memory; the caller must not modify it.
// The error wraps [ErrNotPermitted] if host is not permitted.
func (a *Authority) Leaf(host string) (*tls.Certificate, error) {
	host = canonicalHost(host)
	issuing := a.issuing.Load()
	now := a.now()
	if !issuing.names.permits(host) {
		return nil, fmt.Errorf("certs: leaf for %q: %w", host, ErrNotPermitted)
	}
	a.renewSoon(issuing, now)

	entry := a.leafEntry(host)
	entry.mu.Lock()
	defer entry.mu.Unlock()
	if entry.cert != nil && entry.issuer == issuing && now.Before(entry.cert.Leaf.NotAfter.Add(-leafRenewal)) {
		return entry.cert, nil
	}
	cert, err := a.signLeaf(issuing, host, now)
	if err != nil {
		return nil, err
	}
	entry.cert = cert
	entry.issuer = issuing
	return cert, nil
}

// leafEntry returns the entry of host, which it creates if there is none. If the
// table is full, it evicts an arbitrary other entry.
func (a *Authority) leafEntry(host string) *leaf {
	a.mu.Lock()
	defer a.mu.Unlock()
	if entry := a.leaves[host]; entry != nil {
		return entry
	}
	if len(a.leaves) >= maxLeaves {
		for other := range a.leaves {
			delete(a.leaves, other)
			break
		}
	}
	entry := &leaf{}
	a.leaves[host] = entry
	return entry
}

// signLeaf signs a certificate for host, which must be canonical. The subject is
// empty: the name is only in the subjectAltName, which is then critical (RFC
// 5280, Section 4.1.2.6).
func (a *Authority) signLeaf(issuing *issuing, host string, now time.Time) (*tls.Certificate, error) {
	a.minted.Add(1)
	if !now.Before(issuing.cert.NotAfter) {
		return nil, fmt.Errorf("certs: the issuing authority ended on %s: %w", issuing.cert.NotAfter.Format(time.DateOnly), ErrRootOffline)
	}
	template := &x509.Certificate{
		SerialNumber:          newSerial(),
		NotBefore:             now.Add(-backdated),
		NotAfter:              earlierOf(now.Add(leafLifetime-backdated), issuing.cert.NotAfter),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		template.IPAddresses = []net.IP{ip.AsSlice()}
	} else {
		template.DNSNames = []string{host}
	}

	der, err := x509.CreateCertificate(rand.Reader, template, issuing.cert, a.leafKey.Public(), issuing.key)
	if err != nil {
		return nil, fmt.Errorf("certs: leaf for %q: %w", host, err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("certs: leaf for %q: %w", host, err)
	}
	return &tls.Certificate{Certificate: [][]byte{der, issuing.cert.Raw}, PrivateKey: a.leafKey, Leaf: parsed}, nil
}
