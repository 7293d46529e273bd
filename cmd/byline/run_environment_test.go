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

// surroundedWith is a task's environment with a real root, as a map.
func surroundedWith(t *testing.T, proxy, noProxy string) (*environment, map[string]string) {
	t.Helper()
	for _, name := range []string{"JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "NODE_OPTIONS"} {
		t.Setenv(name, "")
	}
	dir := t.TempDir()
	if err := certs.Init(dir); err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(proxy)
	if err != nil {
		t.Fatal(err)
	}
	s, err := newEnvironment(u, filepath.Join(dir, "root.crt"), noProxy)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.remove)
	env := map[string]string{}
	for _, pair := range s.variables("t_1", "blt_x/+") {
		name, value, _ := strings.Cut(pair, "=")
		env[name] = value // the last one counts, as for exec
	}
	return s, env
}

// TestEveryClientFindsProxyAndTrustWhereItLooks has one line for each promise
// of a client's own documentation.
func TestEveryClientFindsProxyAndTrustWhereItLooks(t *testing.T) {
	s, env := surroundedWith(t, "http://127.0.0.1:8080", "localhost,.acme.example")
	const proxy = "http://t_1:blt_x%2F+@127.0.0.1:8080"
	for _, c := range []struct{ client, variable, want string }{
		{"curl, git, Python, Go, Deno, the AWS CLI", "HTTPS_PROXY", proxy},
		{"the same, and the AWS CLI prefers it", "https_proxy", proxy},
		{"curl, which takes this one in lower case only", "http_proxy", proxy},
		{"Python, Go, Deno", "HTTP_PROXY", proxy},
		{"httpx and others without one for the scheme", "ALL_PROXY", proxy},
		{"all", "NO_PROXY", "localhost,.acme.example"},
		{"all", "no_proxy", "localhost,.acme.example"},
		{"what is built on OpenSSL, Go, Rust, uv", "SSL_CERT_FILE", s.bundle},
		{"curl", "CURL_CA_BUNDLE", s.bundle},
		{"git", "GIT_SSL_CAINFO", s.bundle},
		{"Python's requests", "REQUESTS_CA_BUNDLE", s.bundle},
		{"pip", "PIP_CERT", s.bundle},
		{"AWS CLI and boto3: in place of its own", "AWS_CA_BUNDLE", s.bundle},
		{"Deno: on top of its store", "DENO_CERT", s.bundle},
		{"Deno: which store that is, in order", "DENO_TLS_CA_STORE", "system,mozilla"},
		{"Node.js: on top of its own", "NODE_EXTRA_CA_CERTS", s.root},
		{"Node.js from 22.21 and 24.5", "NODE_USE_ENV_PROXY", "1"},
		{"Node.js before that", "NODE_OPTIONS", `--require="` + s.preload + `"`},
		{"gRPC", "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", s.bundle},
		{"cargo", "CARGO_HTTP_CAINFO", s.bundle},
		{"Google Cloud CLI", "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE", s.bundle},
		{"Perl's LWP", "PERL_LWP_SSL_CA_FILE", s.bundle},
		{"wget on GnuTLS", "WGETRC", s.wgetrc},
	} {
		if got := env[c.variable]; got != c.want {
			t.Errorf("%s: %s is %q, want %q", c.client, c.variable, got, c.want)
		}
	}
}

// TestJavaFindsProxyAndTrustInItsOptions reads the options and the trust store
// as a JVM does.
func TestJavaFindsProxyAndTrustInItsOptions(t *testing.T) {
	s, env := surroundedWith(t, "http://127.0.0.1:8080", "")
	options := strings.Fields(env["JAVA_TOOL_OPTIONS"])
	store := filepath.Join(s.dir, "trust.p12")
	for _, want := range []string{
		"-Dhttp.proxyHost=127.0.0.1", "-Dhttp.proxyPort=8080", "-Dhttps.proxyHost=127.0.0.1", "-Dhttps.proxyPort=8080",
		"-Djavax.net.ssl.trustStore=" + store, "-Djavax.net.ssl.trustStorePassword=" + trustStorePassword, "-Djavax.net.ssl.trustStoreType=PKCS12",
		"-Djdk.http.auth.tunneling.disabledSchemes=", "-Dhttp.nonProxyHosts=",
	} {
		if !slices.Contains(options, want) {
			t.Errorf("%s is missing in %q", want, options)
		}
	}
	if strings.Contains(env["JAVA_TOOL_OPTIONS"]+env["JDK_JAVA_OPTIONS"], "blt_x") {
		t.Error("the token is in what the JVM prints")
	}
	credentials, err := os.ReadFile(strings.TrimPrefix(env["JDK_JAVA_OPTIONS"], "@"))
	if err != nil || !strings.Contains(string(credentials), "-Dhttps.proxyUser=t_1\n-Dhttps.proxyPassword=blt_x/+\n") {
		t.Errorf("credentials: %v", err)
	}
	text, err := os.ReadFile(store)
	if err != nil {
		t.Fatal(err)
	}
	trusted, err := pkcs12.DecodeTrustStore(text, trustStorePassword)
	bundle, _ := os.ReadFile(s.bundle)
	if err != nil || len(trusted) != strings.Count(string(bundle), "BEGIN CERTIFICATE") {
		t.Errorf("the trust store holds %d certificates: %v", len(trusted), err)
	}
}

func TestJavaHosts(t *testing.T) {
	for noProxy, want := range map[string]string{"": "", "*": "*", "localhost": "localhost|*.localhost", "127.0.0.1, ::1": "127.0.0.1|::1",
		".acme.example,db": "*.acme.example|db|*.db"} {
		if got := javaNonProxyHosts(noProxy); got != want {
			t.Errorf("%q: got %q, want %q", noProxy, got, want)
		}
	}
}

// TestTheOperationsPageNamesWhatRunSets holds the page for clients that byline
// run does not start against the variables that it sets for those it does.
func TestTheOperationsPageNamesWhatRunSets(t *testing.T) {
	page, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(page), "\n## Make clients trust it\n")
	section, _, ended := strings.Cut(section, "\n## ")
	if !ok || !ended {
		t.Fatal("the page has no such section")
	}
	_, env := surroundedWith(t, "http://127.0.0.1:8080", "")
	names := regexp.MustCompile("`([A-Z][A-Z_]{4,})(?:=[^`]*)?`").FindAllStringSubmatch(section, -1)
	if len(names) < 12 {
		t.Fatalf("it names %d variables", len(names))
	}
	for _, n := range names {
		if _, err := exec.LookPath("certutil"); err != nil && n[1] == "BYLINE_BROWSER_HOME" {
			continue
		}
		if _, set := env[n[1]]; !set {
			t.Errorf("%s is on the page and byline run does not set it", n[1])
		}
	}
}
