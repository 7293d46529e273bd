package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestI7OnlyTheOwnUserReachesTheListener connects as another user of the machine.
func TestI7OnlyTheOwnUserReachesTheListener(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can become another user")
	}
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("curl is missing")
	}
	h, _ := serve(t)
	r := startRun(t, h)
	if status, err := r.send(); status != 200 {
		t.Fatalf("as the own user: got status %d, error %v; want 200", status, err)
	}

	curl := exec.Command("curl", "-sS", "-m", "10", "-x", r.proxy.String(), "http://tickets.acme.example/")
	curl.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := curl.CombinedOutput()
	if err == nil || strings.Contains(string(out), "{") {
		t.Errorf("as another user: curl got %q, error %v; want no answer", out, err)
	}
}

// TestI1NoTokenIsWhereAProgramCanSeeIt searches what belongs to a program under byline
// run: environment, arguments, files.
func TestI1NoTokenIsWhereAProgramCanSeeIt(t *testing.T) {
	h, _ := serve(t)
	r := startRun(t, h)
	children := []int{r.Process.Pid, r.program}
	for _, pid := range children {
		for _, file := range []string{"environ", "cmdline"} {
			text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file))
			must(t, err)
			if strings.Contains(string(text), "blt_") {
				t.Errorf("/proc/%d/%s holds a token", pid, file)
			}
		}
	}

	environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", r.program))
	must(t, err)
	var bundle string
	for pair := range strings.SplitSeq(string(environ), "\x00") {
		if path, ok := strings.CutPrefix(pair, "SSL_CERT_FILE="); ok {
			bundle = path
		}
	}
	found, err := exec.Command("grep", "-rl", "blt_", strings.TrimSuffix(bundle, "/bundle.pem")).Output()
	if err == nil || len(found) > 0 {
		t.Errorf("files with a token: %s", found)
	}
}

// TestRunTrustsAPrivateAuthorityOfTheProxy reaches a proxy port with TLS, whose
// certificate only --proxy-ca or the configuration makes trusted.
func TestRunTrustsAPrivateAuthorityOfTheProxy(t *testing.T) {
	certificate, key := newServerCertificate(t)
	h, cfg := serveAfter(t, func(t *testing.T, h *installation) {
		h.write(t, "proxy.pem", certificate)
		h.write(t, "proxy.key", key)
		h.write(t, "byline.yaml", "tls: {cert: proxy.pem, key: proxy.key}\n"+h.read(t, "byline.yaml"))
	})

	r := startRun(t, h)
	if status, err := r.send(); status != 200 {
		t.Errorf("with the configuration: got status %d, error %v; want 200", status, err)
	}
	h.run(t, "", "task", "end", r.task) // there is one account

	remote := []string{"--control", cfg.Control.Listen, "--token-file", cfg.Control.TokenFile, "--root", h.Path("data/certs/root.crt"),
		"--proxy", "https://" + cfg.Listen}
	r = startRun(t, h, append(slices.Clone(remote), "--proxy-ca", h.Path("proxy.pem"))...)
	if status, err := r.send(); status != 200 {
		t.Errorf("with --proxy-ca: got status %d, error %v; want 200", status, err)
	}
	h.run(t, "", "task", "end", r.task)

	h.write(t, "other.pem", h.read(t, "data/certs/root.crt"))
	r = startRun(t, h, append(slices.Clone(remote), "--proxy-ca", h.Path("other.pem"))...)
	if status, err := r.send(); err == nil {
		t.Errorf("with another authority: got status %d, want a connection that is closed", status)
	}
	for end := time.Now().Add(10 * time.Second); !strings.Contains(r.stderr.String(), "the proxy cannot be reached"); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("with another authority byline run says %q", r.stderr.String())
		}
	}
}

// newServerCertificate returns a certificate for 127.0.0.1, which is its own authority,
// and its key.
func newServerCertificate(t *testing.T) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "proxy"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	must(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	must(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
}

// TestInheritedNoProxyIsKept checks that byline run adds to the hosts that are reached
// directly.
func TestInheritedNoProxyIsKept(t *testing.T) {
	for _, c := range []struct{ upper, lower, flag, all, inherited string }{
		{"", "", loopback, loopback, ""},
		{"a.example", "", loopback, loopback + ",a.example", "a.example"},
		{"", "b.example", "", "b.example", "b.example"},
		{"a.example", "b.example", "c.example", "c.example,a.example", "a.example"},
	} {
		t.Setenv("NO_PROXY", c.upper)
		t.Setenv("no_proxy", c.lower)
		if all, inherited := withInherited(c.flag); all != c.all || inherited != c.inherited {
			t.Errorf("%+v: got %q and %q", c, all, inherited)
		}
	}
}
