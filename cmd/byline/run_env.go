package main

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// surroundings is what makes a program use the proxy and trust its authority,
// apart from the task's id and token.
type surroundings struct {
	dir      string // of mode 0700, for the program's lifetime
	proxy    *url.URL
	root     string // ours alone
	bundle   string // the system's roots and ours
	preload  string // for Node.js
	wgetrc   string // for wget
	browser  string // a home folder for browsers, or ""
	java     javaOptions
	noProxy  string
	withhold []string // variables that the program must not see
	warnings []string
}

//go:embed run_node_preload.cjs
var nodePreload []byte

// surround writes the files that the program's environment will name.
func surround(proxy *url.URL, root, noProxy string) (*surroundings, error) {
	dir, err := os.MkdirTemp("", "byline-run-")
	if err != nil {
		return nil, err
	}
	s := &surroundings{dir: dir, proxy: proxy, noProxy: noProxy,
		root: filepath.Join(dir, "root.pem"), bundle: filepath.Join(dir, "bundle.pem"), preload: filepath.Join(dir, "preload.cjs"),
		wgetrc: filepath.Join(dir, "wgetrc")}
	if err := s.write(root); err != nil {
		s.remove()
		return nil, err
	}
	return s, nil
}

func (s *surroundings) write(root string) error {
	ours, err := os.ReadFile(root)
	if err != nil {
		return fmt.Errorf("interception root: %w", err)
	}
	if !bytes.Contains(ours, []byte("-----BEGIN CERTIFICATE-----")) {
		return fmt.Errorf("interception root: %s holds no certificate in PEM form", root)
	}
	system := systemRoots()
	if system == nil {
		s.warnings = append(s.warnings, "no file of system roots was found, so only intercepted hosts will be trusted; install the package ca-certificates")
	}
	err = errors.Join(os.WriteFile(s.root, ours, 0o600), os.WriteFile(s.bundle, append(append(system, '\n'), ours...), 0o600),
		os.WriteFile(s.preload, nodePreload, 0o600))
	if err != nil {
		return err
	}
	if err := wgetStartup(s.wgetrc, s.bundle); err != nil {
		s.warnings = append(s.warnings, "wget will not trust the proxy: "+err.Error())
		s.wgetrc = ""
	}
	if s.browser, err = browserHome(s.dir, s.root); err != nil {
		s.warnings = append(s.warnings, "browsers will not trust the proxy: "+err.Error())
	}
	if s.java, err = javaTrust(s.dir, s.bundle, s.proxy, s.noProxy); err != nil {
		s.warnings = append(s.warnings, "Java programs will not trust the proxy: "+err.Error())
	}
	return nil
}

func (s *surroundings) remove() { _ = os.RemoveAll(s.dir) }

// systemRoots is the system's file of roots, or nil.
func systemRoots() []byte {
	for _, f := range []string{os.Getenv("SSL_CERT_FILE"), "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
		"/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"} {
		if b, err := os.ReadFile(f); err == nil && len(b) > 0 {
			return b
		}
	}
	return nil
}

// environ is the program's environment: ours, without anything that is meant
// for Byline itself (I1), and with what makes common programs use the proxy.
func (s *surroundings) environ(task, token string) []string {
	var env []string
	for _, pair := range os.Environ() {
		if name, _, _ := strings.Cut(pair, "="); !s.withheld(name) {
			env = append(env, pair)
		}
	}
	proxy := *s.proxy
	proxy.User = url.UserPassword(task, token)
	for _, k := range []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY", "all_proxy"} {
		env = append(env, k+"="+proxy.String())
	}
	// Each of these replaces its program's trust store, NODE_EXTRA_CA_CERTS extends it.
	for _, k := range []string{"SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "GIT_SSL_CAINFO", "PIP_CERT", "AWS_CA_BUNDLE",
		"DENO_CERT", "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", "CARGO_HTTP_CAINFO", "COMPOSER_CAFILE", "NIX_SSL_CERT_FILE",
		"PERL_LWP_SSL_CA_FILE", "HTTPLIB2_CA_CERTS", "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE"} {
		env = append(env, k+"="+s.bundle)
	}
	env = append(env, "NODE_EXTRA_CA_CERTS="+s.root, "NODE_USE_ENV_PROXY=1", "DENO_TLS_CA_STORE=system,mozilla",
		"NODE_OPTIONS="+joined(os.Getenv("NODE_OPTIONS"), "--require="+strconv.Quote(s.preload)),
		"NO_PROXY="+s.noProxy, "no_proxy="+s.noProxy, "BYLINE_TASK="+task)
	if s.wgetrc != "" {
		env = append(env, "WGETRC="+s.wgetrc)
	}
	if s.browser != "" {
		env = append(env, "BYLINE_BROWSER_HOME="+s.browser)
	}
	return append(env, s.java.environ(task, token)...)
}

// withheld variables may hold a secret of Byline's, or lead to one.
func (s *surroundings) withheld(name string) bool {
	return strings.HasPrefix(name, "BYLINE_") || name == "CREDENTIALS_DIRECTORY" || slices.Contains(s.withhold, name)
}

func joined(have, more string) string { return strings.TrimSpace(have + " " + more) }
