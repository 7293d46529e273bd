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
	issuingLifetime = 180 * day
	renewBefore     = 30 * day // before its end an issuing authority is replaced
)

// ErrRootOffline is returned if a new issuing authority is needed and the root
// key is not in the directory. The operator then runs
// byline ca issue --root-key FILE on a machine that has both.
var ErrRootOffline = errors.New("the root key is offline and a new issuing authority is needed: byline ca issue --root-key FILE")

// issuing is one issuing authority. It is immutable.
type issuing struct {
	names names
	cert  *x509.Certificate
	key   *ecdsa.PrivateKey
}

// Issue replaces the issuing authority in dir by a new one for exactly hosts. It
// signs with the root key in the file rootKey, or with the one in dir if rootKey
// is empty. The new authority is durable when Issue returns; a running server
// uses it from its next [Authority.Permit] on.
func Issue(dir, rootKey string, hosts []string) error {
	root, err := readRoot(dir)
	if err != nil {
		return err
	}
	names, err := parseNames(hosts)
	if err != nil {
		return err
	}
	now := time.Now()
	if err := checkRootValidity(root, now); err != nil {
		return err
	}
	_, err = issue(dir, rootKey, root, names, now)
	return err
}

// loadOrIssue returns the issuing authority in dir, or a new one if there is
// none, if it is for other names, or if it ends within renewBefore. While the
// root key is offline, an authority that has not ended yet is good enough.
func loadOrIssue(dir string, root *x509.Certificate, names names, now time.Time) (*issuing, error) {
	current, err := loadIssuing(dir, root, names, now)
	if err != nil {
		return nil, err
	}
	if current != nil && now.Before(current.cert.NotAfter.Add(-renewBefore)) {
		return current, nil
	}
	renewed, err := issue(dir, "", root, names, now)
	if current != nil && errors.Is(err, ErrRootOffline) {
		return current, nil
	}
	return renewed, err
}

// loadIssuing reads the issuing authority in dir. It returns nil if there is
// none that can be used: one that has ended, is for other names or was signed by
// another root, or a key that does not belong to the certificate, which is what
// a crash between the two writes of issue leaves.
func loadIssuing(dir string, root *x509.Certificate, names names, now time.Time) (*issuing, error) {
	cert, err := readCert(filepath.Join(dir, issuingCertFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	key, err := readKey(filepath.Join(dir, issuingKeyFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}

	if !key.PublicKey.Equal(cert.PublicKey) || cert.CheckSignatureFrom(root) != nil || !now.Before(cert.NotAfter) {
		return nil, nil
	}
	want := &x509.Certificate{}
	constrain(want, names)
	if !sameConstraints(cert, want) {
		return nil, nil
	}
	return &issuing{names: names, cert: cert, key: key}, nil
}

// issue signs a new issuing authority for names and writes it to dir. An empty
// rootKey is the root key in dir.
func issue(dir, rootKey string, root *x509.Certificate, names names, now time.Time) (*issuing, error) {
	if rootKey == "" {
		rootKey = filepath.Join(dir, rootKeyFile)
	}
	signer, err := readKey(rootKey)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("certs: %s: %w", rootKey, ErrRootOffline)
	}
	if err != nil {
		return nil, err
	}
	if !signer.PublicKey.Equal(root.PublicKey) {
		return nil, fmt.Errorf("certs: %s is not the key of %s", rootKey, filepath.Join(dir, rootCertFile))
	}

	key, err := newKey()
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber:          newSerial(),
		Subject:               pkix.Name{CommonName: "Byline interception " + now.UTC().Format(time.DateOnly)},
		NotBefore:             now.Add(-backdated),
		NotAfter:              earlierOf(now.Add(issuingLifetime), root.NotAfter),
		IsCA:                  true,
		BasicConstraintsValid: true,
		MaxPathLenZero:        true,
		KeyUsage:              x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		SubjectKeyId:          keyID(key),
	}
	constrain(template, names)
	der, err := x509.CreateCertificate(rand.Reader, template, root, key.Public(), signer)
	if err != nil {
		return nil, fmt.Errorf("certs: issuing authority: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("certs: issuing authority: %w", err)
	}

	// A crash between the two writes leaves a key without its certificate;
	// loadIssuing detects that and a new pair is issued.
	if err := writeKey(filepath.Join(dir, issuingKeyFile), key); err != nil {
		return nil, err
	}
	if err := writePEM(filepath.Join(dir, issuingCertFile), "CERTIFICATE", der, 0o644); err != nil {
		return nil, err
	}
	return &issuing{names: names, cert: cert, key: key}, nil
}

// constrain sets critical name constraints that permit exactly names. Name
// constraints restrict only the forms of names that they mention (RFC 5280,
// Section 4.2.1.10), so a form without a permitted name is excluded as a whole.
func constrain(cert *x509.Certificate, names names) {
	cert.PermittedDNSDomainsCritical = true
	cert.PermittedDNSDomains = names.domains()
	cert.PermittedIPRanges = names.subnets()
	if len(cert.PermittedDNSDomains) == 0 {
		cert.ExcludedDNSDomains = []string{""}
	}
	if len(cert.PermittedIPRanges) == 0 {
		cert.ExcludedIPRanges = []*net.IPNet{
			{IP: make(net.IP, net.IPv4len), Mask: make(net.IPMask, net.IPv4len)},
			{IP: make(net.IP, net.IPv6len), Mask: make(net.IPMask, net.IPv6len)},
		}
	}
}

// sameConstraints reports whether a and b have equal name constraints.
func sameConstraints(a, b *x509.Certificate) bool {
	sameNet := func(x, y *net.IPNet) bool { return x.IP.Equal(y.IP) && bytes.Equal(x.Mask, y.Mask) }
	return a.PermittedDNSDomainsCritical == b.PermittedDNSDomainsCritical &&
		slices.Equal(a.PermittedDNSDomains, b.PermittedDNSDomains) &&
		slices.Equal(a.ExcludedDNSDomains, b.ExcludedDNSDomains) &&
		slices.EqualFunc(a.PermittedIPRanges, b.PermittedIPRanges, sameNet) &&
		slices.EqualFunc(a.ExcludedIPRanges, b.ExcludedIPRanges, sameNet)
}

func earlierOf(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
