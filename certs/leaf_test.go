package certs

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"
)

func TestI9LeavesAreForNamedHostsAlone(t *testing.T) {
	a := newAuthority(t, hosts...)
	for _, host := range []string{
		"wiki.acme.test", "WIKI.acme.test:8443", "wiki.acme.test.", "a.apps.acme.test", "a.b.apps.acme.test",
		"10.1.2.3", "2001:db8::1", "::ffff:10.1.2.3",
	} {
		cert, err := a.Leaf(host)
		if err != nil {
			t.Errorf("Leaf(%q) failed: %v", host, err)
			continue
		}
		if err := verify(a, cert.Leaf, canonicalHost(host), time.Now()); err != nil {
			t.Errorf("the leaf for %q does not verify: %v", host, err)
		}
	}
	for _, host := range []string{
		"", "acme.test", "x.wiki.acme.test", "apps.acme.test", "evilapps.acme.test", "bank.test", "10.1.2.4", "2001:db8::2",
		"fe80::1%eth0", "*.apps.acme.test", "wiki.acme.test\x00.bank.test", "wíki.acme.test", ".apps.acme.test", "a..apps.acme.test",
	} {
		if cert, err := a.Leaf(host); !errors.Is(err, ErrNotPermitted) || cert != nil {
			t.Errorf("Leaf(%q) returned the error %v, want ErrNotPermitted and no certificate", host, err)
		}
	}
}

func TestALeafIsShortLivedAndHasNoSubject(t *testing.T) {
	a := newAuthority(t, hosts...)
	cert, err := a.Leaf("wiki.acme.test")
	if err != nil {
		t.Fatal(err)
	}
	leaf := cert.Leaf
	if lifetime := leaf.NotAfter.Sub(leaf.NotBefore); lifetime > 30*day || lifetime < 20*day {
		t.Errorf("a leaf lives %v, want 20 to 30 days", lifetime)
	}
	if early := time.Since(leaf.NotBefore); early < 23*time.Hour {
		t.Errorf("a leaf is backdated by %v, want a day", early)
	}
	if leaf.Subject.String() != "" || fmt.Sprint(leaf.DNSNames) != "[wiki.acme.test]" || leaf.IsCA {
		t.Errorf("subject %q, names %v, is an authority: %v; want no subject, [wiki.acme.test], false", leaf.Subject, leaf.DNSNames, leaf.IsCA)
	}
	if len(cert.Certificate) != 2 || !bytes.Equal(cert.Certificate[1], a.issuing.Load().cert.Raw) {
		t.Error("the chain is not the leaf followed by the issuing authority")
	}
}

func TestConcurrentTunnelsToAHostSignOneLeaf(t *testing.T) {
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
		t.Errorf("%d leaves were signed, want 1", n)
	}
}

func TestTheNumberOfLeavesInMemoryIsBounded(t *testing.T) {
	a := newAuthority(t, "*.apps.acme.test")
	for i := range maxLeaves + 50 {
		a.leafEntry(fmt.Sprintf("h%d.apps.acme.test", i))
	}
	if n := len(a.leaves); n != maxLeaves {
		t.Errorf("%d leaves are in memory, want %d", n, maxLeaves)
	}
}

func BenchmarkSignLeaf(b *testing.B) {
	a := newAuthority(b, hosts...)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := a.signLeaf(a.issuing.Load(), "wiki.acme.test", a.now()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLeafInMemory(b *testing.B) {
	a := newAuthority(b, hosts...)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := a.Leaf("wiki.acme.test"); err != nil {
			b.Fatal(err)
		}
	}
}
