package certs

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"path/filepath"
	"slices"
	"time"
)

const (
	issuingLife = 180 * day
	renewBefore = 30 * day
)

// ErrRootOffline is returned when a new issuing authority is needed and the
// root key is not in the folder. The operator runs
// byline ca issue --root-key FILE where the key is.
var ErrRootOffline = errors.New("the root key is offline and a new issuing authority is needed: byline ca issue --root-key FILE")

// issuing is one issuing authority. It does not change once made.
type issuing struct {
	names names
	cert  *x509.Certificate
	key   *ecdsa.PrivateKey
}

// Issue makes the issuing authority of dir anew for exactly hosts, with the
// root key at rootKey ("" for the one in dir). It is durable when Issue
// returns; a running server takes it up at its next Permit.
func Issue(dir, rootKey string, hosts []string) error {
	root, err := readRoot(dir)
	if err != nil {
		return err
	}
	n, err := parseNames(hosts)
	if err != nil {
		return err
	}
	if err := lasting(root, time.Now()); err != nil {
		return err
	}
	_, err = issue(dir, rootKey, root, n, time.Now())
	return err
}

func readRoot(dir string) (*x509.Certificate, error) {
	root, err := readCert(filepath.Join(dir, rootCertFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: make a root with byline init", err)
	}
	return root, err
}

// loadOrIssue reads the issuing authority of dir and makes a new one when
// there is none, its names are others, or it ends within 30 days. While the
// root key is offline one that still lasts is good enough.
func loadOrIssue(dir string, root *x509.Certificate, n names, now time.Time) (*issuing, error) {
	have, err := loadIssuing(dir, root, n, now)
	if err != nil {
		return nil, err
	}
	if have != nil && now.Before(have.cert.NotAfter.Add(-renewBefore)) {
		return have, nil
	}
	made, err := issue(dir, "", root, n, now)
	if have != nil && errors.Is(err, ErrRootOffline) {
		return have, nil
	}
	return made, err
}

// loadIssuing returns nil when what is there does not fit. A key and a
// certificate that are not a pair are what a crash between two writes leaves.
func loadIssuing(dir string, root *x509.Certificate, n names, now time.Time) (*issuing, error) {
	cert, err := readCert(filepath.Join(dir, issuingCertFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	key, err := readKey(filepath.Join(dir, issuingKeyFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	if !key.PublicKey.Equal(cert.PublicKey) || cert.CheckSignatureFrom(root) != nil || !now.Before(cert.NotAfter) {
		return nil, nil
	}
	want := &x509.Certificate{}
	constrain(want, n)
	if !sameConstraints(cert, want) {
		return nil, nil
	}
	return &issuing{names: n, cert: cert, key: key}, nil
}

func issue(dir, rootKey string, root *x509.Certificate, n names, now time.Time) (*issuing, error) {
	if rootKey == "" {
		rootKey = filepath.Join(dir, rootKeyFile)
	}
	signer, err := readKey(rootKey)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("certs: %s: %w", rootKey, ErrRootOffline)
	} else if err != nil {
		return nil, err
	}
	if !signer.PublicKey.Equal(root.PublicKey) {
		return nil, fmt.Errorf("certs: %s is not the key of %s", rootKey, filepath.Join(dir, rootCertFile))
	}
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	t := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: "Byline interception " + now.UTC().Format("2006-01-02")},
		NotBefore: now.Add(-backdated), NotAfter: earlier(now.Add(issuingLife), root.NotAfter),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage: x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		SubjectKeyId: keyID(key),
	}
	constrain(t, n)
	der, err := x509.CreateCertificate(rand.Reader, t, root, key.Public(), signer)
	if err != nil {
		return nil, fmt.Errorf("certs: issuing authority: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("certs: issuing authority: %w", err)
	}
	err = writeKey(filepath.Join(dir, issuingKeyFile), key)
	if err == nil {
		err = writePEM(filepath.Join(dir, issuingCertFile), "CERTIFICATE", der, 0o644)
	}
	if err != nil {
		return nil, err
	}
	return &issuing{names: n, cert: cert, key: key}, nil
}

// constrain writes the critical name constraints. A form of name with no
// permitted subtree would be free (RFC 5280 section 4.2.1.10 restricts only
// the forms that are listed), so it is excluded whole.
func constrain(t *x509.Certificate, n names) {
	t.PermittedDNSDomainsCritical = true
	t.PermittedDNSDomains, t.PermittedIPRanges = n.domains(), n.subnets()
	if len(t.PermittedDNSDomains) == 0 {
		t.ExcludedDNSDomains = []string{""}
	}
	if len(t.PermittedIPRanges) == 0 {
		t.ExcludedIPRanges = []*net.IPNet{
			{IP: make(net.IP, net.IPv4len), Mask: make(net.IPMask, net.IPv4len)},
			{IP: make(net.IP, net.IPv6len), Mask: make(net.IPMask, net.IPv6len)},
		}
	}
}

func sameConstraints(a, b *x509.Certificate) bool {
	sameNet := func(x, y *net.IPNet) bool { return x.IP.Equal(y.IP) && bytes.Equal(x.Mask, y.Mask) }
	return a.PermittedDNSDomainsCritical == b.PermittedDNSDomainsCritical &&
		slices.Equal(a.PermittedDNSDomains, b.PermittedDNSDomains) && slices.Equal(a.ExcludedDNSDomains, b.ExcludedDNSDomains) &&
		slices.EqualFunc(a.PermittedIPRanges, b.PermittedIPRanges, sameNet) && slices.EqualFunc(a.ExcludedIPRanges, b.ExcludedIPRanges, sameNet)
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
