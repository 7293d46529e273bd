package main

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	pkcs12 "software.sslmate.com/src/go-pkcs12"
)

// javaOptions make Java programs use the proxy and trust its authority. The
// zero value sets nothing.
type javaOptions struct {
	dir     string
	options []string // no secret: the JVM prints them to standard error
}

// trustPassword is what Java's own trust store has; it keeps nothing secret.
const trustPassword = "changeit"

// javaTrust writes a trust store with the bundle's certificates, in the format
// that Java reads since 8u301 whatever its default is, so that no JVM has to
// start for it.
func javaTrust(dir, bundle string, proxy *url.URL, noProxy string) (javaOptions, error) {
	text, err := os.ReadFile(bundle)
	if err != nil {
		return javaOptions{}, err
	}
	var entries []pkcs12.TrustStoreEntry
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			continue // one that Go does not understand, nor will it be missed
		}
		entries = append(entries, pkcs12.TrustStoreEntry{Cert: cert, FriendlyName: "byline-" + strconv.Itoa(len(entries))})
	}
	encoded, err := pkcs12.Modern2023.EncodeTrustStoreEntries(entries, trustPassword)
	if err != nil {
		return javaOptions{}, err
	}
	store := filepath.Join(dir, "trust.p12")
	if err := os.WriteFile(store, encoded, 0o600); err != nil {
		return javaOptions{}, err
	}
	j := javaOptions{dir: dir, options: []string{"-Djavax.net.ssl.trustStore=" + store, "-Djavax.net.ssl.trustStorePassword=" + trustPassword, "-Djavax.net.ssl.trustStoreType=PKCS12",
		"-Djdk.http.auth.tunneling.disabledSchemes="}} // Basic is off by default; the proxy is the only one who is shown it
	for _, scheme := range []string{"http", "https"} {
		j.options = append(j.options, "-D"+scheme+".proxyHost="+proxy.Hostname(), "-D"+scheme+".proxyPort="+proxy.Port())
	}
	j.options = append(j.options, "-Dhttp.nonProxyHosts="+javaHosts(noProxy)) // it holds for https too
	return j, nil
}

// javaHosts spells NO_PROXY as Java does: names divided by |, and a * where
// others take in every name below one by themselves.
func javaHosts(noProxy string) string {
	var hosts []string
	for host := range strings.SplitSeq(noProxy, ",") {
		host = strings.TrimSpace(host)
		below, isBelow := strings.CutPrefix(host, ".")
		switch _, err := netip.ParseAddr(host); {
		case host == "":
		case host == "*" || err == nil:
			hosts = append(hosts, host)
		case isBelow:
			hosts = append(hosts, "*."+below)
		default:
			hosts = append(hosts, host, "*."+host)
		}
	}
	return strings.Join(hosts, "|")
}

// environ puts the credentials into a file: java prints what it picks up from
// its environment.
func (j javaOptions) environ(task, token string) []string {
	if j.options == nil {
		return nil
	}
	env := []string{"JAVA_TOOL_OPTIONS=" + joined(os.Getenv("JAVA_TOOL_OPTIONS"), strings.Join(j.options, " "))}
	var lines strings.Builder
	for _, scheme := range []string{"http", "https"} {
		fmt.Fprintf(&lines, "-D%s.proxyUser=%s\n-D%s.proxyPassword=%s\n", scheme, task, scheme, token)
	}
	credentials := filepath.Join(j.dir, "java.options")
	if os.WriteFile(credentials, []byte(lines.String()), 0o600) != nil {
		return env // the proxy answers 407 with what to do
	}
	return append(env, "JDK_JAVA_OPTIONS="+joined(os.Getenv("JDK_JAVA_OPTIONS"), "@"+credentials))
}
