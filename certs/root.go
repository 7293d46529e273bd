package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"time"
)

const (
	rootCertFile    = "root.crt"
	rootKeyFile     = "root.key"
	issuingCertFile = "issuing.crt"
	issuingKeyFile  = "issuing.key"

	day       = 24 * time.Hour
	rootLife  = 3650 * day
	backdated = day // for agents whose clocks are behind
)

// Init makes a root in dir, which it creates: root.crt, and root.key readable
// by its owner alone. Both are durable when it returns. It refuses to
// overwrite: every agent that trusts the old root would stop working.
func Init(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("certs: %w", err)
	}
	for _, name := range []string{rootCertFile, rootKeyFile} {
		if _, err := os.Lstat(filepath.Join(dir, name)); !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("certs: %s is already there: a new root would lock out every agent that trusts it; move it away first", filepath.Join(dir, name))
		}
	}
	key, err := newKey()
	if err != nil {
		return err
	}
	now := time.Now()
	t := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: "Byline interception root " + now.UTC().Format("2006-01-02")},
		NotBefore: now.Add(-backdated), NotAfter: now.Add(rootLife),
		IsCA: true, BasicConstraintsValid: true, MaxPathLen: 1,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	if err != nil {
		return fmt.Errorf("certs: root: %w", err)
	}
	if err := writeKey(filepath.Join(dir, rootKeyFile), key); err != nil {
		return err
	}
	return writePEM(filepath.Join(dir, rootCertFile), "CERTIFICATE", der, 0o644)
}

// lasting refuses a root that agents would refuse. A clock that is wrong looks
// the same.
func lasting(root *x509.Certificate, now time.Time) error {
	switch {
	case now.After(root.NotAfter):
		return fmt.Errorf("certs: the root ended on %s, and it is %s by this machine's clock: set the clock, or move the folder away and make a root with byline init, which agents must trust then",
			root.NotAfter.UTC().Format(time.DateOnly), now.UTC().Format(time.DateOnly))
	case now.Before(root.NotBefore):
		return fmt.Errorf("certs: the root begins on %s, and it is %s by this machine's clock: set the clock",
			root.NotBefore.UTC().Format(time.DateOnly), now.UTC().Format(time.DateOnly))
	}
	return nil
}

func newKey() (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("certs: new key: %w", err)
	}
	return key, nil
}

// serial is positive and at most 20 octets long (RFC 5280 section 4.1.2.2).
func serial() *big.Int {
	b := make([]byte, 16)
	rand.Read(b)
	b[0] |= 1
	return new(big.Int).SetBytes(b)
}

func writeKey(path string, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("certs: %s: %w", path, err)
	}
	return writePEM(path, "PRIVATE KEY", der, 0o600)
}

// writePEM replaces path at once: a reader sees the old file or the new one.
func writePEM(path, kind string, der []byte, mode fs.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return fmt.Errorf("certs: %w", err)
	}
	defer os.Remove(f.Name())
	_, err = f.Write(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		return fmt.Errorf("certs: write %s: %w", path, err)
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func readCert(path string) (*x509.Certificate, error) {
	der, err := readPEM(path, "CERTIFICATE")
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("certs: %s: %w", path, err)
	}
	return cert, nil
}

// readKey refuses a key that others than its owner can read.
func readKey(path string) (*ecdsa.PrivateKey, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("certs: %w", err)
	}
	if st.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("certs: %s can be read by others (mode %04o): chmod 600 %s", path, st.Mode().Perm(), path)
	}
	der, err := readPEM(path, "PRIVATE KEY")
	if err != nil {
		return nil, err
	}
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("certs: %s: not a usable private key", path)
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, fmt.Errorf("certs: %s: not an ECDSA P-256 key", path)
	}
	return key, nil
}

func readPEM(path, kind string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("certs: %w", err)
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != kind {
		return nil, fmt.Errorf("certs: %s: no PEM block %q", path, kind)
	}
	return block.Bytes, nil
}

func keyID(key *ecdsa.PrivateKey) []byte {
	der, _ := x509.MarshalPKIXPublicKey(key.Public())
	sum := sha256.Sum256(der)
	return sum[:20]
}
