package protocols

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// authority is a private certificate authority with one leaf certificate for
// all names and addresses that tests use.
type authority struct {
	file string // the authority's certificate, in PEM
	root *x509.Certificate
	key  *ecdsa.PrivateKey
	leaf tls.Certificate
}

func newAuthority(t *testing.T, dir, name string) *authority {
	t.Helper()

	a := &authority{file: filepath.Join(dir, name+"-ca.pem")}
	a.root, a.key = a.issue(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	})
	leaf, key := a.issue(t, &x509.Certificate{
		Subject:     pkix.Name{CommonName: name + " leaf"},
		DNSNames:    []string{"*.acme.test", "localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	})
	a.leaf = tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key}
	writePEM(t, a.file, "CERTIFICATE", a.root.Raw)
	return a
}

// lastSerial is the last serial number of all authorities.
var lastSerial atomic.Int64

// issue signs template. The first certificate is signed by itself.
func (a *authority) issue(t *testing.T, template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()

	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(lastSerial.Add(1))
	template.NotBefore = time.Now().Add(-time.Hour)
	template.NotAfter = time.Now().Add(time.Hour)

	parent, signer := a.root, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return certificate, key
}

// writeLeaf writes the leaf certificate and its key and returns the paths.
func (a *authority) writeLeaf(t *testing.T) (cert, key string) {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(a.leaf.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	base := strings.TrimSuffix(a.file, "-ca.pem")
	writePEM(t, base+".pem", "CERTIFICATE", a.leaf.Certificate[0])
	writePEM(t, base+".key", "PRIVATE KEY", der)
	return base + ".pem", base + ".key"
}

func writePEM(t *testing.T, path, blockType string, der []byte) {
	t.Helper()
	writeFile(t, path, string(pem.EncodeToMemory(&pem.Block{Type: blockType, Bytes: der})))
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
