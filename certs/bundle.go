package certs

import (
	"bytes"
	"errors"
	"os"
	"slices"
)

// systemRoots lists the files in which Linux distributions and the BSDs keep the
// system's root certificates.
var systemRoots = []string{
	"/etc/ssl/certs/ca-certificates.crt",
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
	"/etc/pki/tls/certs/ca-bundle.crt",
	"/etc/ssl/ca-bundle.pem",
	"/etc/ssl/cert.pem",
	"/usr/local/share/certs/ca-root-nss.crt",
}

// Bundle returns Byline's root as a PEM file, preceded by the system's roots if
// withSystem is true. Variables like SSL_CERT_FILE replace a program's trust
// store and need both; NODE_EXTRA_CA_CERTS extends it and needs only Byline's
// root. Bundle fails if it finds none of the usual files of system roots.
func (a *Authority) Bundle(withSystem bool) ([]byte, error) {
	if !withSystem {
		return a.RootPEM(), nil
	}
	return bundle(systemRoots, a.RootPEM())
}

// bundle appends root to the first of paths that contains certificates.
func bundle(paths []string, root []byte) ([]byte, error) {
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil || !bytes.Contains(text, []byte("BEGIN CERTIFICATE")) {
			continue
		}
		return slices.Concat(bytes.TrimRight(text, "\n"), []byte("\n"), root), nil
	}
	return nil, errors.New("certs: no file of system roots was found: install the package ca-certificates")
}
