package certs

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

const (
	leafLife  = 30 * day // whole, with what it is backdated
	leafFresh = 10 * day // one that ends sooner is minted anew
	maxLeaves = 4096
)

// ErrNotPermitted is returned for a name that neither an adapter nor the
// configuration names (I9). The tunnel is refused.
var ErrNotPermitted = errors.New("no adapter names this host")

// Authority mints leaves. All of its methods may be called concurrently.
type Authority struct {
	dir     string
	root    *x509.Certificate
	leafKey *ecdsa.PrivateKey // one for all leaves, in memory alone
	now     func() time.Time
	minted  atomic.Int64

	issuing  atomic.Pointer[issuing]
	permits  sync.Mutex // one Permit or renewal at a time; no leaf waits for it
	renewing atomic.Bool

	mu     sync.Mutex // guards leaves, never held while minting
	leaves map[string]*leaf
}

// leaf is one host's certificate; its lock makes concurrent mints one.
type leaf struct {
	mu   sync.Mutex
	from *issuing
	cert *tls.Certificate
}

// Open reads the root of dir and takes or makes an issuing authority for
// exactly hosts: host names, "*.suffix" and IP addresses. No hosts is allowed
// and permits nothing. The error is ErrRootOffline when a new issuing
// authority is needed and cannot be made here.
func Open(dir string, hosts []string) (*Authority, error) { return open(dir, hosts, time.Now) }

func open(dir string, hosts []string, now func() time.Time) (*Authority, error) {
	root, err := readRoot(dir)
	if err != nil {
		return nil, err
	}
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	a := &Authority{dir: dir, root: root, leafKey: key, now: now, leaves: map[string]*leaf{}}
	return a, a.Permit(hosts)
}

// Permit makes hosts the names that may be signed from now on, in place of
// those before. On an error the names before stay in force.
func (a *Authority) Permit(hosts []string) error {
	n, err := parseNames(hosts)
	if err != nil {
		return err
	}
	a.permits.Lock()
	defer a.permits.Unlock()
	if err := lasting(a.root, a.now()); err != nil {
		return err
	}
	is, err := loadOrIssue(a.dir, a.root, n, a.now())
	if err != nil {
		return err
	}
	a.issuing.Store(is)
	a.mu.Lock()
	defer a.mu.Unlock()
	for host := range a.leaves {
		if !n.permits(host) {
			delete(a.leaves, host)
		}
	}
	return nil
}

// renewSoon replaces an issuing authority that ends within 30 days, beside
// the tunnels. While it cannot, the old one serves until its end.
func (a *Authority) renewSoon(is *issuing, now time.Time) {
	if now.Before(is.cert.NotAfter.Add(-renewBefore)) || !a.renewing.CompareAndSwap(false, true) {
		return
	}
	go func() {
		defer a.renewing.Store(false)
		a.permits.Lock()
		defer a.permits.Unlock()
		if made, err := loadOrIssue(a.dir, a.root, a.issuing.Load().names, a.now()); err == nil {
			a.issuing.Store(made)
		}
	}()
}

// Leaf is the certificate for host, a name or IP address with or without
// port, followed by the issuing authority's. It is minted once and kept; the
// caller must not change it. Any other name is ErrNotPermitted.
func (a *Authority) Leaf(host string) (*tls.Certificate, error) {
	host = canonical(host)
	is, now := a.issuing.Load(), a.now()
	if !is.names.permits(host) {
		return nil, fmt.Errorf("certs: leaf for %q: %w", host, ErrNotPermitted)
	}
	a.renewSoon(is, now)
	l := a.leafOf(host)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cert != nil && l.from == is && now.Before(l.cert.Leaf.NotAfter.Add(-leafFresh)) {
		return l.cert, nil
	}
	cert, err := a.mint(is, host, now)
	if err != nil {
		return nil, err
	}
	l.cert, l.from = cert, is
	return cert, nil
}

// leafOf is the entry for host. A full cache gives up any one other.
func (a *Authority) leafOf(host string) *leaf {
	a.mu.Lock()
	defer a.mu.Unlock()
	if l := a.leaves[host]; l != nil {
		return l
	}
	if len(a.leaves) >= maxLeaves {
		for other := range a.leaves {
			delete(a.leaves, other)
			break
		}
	}
	l := &leaf{}
	a.leaves[host] = l
	return l
}

// mint leaves the subject empty: names are in the SAN alone, which is then
// critical (RFC 5280 section 4.1.2.6).
func (a *Authority) mint(is *issuing, host string, now time.Time) (*tls.Certificate, error) {
	a.minted.Add(1)
	if !now.Before(is.cert.NotAfter) {
		return nil, fmt.Errorf("certs: the issuing authority ended on %s: %w", is.cert.NotAfter.Format(time.DateOnly), ErrRootOffline)
	}
	t := &x509.Certificate{
		SerialNumber: serial(),
		NotBefore:    now.Add(-backdated), NotAfter: earlier(now.Add(leafLife-backdated), is.cert.NotAfter),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		t.IPAddresses = []net.IP{ip.AsSlice()}
	} else {
		t.DNSNames = []string{host}
	}
	der, err := x509.CreateCertificate(rand.Reader, t, is.cert, a.leafKey.Public(), is.key)
	if err != nil {
		return nil, fmt.Errorf("certs: leaf for %q: %w", host, err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("certs: leaf for %q: %w", host, err)
	}
	return &tls.Certificate{Certificate: [][]byte{der, is.cert.Raw}, PrivateKey: a.leafKey, Leaf: parsed}, nil
}

// Expiry is when the issuing authority in force ends.
func (a *Authority) Expiry() time.Time { return a.issuing.Load().cert.NotAfter }

// RootPEM is the root's certificate, which agents are to trust.
func (a *Authority) RootPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.root.Raw})
}
