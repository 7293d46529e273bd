package certs

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// hosts is one of each form that an adapter may name.
var hosts = []string{"Wiki.acme.test:443", "*.apps.acme.test", "10.1.2.3", "[2001:db8::1]:8443"}

// newDir returns a directory with a new root.
func newDir(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "certs")
	if err := Init(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

func newAuthority(t testing.TB, hosts ...string) *Authority {
	t.Helper()
	a, err := Open(newDir(t), hosts)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// verify checks leaf as an agent that trusts the root does.
func verify(a *Authority, leaf *x509.Certificate, host string, at time.Time) error {
	roots, intermediates := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(a.root)
	intermediates.AddCert(a.issuing.Load().cert)
	_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: intermediates, DNSName: host, CurrentTime: at})
	return err
}

func TestInitNeverReplacesARoot(t *testing.T) {
	dir := newDir(t)
	info, err := os.Stat(filepath.Join(dir, rootKeyFile))
	if err != nil {
		t.Fatal(err)
	}
	if mode := info.Mode().Perm(); mode != 0o600 {
		t.Errorf("root.key has the mode %04o, want 0600", mode)
	}

	before, err := os.ReadFile(filepath.Join(dir, rootCertFile))
	if err != nil {
		t.Fatal(err)
	}
	if err := Init(dir); err == nil {
		t.Error("Init succeeded in a directory with a root")
	}
	after, err := os.ReadFile(filepath.Join(dir, rootCertFile))
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("root.crt changed (error: %v)", err)
	}

	if err := os.Remove(filepath.Join(dir, rootKeyFile)); err != nil {
		t.Fatal(err)
	}
	if err := Init(dir); err == nil {
		t.Error("Init succeeded in a directory with a root whose key is offline")
	}
}

func TestI9TheIssuingAuthorityIsConstrained(t *testing.T) {
	a := newAuthority(t, hosts...)
	cert := a.issuing.Load().cert
	if !cert.PermittedDNSDomainsCritical {
		t.Error("the name constraints are not critical")
	}
	if !cert.MaxPathLenZero || cert.MaxPathLen != 0 {
		t.Errorf("the path length is %d, want 0", cert.MaxPathLen)
	}
	got := fmt.Sprint(cert.PermittedDNSDomains, cert.PermittedIPRanges)
	want := "[apps.acme.test wiki.acme.test] [10.1.2.3/32 2001:db8::1/128]"
	if got != want {
		t.Errorf("permitted names are %s, want %s", got, want)
	}
	info, err := os.Stat(filepath.Join(a.dir, issuingKeyFile))
	if err != nil {
		t.Fatal(err)
	}
	if mode := info.Mode().Perm(); mode != 0o600 {
		t.Errorf("issuing.key has the mode %04o, want 0600", mode)
	}
}

// signWithStolenKey returns a leaf for host that was signed with the issuing
// authority's key without the checks of this package, as a thief would do.
func signWithStolenKey(t *testing.T, a *Authority, host string) *x509.Certificate {
	t.Helper()
	cert, err := a.signLeaf(a.issuing.Load(), host, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return cert.Leaf
}

func TestI9AStolenIssuingKeySignsNothingElse(t *testing.T) {
	for _, c := range []struct {
		name                string
		hosts               []string
		trusted, notTrusted []string
	}{
		{"names and addresses", hosts,
			[]string{"wiki.acme.test", "a.apps.acme.test", "10.1.2.3", "2001:db8::1"},
			[]string{"bank.test", "acme.test", "10.1.2.4", "2001:db8::2"}},
		{"only names", []string{"wiki.acme.test"},
			[]string{"wiki.acme.test"},
			[]string{"bank.test", "10.1.2.3", "2001:db8::1"}},
		{"only addresses", []string{"10.1.2.3"},
			[]string{"10.1.2.3"},
			[]string{"bank.test", "10.1.2.4", "2001:db8::1"}},
		{"no hosts", nil,
			nil,
			[]string{"bank.test", "wiki.acme.test", "10.1.2.3", "2001:db8::1", "localhost"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := newAuthority(t, c.hosts...)
			for _, host := range c.trusted {
				leaf := signWithStolenKey(t, a, host)
				if err := verify(a, leaf, host, time.Now()); err != nil {
					t.Errorf("Go rejects a leaf for %s: %v", host, err)
				}
				if out, err := verifyWithOpenSSL(t, a, leaf); err != nil {
					t.Errorf("openssl rejects a leaf for %s: %v\n%s", host, err, out)
				}
			}
			for _, host := range c.notTrusted {
				leaf := signWithStolenKey(t, a, host)
				if err := verify(a, leaf, host, time.Now()); err == nil {
					t.Errorf("Go accepts a leaf for %s", host)
				}
				out, err := verifyWithOpenSSL(t, a, leaf)
				if err == nil || !strings.Contains(out, "subtree violation") {
					t.Errorf("openssl on a leaf for %s: %v, want a subtree violation\n%s", host, err, out)
				}
			}
		})
	}
}

// verifyWithOpenSSL verifies leaf with the library that many agents use. If the
// program is not installed, it returns the verdict of Go in the same form.
func verifyWithOpenSSL(t *testing.T, a *Authority, leaf *x509.Certificate) (string, error) {
	t.Helper()
	program, err := exec.LookPath("openssl")
	if err != nil {
		if verify(a, leaf, "", time.Now()) != nil {
			return "subtree violation", errors.New("refused")
		}
		return "", nil
	}
	path := filepath.Join(t.TempDir(), "leaf.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(program, "verify", "-x509_strict", "-purpose", "sslserver",
		"-CAfile", filepath.Join(a.dir, rootCertFile), "-untrusted", filepath.Join(a.dir, issuingCertFile), path).CombinedOutput()
	return string(out), err
}

func TestPermitReplacesTheNames(t *testing.T) {
	a := newAuthority(t, "wiki.acme.test")
	old, err := a.Leaf("wiki.acme.test")
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Permit([]string{"rt.acme.test"}); err != nil {
		t.Fatal(err)
	}

	if _, err := a.Leaf("wiki.acme.test"); !errors.Is(err, ErrNotPermitted) {
		t.Errorf("Leaf for the previous name returned %v, want ErrNotPermitted", err)
	}
	if verify(a, old.Leaf, "wiki.acme.test", time.Now()) == nil {
		t.Error("the old leaf verifies under the new authority")
	}
	leaf, err := a.Leaf("rt.acme.test")
	if err != nil {
		t.Fatal(err)
	}
	if err := verify(a, leaf.Leaf, "rt.acme.test", time.Now()); err != nil {
		t.Errorf("the leaf for the new name does not verify: %v", err)
	}

	for _, invalid := range []string{"", "*", "a.*.test", "http://x", "a b", "-a.test"} {
		if err := a.Permit([]string{invalid}); err == nil {
			t.Errorf("Permit accepted %q", invalid)
		}
	}
	if _, err := a.Leaf("rt.acme.test"); err != nil {
		t.Errorf("after a failed Permit, the names in force are not signed: %v", err)
	}
}

func TestOpenKeepsAnAuthorityForTheSameNames(t *testing.T) {
	a := newAuthority(t, "a.test", "b.test")
	b, err := Open(a.dir, []string{"b.test", "A.test", "b.test:443"})
	if err != nil {
		t.Fatal(err)
	}
	if !b.issuing.Load().cert.Equal(a.issuing.Load().cert) {
		t.Error("the same hosts in another order made a new authority")
	}

	// A crash between the two writes leaves a key without its certificate.
	key, err := newKey()
	if err != nil {
		t.Fatal(err)
	}
	if err := writeKey(filepath.Join(a.dir, issuingKeyFile), key); err != nil {
		t.Fatal(err)
	}
	c, err := Open(a.dir, []string{"a.test", "b.test"})
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := c.Leaf("a.test")
	if err != nil {
		t.Fatal(err)
	}
	if err := verify(c, leaf.Leaf, "a.test", time.Now()); err != nil {
		t.Errorf("after a crash between the two writes, a leaf does not verify: %v", err)
	}
}

func TestAnAuthorityIsRenewedBeforeItEnds(t *testing.T) {
	dir := newDir(t)
	now := time.Now()
	a, err := open(dir, []string{"a.test"}, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	first := a.Expiry()

	now = first.Add(-31 * day)
	if err := a.Permit([]string{"a.test"}); err != nil {
		t.Fatal(err)
	}
	if !a.Expiry().Equal(first) {
		t.Error("the authority was renewed 31 days before its end")
	}

	now = first.Add(-29 * day)
	if _, err := a.Leaf("a.test"); err != nil {
		t.Fatal(err)
	}
	for i := 0; a.Expiry().Equal(first) && i < 500; i++ { // the renewal runs in the background
		time.Sleep(10 * time.Millisecond)
	}
	if a.Expiry().Equal(first) {
		t.Fatal("the authority was not renewed 29 days before its end")
	}
	leaf, err := a.Leaf("a.test")
	if err != nil {
		t.Fatal(err)
	}
	if err := verify(a, leaf.Leaf, "a.test", now); err != nil {
		t.Errorf("after the renewal, a leaf does not verify: %v", err)
	}
}

func TestTheRootKeyCanBeOffline(t *testing.T) {
	a := newAuthority(t, "a.test")
	offline := filepath.Join(t.TempDir(), "root.key")
	if err := os.Rename(filepath.Join(a.dir, rootKeyFile), offline); err != nil {
		t.Fatal(err)
	}

	if _, err := Open(a.dir, []string{"a.test"}); err != nil {
		t.Errorf("Open with the same hosts failed without the root key: %v", err)
	}
	dayBefore := a.Expiry().Add(-day)
	if _, err := open(a.dir, []string{"a.test"}, func() time.Time { return dayBefore }); err != nil {
		t.Errorf("Open failed a day before the authority ends: %v", err)
	}
	dayAfter := a.Expiry().Add(day)
	if _, err := open(a.dir, []string{"a.test"}, func() time.Time { return dayAfter }); !errors.Is(err, ErrRootOffline) {
		t.Errorf("Open a day after the authority ended returned %v, want ErrRootOffline", err)
	}
	err := a.Permit([]string{"a.test", "b.test"})
	if !errors.Is(err, ErrRootOffline) || !strings.Contains(err.Error(), "byline ca issue --root-key") {
		t.Errorf("Permit with other hosts returned %v, want ErrRootOffline with its remedy", err)
	}

	if err := Issue(a.dir, offline, []string{"a.test", "b.test"}); err != nil {
		t.Fatal(err)
	}
	if err := a.Permit([]string{"a.test", "b.test"}); err != nil {
		t.Errorf("Permit failed after Issue: %v", err)
	}

	otherRoot := filepath.Join(newDir(t), rootKeyFile)
	if err := Issue(a.dir, otherRoot, nil); err == nil {
		t.Error("Issue accepted the key of another root")
	}
	if err := os.Chmod(offline, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Issue(a.dir, offline, nil); err == nil || !strings.Contains(err.Error(), "chmod 600 "+offline) {
		t.Errorf("Issue with a root key that others can read returned %v, want the remedy chmod 600", err)
	}
}

func FuzzParseNames(f *testing.F) {
	for _, host := range append(hosts, "", "*.", "[::1", "a%b", "::1%eth0") {
		f.Add(host)
	}
	f.Fuzz(func(t *testing.T, host string) {
		names, err := parseNames([]string{host})
		if err != nil {
			return
		}
		if names.permits("bank.test") && canonicalHost(host) != "bank.test" && canonicalHost(host) != "*.test" {
			t.Errorf("%q permits bank.test", host)
		}
	})
}
