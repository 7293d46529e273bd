package main

import (
	"crypto/x509"
	"encoding/pem"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	pkcs12 "software.sslmate.com/src/go-pkcs12"
)

// javaOptions make Java programs use the proxy and trust its authority. The zero value
// sets nothing.
type javaOptions struct {
	options []string // the JVM prints them to standard error
}

// trustStorePassword is the password of Java's own trust store. It protects nothing: a
// trust store holds only certificates.
const trustStorePassword = "changeit"

// makeJavaOptions writes a trust store with the certificates of the bundle. The format is
// one that Java reads since 8u301, whatever its default is, and it is written here so
// that no JVM has to start for it.
func makeJavaOptions(dir, bundle string, proxy *url.URL, noProxy string) (javaOptions, error) {
	text, err := os.ReadFile(bundle)
	if err != nil {
		return javaOptions{}, err
	}

	var entries []pkcs12.TrustStoreEntry
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			continue // a root that Go does not understand is not worth a failure
		}
		entries = append(entries, pkcs12.TrustStoreEntry{Cert: cert, FriendlyName: "byline-" + strconv.Itoa(len(entries))})
	}
	encoded, err := pkcs12.Modern2023.EncodeTrustStoreEntries(entries, trustStorePassword)
	if err != nil {
		return javaOptions{}, err
	}
	store := filepath.Join(dir, "trust.p12")
	if err := os.WriteFile(store, encoded, 0o600); err != nil {
		return javaOptions{}, err
	}

	options := []string{
		"-Djavax.net.ssl.trustStore=" + store,
		"-Djavax.net.ssl.trustStorePassword=" + trustStorePassword,
		"-Djavax.net.ssl.trustStoreType=PKCS12",
	}
	for _, scheme := range []string{"http", "https"} {
		options = append(options,
			"-D"+scheme+".proxyHost="+proxy.Hostname(),
			"-D"+scheme+".proxyPort="+proxy.Port())
	}
	options = append(options, "-Dhttp.nonProxyHosts="+javaNonProxyHosts(noProxy)) // applies to https, too
	return javaOptions{options}, nil
}

// javaNonProxyHosts spells NO_PROXY as Java does: names are separated by |, and names
// below one need an explicit *.
func javaNonProxyHosts(noProxy string) string {
	var hosts []string
	for host := range strings.SplitSeq(noProxy, ",") {
		host = strings.TrimSpace(host)
		_, err := netip.ParseAddr(host)
		domain, dotted := strings.CutPrefix(host, ".")

		switch {
		case host == "":
		case host == "*" || err == nil:
			hosts = append(hosts, host)
		case dotted:
			hosts = append(hosts, "*."+domain)
		default:
			hosts = append(hosts, host, "*."+host)
		}
	}
	return strings.Join(hosts, "|")
}

// variables returns the environment variables for the options.
func (j javaOptions) variables() []string {
	if j.options == nil {
		return nil
	}
	return []string{"JAVA_TOOL_OPTIONS=" + joinWords(os.Getenv("JAVA_TOOL_OPTIONS"), strings.Join(j.options, " "))}
}
