package main

import (
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	pkcs12 "software.sslmate.com/src/go-pkcs12"

	"github.com/byline-proxy/byline/certs"
)

// newTaskEnvironment returns an environment with a real root, and the variables of a task
// in it.
func newTaskEnvironment(t *testing.T, proxy, noProxy string) (*environment, map[string]string) {
	t.Helper()
	for _, name := range []string{"JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "NODE_OPTIONS"} {
		t.Setenv(name, "")
	}
	dir := t.TempDir()
	must(t, certs.Init(dir))
	u, err := url.Parse(proxy)
	must(t, err)

	e, err := newEnvironment(u, filepath.Join(dir, "root.crt"), noProxy)
	must(t, err)
	t.Cleanup(e.remove)
	variables := map[string]string{}
	for _, pair := range e.variables("t_1") {
		name, value, _ := strings.Cut(pair, "=")
		variables[name] = value // the last one counts, as for exec
	}
	return e, variables
}

// TestEveryClientFindsProxyAndTrustWhereItLooks has one line for each variable that the
// documentation of a client names.
func TestEveryClientFindsProxyAndTrustWhereItLooks(t *testing.T) {
	e, env := newTaskEnvironment(t, "http://127.0.0.1:8080", "localhost,.acme.example")
	const proxy = "http://127.0.0.1:8080"
	for _, c := range []struct{ client, variable, want string }{
		{"curl, git, Python, Go, Deno, the AWS CLI", "HTTPS_PROXY", proxy},
		{"the same, and the AWS CLI prefers it", "https_proxy", proxy},
		{"curl, which reads this one only in lower case", "http_proxy", proxy},
		{"Python, Go, Deno", "HTTP_PROXY", proxy},
		{"httpx and others, if there is none for the scheme", "ALL_PROXY", proxy},
		{"all", "NO_PROXY", "localhost,.acme.example"},
		{"all", "no_proxy", "localhost,.acme.example"},
		{"programs built on OpenSSL, Go, Rust, uv", "SSL_CERT_FILE", e.bundle},
		{"curl", "CURL_CA_BUNDLE", e.bundle},
		{"git", "GIT_SSL_CAINFO", e.bundle},
		{"Python's requests", "REQUESTS_CA_BUNDLE", e.bundle},
		{"pip", "PIP_CERT", e.bundle},
		{"AWS CLI and boto3: instead of their own", "AWS_CA_BUNDLE", e.bundle},
		{"Deno: in addition to its store", "DENO_CERT", e.bundle},
		{"Deno: which stores, in order", "DENO_TLS_CA_STORE", "system,mozilla"},
		{"Node.js: in addition to its own", "NODE_EXTRA_CA_CERTS", e.root},
		{"Node.js from 22.21 and 24.5", "NODE_USE_ENV_PROXY", "1"},
		{"Node.js before that", "NODE_OPTIONS", `--require="` + e.preload + `"`},
		{"gRPC", "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", e.bundle},
		{"cargo", "CARGO_HTTP_CAINFO", e.bundle},
		{"Google Cloud CLI", "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE", e.bundle},
		{"Perl's LWP", "PERL_LWP_SSL_CA_FILE", e.bundle},
		{"wget on GnuTLS", "WGETRC", e.wgetrc},
	} {
		if got := env[c.variable]; got != c.want {
			t.Errorf("%s: %s is %q, want %q", c.client, c.variable, got, c.want)
		}
	}
}

// TestJavaFindsProxyAndTrustInItsOptions reads the options and the trust store as a JVM
// does.
func TestJavaFindsProxyAndTrustInItsOptions(t *testing.T) {
	e, env := newTaskEnvironment(t, "http://127.0.0.1:8080", "")
	options := strings.Fields(env["JAVA_TOOL_OPTIONS"])
	store := filepath.Join(e.dir, "trust.p12")
	for _, want := range []string{
		"-Dhttp.proxyHost=127.0.0.1",
		"-Dhttp.proxyPort=8080",
		"-Dhttps.proxyHost=127.0.0.1",
		"-Dhttps.proxyPort=8080",
		"-Djavax.net.ssl.trustStore=" + store,
		"-Djavax.net.ssl.trustStorePassword=" + trustStorePassword,
		"-Djavax.net.ssl.trustStoreType=PKCS12",
		"-Dhttp.nonProxyHosts=",
	} {
		if !slices.Contains(options, want) {
			t.Errorf("JAVA_TOOL_OPTIONS lacks %s: %q", want, options)
		}
	}

	text, err := os.ReadFile(store)
	must(t, err)
	trusted, err := pkcs12.DecodeTrustStore(text, trustStorePassword)
	must(t, err)
	bundle, err := os.ReadFile(e.bundle)
	must(t, err)
	if want := strings.Count(string(bundle), "BEGIN CERTIFICATE"); len(trusted) != want {
		t.Errorf("the trust store holds %d certificates, want the %d of the bundle", len(trusted), want)
	}
}

func TestJavaNonProxyHosts(t *testing.T) {
	for noProxy, want := range map[string]string{
		"":                 "",
		"*":                "*",
		"localhost":        "localhost|*.localhost",
		"127.0.0.1, ::1":   "127.0.0.1|::1",
		".acme.example,db": "*.acme.example|db|*.db",
	} {
		if got := javaNonProxyHosts(noProxy); got != want {
			t.Errorf("%q: got %q, want %q", noProxy, got, want)
		}
	}
}

// TestTheOperationsPageNamesWhatRunSets compares the page about clients that byline run does
// not start with the variables that it sets for those that it does start.
func TestTheOperationsPageNamesWhatRunSets(t *testing.T) {
	page, err := os.ReadFile("../../docs/operations.md")
	must(t, err)
	_, section, ok := strings.Cut(string(page), "\n## Make clients trust it\n")
	section, _, ended := strings.Cut(section, "\n## ")
	if !ok || !ended {
		t.Fatal("docs/operations.md has no section \"Make clients trust it\"")
	}
	_, env := newTaskEnvironment(t, "http://127.0.0.1:8080", "")
	names := regexp.MustCompile("`([A-Z][A-Z_]{4,})(?:=[^`]*)?`").FindAllStringSubmatch(section, -1)
	if len(names) < 12 {
		t.Fatalf("the section names %d variables, want at least 12", len(names))
	}
	for _, n := range names {
		if _, err := exec.LookPath("certutil"); err != nil && n[1] == "BYLINE_BROWSER_HOME" {
			continue
		}
		if _, set := env[n[1]]; !set {
			t.Errorf("the section names %s, which byline run does not set", n[1])
		}
	}
}
