package load

import (
	"crypto/tls"
	"crypto/x509"
	"strings"
	"testing"

	"github.com/byline-proxy/byline/bench/origin"
)

// newDirectAgent returns an origin and an agent that connects to it without a
// proxy.
func newDirectAgent(t *testing.T, protocol string) (*origin.Origin, *Agent) {
	t.Helper()
	o, err := origin.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.Close)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(o.RootPEM)
	a := &Agent{
		Direct:   o.Addr,
		Host:     origin.HostH1,
		Roots:    roots,
		Protocol: protocol,
		Cookies:  "theme=dark; " + origin.CookieName + "=" + o.Borrowed,
	}
	if protocol == "h2" {
		a.Direct = o.AddrH2
		a.Host = origin.HostH2
	}
	return o, a
}

func TestAnAgentGetsPagesOnOneConnection(t *testing.T) {
	for _, protocol := range []string{"http/1.1", "h2"} {
		t.Run(protocol, func(t *testing.T) {
			o, a := newDirectAgent(t, protocol)
			tunnel, err := a.OpenTunnel(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer tunnel.Close()
			for i := range 20 {
				if err := tunnel.GetPage(); err != nil {
					t.Fatalf("page %d: %v", i, err)
				}
			}
			if tunnel.Issuer != "bench origin" {
				t.Errorf("the certificate was issued by %q, want \"bench origin\"", tunnel.Issuer)
			}
			if c := o.Counts(); c.ByPerson != 20 || c.ByAccount != 0 || c.Refused != 0 || c.Handshakes != 1 {
				t.Errorf("the origin counted %+v, want 20 requests of the person and one handshake", c)
			}
		})
	}
}

func TestLargeBodies(t *testing.T) {
	_, a := newDirectAgent(t, "http/1.1")
	tunnel, err := a.OpenTunnel(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tunnel.Close()
	for _, n := range []int64{0, 1, 4095, 4096, 4097, 65536, 3<<20 + 7} {
		if err := tunnel.Download(n); err != nil {
			t.Errorf("download of %d bytes: %v", n, err)
		}
		if err := tunnel.Upload(n); err != nil {
			t.Errorf("upload of %d bytes: %v", n, err)
		}
	}
}

func TestAnAgentWithoutASessionIsRefused(t *testing.T) {
	for _, protocol := range []string{"http/1.1", "h2"} {
		o, a := newDirectAgent(t, protocol)
		a.Cookies = origin.CookieName + "=stale"
		tunnel, err := a.OpenTunnel(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer tunnel.Close()
		if err := tunnel.GetPage(); err == nil || !strings.Contains(err.Error(), "401") {
			t.Errorf("%s: GetPage returned %v, want status 401", protocol, err)
		}
		if c := o.Counts(); c.Refused != 1 {
			t.Errorf("%s: the origin counted %+v, want one refused request", protocol, c)
		}
	}
}

func TestAgentsResumeTLS(t *testing.T) {
	o, a := newDirectAgent(t, "http/1.1")
	a.Tickets = tls.NewLRUClientSessionCache(4)
	for i := range 3 {
		tunnel, err := a.OpenTunnel(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := tunnel.GetPage(); err != nil {
			t.Fatal(err)
		}
		tunnel.Close()
		if want := i > 0; tunnel.Resumed != want {
			t.Errorf("tunnel %d: resumed is %v, want %v", i, tunnel.Resumed, want)
		}
	}
	if c := o.Counts(); c.Handshakes != 3 || c.Resumed != 2 {
		t.Errorf("the origin counted %+v, want 3 handshakes, 2 of them resumed", c)
	}
}
