package load

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/byline-proxy/byline/bench/origin"
)

func direct(t *testing.T, protocol string) (*origin.Origin, *Agent) {
	t.Helper()
	o, err := origin.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.Close)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(o.RootPEM)
	a := &Agent{Direct: o.Addr, Host: origin.HostH1, Roots: roots, Protocol: protocol, Cookies: "theme=dark; " + origin.CookieName + "=" + o.Borrowed}
	if protocol == "h2" {
		a.Direct, a.Host = o.AddrH2, origin.HostH2
	}
	return o, a
}

func TestAgentAndOrigin(t *testing.T) {
	for _, protocol := range []string{"http/1.1", "h2"} {
		t.Run(protocol, func(t *testing.T) {
			o, a := direct(t, protocol)
			tunnel, err := a.Open(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer tunnel.Close()
			for i := range 20 {
				if err := tunnel.Small(); err != nil {
					t.Fatalf("page %d: %v", i, err)
				}
			}
			if tunnel.Issuer != "bench origin" {
				t.Errorf("the certificate is from %q", tunnel.Issuer)
			}
			if c := o.Counts(); c.ByPerson != 20 || c.ByAccount != 0 || c.Refused != 0 || c.Handshakes != 1 {
				t.Errorf("the origin counted %+v", c)
			}
		})
	}
}

func TestBigBodies(t *testing.T) {
	_, a := direct(t, "http/1.1")
	tunnel, err := a.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tunnel.Close()
	for _, n := range []int64{0, 1, 4095, 4096, 4097, 65536, 3<<20 + 7} {
		if err := tunnel.Down(n); err != nil {
			t.Errorf("%d bytes: %v", n, err)
		}
		if err := tunnel.Up(n); err != nil {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

func TestAnAgentWithoutASessionIsRefused(t *testing.T) {
	for _, protocol := range []string{"http/1.1", "h2"} {
		o, a := direct(t, protocol)
		a.Cookies = origin.CookieName + "=stale"
		tunnel, err := a.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer tunnel.Close()
		if err := tunnel.Small(); err == nil || !strings.Contains(err.Error(), "401") {
			t.Errorf("%s: %v", protocol, err)
		}
		if c := o.Counts(); c.Refused != 1 {
			t.Errorf("%s: the origin counted %+v", protocol, c)
		}
	}
}

func TestAgentsResumeTLS(t *testing.T) {
	o, a := direct(t, "http/1.1")
	a.Tickets = tls.NewLRUClientSessionCache(4)
	for i := range 3 {
		tunnel, err := a.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := tunnel.Small(); err != nil {
			t.Fatal(err)
		}
		tunnel.Close()
		if tunnel.Resumed != (i > 0) {
			t.Errorf("tunnel %d: resumed %v", i, tunnel.Resumed)
		}
	}
	if c := o.Counts(); c.Handshakes != 3 || c.Resumed != 2 {
		t.Errorf("the origin counted %+v", c)
	}
}

func TestSliceCountsWhatItDid(t *testing.T) {
	var done, begun, ended atomic.Int64
	unit := func() error {
		done.Add(1)
		time.Sleep(time.Millisecond)
		return nil
	}
	s := Slice{Agents: []func() error{unit, unit, unit}, Warm: 2, For: 10 * time.Second, Most: 50,
		Begin: func() error { begun.Store(done.Load()); return nil },
		End:   func() error { ended.Store(done.Load()); return nil }}
	r, err := s.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if begun.Load() != 6 || ended.Load() != 56 || r.Units != 50 || r.Latency.Quantile(0.5) < time.Millisecond*9/10 {
		t.Errorf("begun %d, ended %d, units %d, median %v", begun.Load(), ended.Load(), r.Units, r.Latency.Quantile(0.5))
	}
	s.Most, s.For = 0, 30*time.Millisecond
	if r, err = s.Run(t.Context()); err != nil || r.Elapsed < s.For || r.Units < 3 {
		t.Errorf("units %d in %v, %v", r.Units, r.Elapsed, err)
	}
}

func TestSliceFailsWithItsFirstError(t *testing.T) {
	broken := errors.New("broken")
	var n atomic.Int64
	s := Slice{For: time.Second, Warm: 1, Begin: func() error { return nil }, End: func() error { return nil },
		Agents: []func() error{func() error {
			if n.Add(1) > 3 {
				return broken
			}
			return nil
		}}}
	if _, err := s.Run(t.Context()); !errors.Is(err, broken) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
