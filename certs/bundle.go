package certs

import (
	"bytes"
	"errors"
	"os"
	"slices"
)

// systemRoots are where Linux distributions and the BSDs keep theirs.
var systemRoots = []string{
	"/etc/ssl/certs/ca-certificates.crt",
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
	"/etc/pki/tls/certs/ca-bundle.crt",
	"/etc/ssl/ca-bundle.pem",
	"/etc/ssl/cert.pem",
	"/usr/local/share/certs/ca-root-nss.crt",
}

// Bundle is a PEM file of roots: ours, and before it the system's if asked.
// SSL_CERT_FILE and its like replace the trust store and need both;
// NODE_EXTRA_CA_CERTS extends it and needs ours alone.
func (a *Authority) Bundle(system bool) ([]byte, error) {
	if !system {
		return a.RootPEM(), nil
	}
	return bundle(systemRoots, a.RootPEM())
}

func bundle(places []string, ours []byte) ([]byte, error) {
	for _, path := range places {
		text, err := os.ReadFile(path)
		if err != nil || !bytes.Contains(text, []byte("BEGIN CERTIFICATE")) {
			continue
		}
		return slices.Concat(bytes.TrimRight(text, "\n"), []byte("\n"), ours), nil
	}
	return nil, errors.New("certs: no file of system roots was found: install the package ca-certificates")
}
