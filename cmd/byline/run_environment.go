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

// environment makes a program use the proxy and trust its authority. It consists of
// files in a private folder, and of variables that name them.
type environment struct {
	dir   string // mode 0700; removed when the program has ended
	proxy *url.URL

	root    string // PEM file: the interception root alone
	bundle  string // PEM file: the system's roots and the interception root
	preload string // script for Node.js
	wgetrc  string // startup file of wget; "" if it could not be written
	php     string // folder with settings for PHP
	browser string // home folder for browsers; "" without certutil
	java    javaOptions
	noProxy string

	isolated bool     // the program reaches no socket of the user's session
	withhold []string // further variables that the program must not see
	warnings []string // programs that will not trust the proxy, and why
}

//go:embed run_node_preload.cjs
var nodePreload []byte

// newEnvironment writes the files. The caller calls remove.
func newEnvironment(proxy *url.URL, root, noProxy string) (*environment, error) {
	dir, err := os.MkdirTemp("", "byline-run-")
	if err != nil {
		return nil, err
	}

	e := &environment{
		dir:     dir,
		proxy:   proxy,
		root:    filepath.Join(dir, "root.pem"),
		bundle:  filepath.Join(dir, "bundle.pem"),
		preload: filepath.Join(dir, "preload.cjs"),
		wgetrc:  filepath.Join(dir, "wgetrc"),
		php:     filepath.Join(dir, "php"),
		noProxy: noProxy,
	}
	if err := e.write(root); err != nil {
		e.remove()
		return nil, err
	}
	return e, nil
}

// write writes all files. What only one kind of program needs may fail with a
// warning.
func (e *environment) write(rootFile string) error {
	root, err := os.ReadFile(rootFile)
	if err != nil {
		return fmt.Errorf("interception root: %w", err)
	}
	if !bytes.Contains(root, []byte("-----BEGIN CERTIFICATE-----")) {
		return fmt.Errorf("interception root: %s holds no certificate in PEM form", rootFile)
	}
	system := readSystemRoots()
	if system == nil {
		e.warn("no file of system roots was found, so only intercepted hosts will be trusted; install the package ca-certificates")
	}

	err = errors.Join(
		os.WriteFile(e.root, root, 0o600),
		os.WriteFile(e.bundle, append(append(system, '\n'), root...), 0o600),
		os.WriteFile(e.preload, nodePreload, 0o600),
		os.Mkdir(e.php, 0o700),
		os.WriteFile(filepath.Join(e.php, "byline.ini"), fmt.Appendf(nil, "curl.cainfo=%q\nopenssl.cafile=%q\n", e.bundle, e.bundle), 0o600),
	)
	if err != nil {
		return err
	}

	if err := writeWgetrc(e.wgetrc, e.bundle); err != nil {
		e.warn("wget will not trust the proxy: %v", err)
		e.wgetrc = ""
	}
	if e.browser, err = makeBrowserHome(e.dir, e.root); err != nil {
		e.warn("browsers will not trust the proxy: %v", err)
	}
	if e.java, err = makeJavaOptions(e.dir, e.bundle, e.proxy, e.noProxy); err != nil {
		e.warn("Java programs will not trust the proxy: %v", err)
	}
	return nil
}

func (e *environment) warn(format string, a ...any) {
	e.warnings = append(e.warnings, fmt.Sprintf(format, a...))
}

func (e *environment) remove() { _ = os.RemoveAll(e.dir) }

// readSystemRoots returns the system's file of roots, or nil if there is none.
func readSystemRoots() []byte {
	for _, file := range []string{
		os.Getenv("SSL_CERT_FILE"),
		"/etc/ssl/certs/ca-certificates.crt",                // Debian, Alpine
		"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", // Fedora
		"/etc/pki/tls/certs/ca-bundle.crt",
		"/etc/ssl/ca-bundle.pem", // openSUSE
		"/etc/ssl/cert.pem",
	} {
		if b, err := os.ReadFile(file); err == nil && len(b) > 0 {
			return b
		}
	}
	return nil
}

// variables returns the program's environment variables: those of this process, without
// any that is meant for Byline (I1), and those that make common programs use the proxy.
func (e *environment) variables(task string) []string {
	var env []string
	for _, pair := range os.Environ() {
		if name, _, _ := strings.Cut(pair, "="); !e.withholds(name) {
			env = append(env, pair)
		}
	}
	add := func(value string, names ...string) {
		for _, name := range names {
			env = append(env, name+"="+value)
		}
	}

	add(e.proxy.String(), "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY", "all_proxy")
	add(e.noProxy, "NO_PROXY", "no_proxy")

	// Each of these replaces the trust store of its program.
	add(e.bundle, "SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "GIT_SSL_CAINFO", "PIP_CERT", "AWS_CA_BUNDLE",
		"DENO_CERT", "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", "CARGO_HTTP_CAINFO", "COMPOSER_CAFILE", "NIX_SSL_CERT_FILE",
		"PERL_LWP_SSL_CA_FILE", "HTTPLIB2_CA_CERTS", "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE")

	// npm's own file of settings may name another bundle.
	add(e.bundle, "npm_config_cafile")
	// PHP reads the folders of this list; the empty one stands for its own.
	add(os.Getenv("PHP_INI_SCAN_DIR")+":"+e.php, "PHP_INI_SCAN_DIR")

	// This one extends the trust store of Node.js.
	add(e.root, "NODE_EXTRA_CA_CERTS")
	add("1", "NODE_USE_ENV_PROXY")
	add(joinWords(os.Getenv("NODE_OPTIONS"), "--require="+strconv.Quote(e.preload)), "NODE_OPTIONS")
	add("system,mozilla", "DENO_TLS_CA_STORE")

	add(task, "BYLINE_TASK")
	if e.wgetrc != "" {
		add(e.wgetrc, "WGETRC")
	}
	if e.browser != "" {
		add(e.browser, "BYLINE_BROWSER_HOME")
	}
	return append(env, e.java.variables()...)
}

// withholds reports whether a variable may hold a secret of Byline, or lead to one, or
// to what the program does not reach.
func (e *environment) withholds(name string) bool {
	if e.isolated && isSessionVariable(name) {
		return true
	}
	return strings.HasPrefix(name, "BYLINE_") || name == "CREDENTIALS_DIRECTORY" || slices.Contains(e.withhold, name)
}

// joinWords returns both with a space between them, if both have text.
func joinWords(first, second string) string { return strings.TrimSpace(first + " " + second) }
