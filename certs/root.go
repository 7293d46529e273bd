package certs

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

const (
	day          = 24 * time.Hour
	rootLifetime = 3650 * day
	backdated    = day // by which every certificate begins early, for agents whose clocks are slow
)

// Init creates dir and a root in it: root.crt, and root.key with mode 0600. Both
// files are durable when Init returns. Init fails if either file exists: a new
// root would lock out every agent that trusts the old one.
func Init(dir string) error {
	if err := makeDir(dir); err != nil {
		return fmt.Errorf("certs: %w", err)
	}
	for _, name := range []string{rootCertFile, rootKeyFile} {
		path := filepath.Join(dir, name)
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("certs: %s exists: a new root would lock out every agent that trusts it; move it away first", path)
		}
	}

	key, err := newKey()
	if err != nil {
		return err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber:          newSerial(),
		Subject:               pkix.Name{CommonName: "Byline interception root " + now.UTC().Format(time.DateOnly)},
		NotBefore:             now.Add(-backdated),
		NotAfter:              now.Add(rootLifetime),
		IsCA:                  true,
		BasicConstraintsValid: true,
		MaxPathLen:            1,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return fmt.Errorf("certs: root: %w", err)
	}

	if err := writeKey(filepath.Join(dir, rootKeyFile), key); err != nil {
		return err
	}
	return writePEM(filepath.Join(dir, rootCertFile), "CERTIFICATE", der, 0o644)
}

// makeDir makes dir. If root makes it, it belongs to the owner of the folder above.
func makeDir(dir string) error {
	_, err := os.Stat(dir)
	if err == nil {
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(giveToOwnerOf(filepath.Dir(dir), d), d.Close())
}

func readRoot(dir string) (*x509.Certificate, error) {
	root, err := readCert(filepath.Join(dir, rootCertFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: make a root with byline init", err)
	}
	return root, err
}

// checkRootValidity fails if now lies outside the validity period of root:
// agents would not trust it. A wrong clock has the same effect, so the error
// states the time that this machine believes it is.
func checkRootValidity(root *x509.Certificate, now time.Time) error {
	today := now.UTC().Format(time.DateOnly)
	switch {
	case now.After(root.NotAfter):
		return fmt.Errorf("certs: the root ended on %s, and it is %s by this machine's clock: set the clock, "+
			"or move the directory away, create a root with byline init and make agents trust the new one",
			root.NotAfter.UTC().Format(time.DateOnly), today)
	case now.Before(root.NotBefore):
		return fmt.Errorf("certs: the root begins on %s, and it is %s by this machine's clock: set the clock",
			root.NotBefore.UTC().Format(time.DateOnly), today)
	}
	return nil
}
