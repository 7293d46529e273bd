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
	"sync"
	"testing"
	"time"
)

var hosts = []string{"Wiki.acme.test:443", "*.apps.acme.test", "10.1.2.3", "[2001:db8::1]:8443"}

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

func verify(a *Authority, leaf *x509.Certificate, host string, at time.Time) error {
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(a.root)
	between.AddCert(a.issuing.Load().cert)
	_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, DNSName: host, CurrentTime: at})
	return err
}

func TestInitWritesARootOnce(t *testing.T) {
	dir := newDir(t)
	st, err := os.Stat(filepath.Join(dir, rootKeyFile))
	if err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("root.key: %v, %v", st.Mode(), err)
	}
	before, _ := os.ReadFile(filepath.Join(dir, rootCertFile))
	if err := Init(dir); err == nil {
		t.Error("a root was overwritten")
	}
	if after, _ := os.ReadFile(filepath.Join(dir, rootCertFile)); !bytes.Equal(before, after) {
		t.Error("root.crt changed")
	}
	os.Remove(filepath.Join(dir, rootKeyFile))
	if err := Init(dir); err == nil {
		t.Error("the root of an offline key was overwritten")
	}
}

func TestI9TheIssuingAuthorityIsConstrained(t *testing.T) {
	a := newAuthority(t, hosts...)
	c := a.issuing.Load().cert
	if !c.PermittedDNSDomainsCritical || !c.MaxPathLenZero || c.MaxPathLen != 0 {
		t.Errorf("critical %v, path length %d", c.PermittedDNSDomainsCritical, c.MaxPathLen)
	}
	if got := fmt.Sprint(c.PermittedDNSDomains, c.PermittedIPRanges); got != "[apps.acme.test wiki.acme.test] [10.1.2.3/32 2001:db8::1/128]" {
		t.Errorf("permitted: %s", got)
	}
	if st, err := os.Stat(filepath.Join(a.dir, issuingKeyFile)); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("issuing.key: %v", err)
	}
}

func TestI9LeavesAreForNamedHostsAlone(t *testing.T) {
	a := newAuthority(t, hosts...)
	for _, h := range []string{"wiki.acme.test", "WIKI.acme.test:8443", "wiki.acme.test.", "a.apps.acme.test", "a.b.apps.acme.test", "10.1.2.3", "2001:db8::1", "::ffff:10.1.2.3"} {
		cert, err := a.Leaf(h)
		if err != nil {
			t.Errorf("%s: %v", h, err)
			continue
		}
		if err := verify(a, cert.Leaf, canonical(h), time.Now()); err != nil {
			t.Errorf("%s does not verify: %v", h, err)
		}
	}
	for _, h := range []string{"", "acme.test", "x.wiki.acme.test", "apps.acme.test", "evilapps.acme.test", "bank.test", "10.1.2.4", "2001:db8::2",
		"fe80::1%eth0", "*.apps.acme.test", "wiki.acme.test\x00.bank.test", "wíki.acme.test", ".apps.acme.test", "a..apps.acme.test"} {
		if cert, err := a.Leaf(h); !errors.Is(err, ErrNotPermitted) || cert != nil {
			t.Errorf("%q: %v", h, err)
		}
	}
}

// rogue is a leaf for host that the issuing authority's own key signed, as one
// who stole that key would make it.
func rogue(t *testing.T, a *Authority, host string) *x509.Certificate {
	t.Helper()
	cert, err := a.mint(a.issuing.Load(), host, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return cert.Leaf
}

func TestI9AStolenIssuingKeySignsNothingElse(t *testing.T) {
	for _, c := range []struct {
		name    string
		hosts   []string
		in, out []string
	}{
		{"names and addresses", hosts, []string{"wiki.acme.test", "a.apps.acme.test", "10.1.2.3", "2001:db8::1"}, []string{"bank.test", "acme.test", "10.1.2.4", "2001:db8::2"}},
		{"names alone", []string{"wiki.acme.test"}, []string{"wiki.acme.test"}, []string{"bank.test", "10.1.2.3", "2001:db8::1"}},
		{"addresses alone", []string{"10.1.2.3"}, []string{"10.1.2.3"}, []string{"bank.test", "10.1.2.4", "2001:db8::1"}},
		{"nothing", nil, nil, []string{"bank.test", "wiki.acme.test", "10.1.2.3", "2001:db8::1", "localhost"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := newAuthority(t, c.hosts...)
			for _, h := range c.in {
				leaf := rogue(t, a, h)
				if err := verify(a, leaf, h, time.Now()); err != nil {
					t.Errorf("go: %s: %v", h, err)
				}
				if out, err := openssl(t, a, leaf); err != nil {
					t.Errorf("openssl: %s: %v\n%s", h, err, out)
				}
			}
			for _, h := range c.out {
				leaf := rogue(t, a, h)
				if err := verify(a, leaf, h, time.Now()); err == nil {
					t.Errorf("go verifies a leaf for %s", h)
				}
				if out, err := openssl(t, a, leaf); err == nil || !strings.Contains(out, "subtree violation") {
					t.Errorf("openssl on a leaf for %s: %v\n%s", h, err, out)
				}
			}
		})
	}
}

// openssl verifies leaf the way half of all agents do; where the program is
// missing it answers as Go does, which the caller has asked already.
func openssl(t *testing.T, a *Authority, leaf *x509.Certificate) (string, error) {
	t.Helper()
	bin, err := exec.LookPath("openssl")
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
	out, err := exec.Command(bin, "verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", filepath.Join(a.dir, rootCertFile),
		"-untrusted", filepath.Join(a.dir, issuingCertFile), path).CombinedOutput()
	return string(out), err
}

func TestLeafIsShortAndNamedInItsSANAlone(t *testing.T) {
	a := newAuthority(t, hosts...)
	cert, err := a.Leaf("wiki.acme.test")
	if err != nil {
		t.Fatal(err)
	}
	l := cert.Leaf
	if life := l.NotAfter.Sub(l.NotBefore); life > 30*day || life < 20*day {
		t.Errorf("lives %v", life)
	}
	if ago := time.Since(l.NotBefore); ago < 23*time.Hour {
		t.Errorf("backdated by %v", ago)
	}
	if l.Subject.String() != "" || fmt.Sprint(l.DNSNames) != "[wiki.acme.test]" || l.IsCA {
		t.Errorf("subject %q, names %v, authority %v", l.Subject, l.DNSNames, l.IsCA)
	}
	if len(cert.Certificate) != 2 || !bytes.Equal(cert.Certificate[1], a.issuing.Load().cert.Raw) {
		t.Error("the chain is not the leaf and the issuing authority")
	}
}

func TestConcurrentMintsOfAHostMintOnce(t *testing.T) {
	a := newAuthority(t, hosts...)
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			if _, err := a.Leaf("wiki.acme.test"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := a.minted.Load(); n != 1 {
		t.Errorf("minted %d times", n)
	}
}

func TestTheCacheIsBounded(t *testing.T) {
	a := newAuthority(t, "*.apps.acme.test")
	for i := range maxLeaves + 50 {
		a.leafOf(fmt.Sprintf("h%d.apps.acme.test", i))
	}
	if n := len(a.leaves); n != maxLeaves {
		t.Errorf("%d leaves are kept", n)
	}
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
		t.Errorf("the name before: %v", err)
	}
	leaf, err := a.Leaf("rt.acme.test")
	if err != nil || verify(a, leaf.Leaf, "rt.acme.test", time.Now()) != nil {
		t.Errorf("the name now: %v", err)
	}
	if verify(a, old.Leaf, "wiki.acme.test", time.Now()) == nil {
		t.Error("the old leaf verifies under the new authority")
	}
	for _, bad := range []string{"", "*", "a.*.test", "http://x", "a b", "-a.test"} {
		if err := a.Permit([]string{bad}); err == nil {
			t.Errorf("%q was permitted", bad)
		}
	}
	if _, err := a.Leaf("rt.acme.test"); err != nil {
		t.Errorf("after a refused Permit: %v", err)
	}
}

func TestOpenKeepsWhatFits(t *testing.T) {
	a := newAuthority(t, "a.test", "b.test")
	b, err := Open(a.dir, []string{"b.test", "A.test", "b.test:443"})
	if err != nil || !b.issuing.Load().cert.Equal(a.issuing.Load().cert) {
		t.Errorf("the same hosts in another order made a new authority (%v)", err)
	}
	// What a crash between the two writes leaves: a key that is no pair.
	key, _ := newKey()
	if err := writeKey(filepath.Join(a.dir, issuingKeyFile), key); err != nil {
		t.Fatal(err)
	}
	c, err := Open(a.dir, []string{"a.test", "b.test"})
	if err != nil {
		t.Fatal(err)
	}
	if leaf, err := c.Leaf("a.test"); err != nil || verify(c, leaf.Leaf, "a.test", time.Now()) != nil {
		t.Errorf("after a torn write: %v", err)
	}
}

func TestRenewalBeforeExpiry(t *testing.T) {
	dir, start := newDir(t), time.Now()
	now := start
	a, err := open(dir, []string{"a.test"}, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	first := a.Expiry()
	now = first.Add(-31 * day)
	if err := a.Permit([]string{"a.test"}); err != nil || !a.Expiry().Equal(first) {
		t.Errorf("31 days before: renewed (%v)", err)
	}
	now = first.Add(-29 * day)
	if _, err := a.Leaf("a.test"); err != nil {
		t.Fatal(err)
	}
	for i := 0; a.Expiry().Equal(first) && i < 500; i++ {
		time.Sleep(10 * time.Millisecond)
	}
	if a.Expiry().Equal(first) {
		t.Fatal("29 days before: not renewed")
	}
	leaf, err := a.Leaf("a.test")
	if err != nil || verify(a, leaf.Leaf, "a.test", now) != nil {
		t.Errorf("after renewal: %v", err)
	}
}

func TestRootOffline(t *testing.T) {
	a := newAuthority(t, "a.test")
	away := filepath.Join(t.TempDir(), "root.key")
	if err := os.Rename(filepath.Join(a.dir, rootKeyFile), away); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(a.dir, []string{"a.test"}); err != nil {
		t.Errorf("the same hosts need no root key: %v", err)
	}
	late := a.Expiry().Add(-day)
	if _, err := open(a.dir, []string{"a.test"}, func() time.Time { return late }); err != nil {
		t.Errorf("one that still lasts a day: %v", err)
	}
	gone := a.Expiry().Add(day)
	if _, err := open(a.dir, []string{"a.test"}, func() time.Time { return gone }); !errors.Is(err, ErrRootOffline) {
		t.Errorf("one that ended: %v", err)
	}
	if err := a.Permit([]string{"a.test", "b.test"}); !errors.Is(err, ErrRootOffline) || !strings.Contains(err.Error(), "byline ca issue --root-key") {
		t.Errorf("other hosts: %v", err)
	}
	if err := Issue(a.dir, away, []string{"a.test", "b.test"}); err != nil {
		t.Fatal(err)
	}
	if err := a.Permit([]string{"a.test", "b.test"}); err != nil {
		t.Errorf("after ca issue: %v", err)
	}
	other := newDir(t)
	if err := Issue(a.dir, filepath.Join(other, rootKeyFile), nil); err == nil {
		t.Error("another root's key was taken")
	}
	os.Chmod(away, 0o644)
	if err := Issue(a.dir, away, nil); err == nil || !strings.Contains(err.Error(), "chmod 600 "+away) {
		t.Errorf("a root key open to others: %v", err)
	}
}

func TestBundle(t *testing.T) {
	a := newAuthority(t)
	system := filepath.Join(t.TempDir(), "roots.pem")
	theirs := newAuthority(t).RootPEM()
	if err := os.WriteFile(system, bytes.TrimRight(theirs, "\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	both, err := bundle([]string{"/nonexistent", system}, a.RootPEM())
	if err != nil {
		t.Fatal(err)
	}
	var n int
	for rest := both; ; n++ {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
	}
	if n != 2 || !bytes.HasPrefix(both, theirs) || !bytes.HasSuffix(both, a.RootPEM()) {
		t.Errorf("%d certificates", n)
	}
	if only, err := a.Bundle(false); err != nil || !bytes.Equal(only, a.RootPEM()) {
		t.Errorf("without the system's: %v", err)
	}
	if _, err := bundle(nil, a.RootPEM()); err == nil {
		t.Error("no system roots and no error")
	}
}

func FuzzParseNames(f *testing.F) {
	for _, h := range append(hosts, "", "*.", "[::1", "a%b", "::1%eth0") {
		f.Add(h)
	}
	f.Fuzz(func(t *testing.T, h string) {
		n, err := parseNames([]string{h})
		if err != nil {
			return
		}
		if n.permits("bank.test") && canonical(h) != "bank.test" && canonical(h) != "*.test" {
			t.Errorf("%q permits bank.test", h)
		}
	})
}
