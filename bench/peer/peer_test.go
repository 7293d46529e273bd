package peer

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/byline-proxy/byline/bench/load"
	"github.com/byline-proxy/byline/bench/measure"
	"github.com/byline-proxy/byline/bench/origin"
)

// The test binary is its own child, as the bench is.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == ChildCommand {
		if err := RunChild(os.Args[2:], os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func site(t *testing.T) *Testbed {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	o, err := StartOrigin(t.Context(), -1, exe)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.Stop)
	return &Testbed{Exe: exe, Dir: t.TempDir(), Core: -1, Origin: o}
}

func TestPeersCarryEverything(t *testing.T) {
	s := site(t)
	for _, name := range []string{Tunnel, TunnelBuffered, Goproxy, GoproxyRaised, Fasthttp, Wire} {
		t.Run(name, func(t *testing.T) {
			p, err := s.Start(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Stop()
			before, err := s.Origin.Counts()
			if err != nil {
				t.Fatal(err)
			}
			a := &load.Agent{Proxy: p.Addr, Host: origin.HostH1, Roots: p.Roots, Protocol: "http/1.1",
				Cookies: origin.CookieName + "=" + s.Origin.Ready.Borrowed, Tickets: tls.NewLRUClientSessionCache(1)}
			for i := range 2 {
				exchangeAll(t, a, p, i)
			}
			after, err := s.Origin.Counts()
			if err != nil {
				t.Fatal(err)
			}
			if n := after.Minus(before); n.ByPerson != 6 || n.ByAccount != 0 {
				t.Errorf("the origin counted %+v", n)
			}
			if used, err := measure.ProcessCPU(p.PID()); err != nil || used == 0 {
				t.Errorf("CPU time %v, %v", used, err)
			}
		})
	}
}

func TestInstalledProxiesKeepAnAgentsConnection(t *testing.T) {
	s := site(t)
	for _, name := range []string{Squid, Mitmproxy} {
		t.Run(name, func(t *testing.T) {
			p, err := s.Start(t.Context(), name)
			if errors.Is(err, ErrMissing) {
				t.Skip(err)
			}
			if err != nil {
				t.Fatal(err)
			}
			defer p.Stop()
			before, err := s.Origin.Counts()
			if err != nil {
				t.Fatal(err)
			}
			_, port, _ := net.SplitHostPort(s.Origin.Ready.Addr)
			a := &load.Agent{Proxy: p.Addr, Host: origin.HostH1, Port: port, Roots: p.Roots, Protocol: "http/1.1",
				Cookies: origin.CookieName + "=" + s.Origin.Ready.Borrowed}
			tunnel, err := a.OpenTunnel(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer tunnel.Close()
			for i := range 12 {
				stop := time.AfterFunc(30*time.Second, tunnel.Abort)
				if err := tunnel.GetPage(); err != nil {
					t.Fatalf("page %d: %v", i+1, err)
				}
				stop.Stop()
			}
			after, err := s.Origin.Counts()
			if err != nil {
				t.Fatal(err)
			}
			if n := after.Minus(before); n.ByPerson != 12 || n.Handshakes != 1 {
				t.Errorf("the origin counted %+v", n)
			}
		})
	}
}

func exchangeAll(t *testing.T, a *load.Agent, p *Peer, i int) {
	t.Helper()
	tunnel, err := a.OpenTunnel(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tunnel.Close()
	if (tunnel.Issuer != "bench origin") != p.Intercepts {
		t.Errorf("intercepts: %v; the certificate is from %q", p.Intercepts, tunnel.Issuer)
	}
	perTunnel := p.Name == Goproxy || p.Name == GoproxyRaised // goproxy has one tls.Config a tunnel: it never resumes
	if tunnel.Resumed != (i == 1 && !perTunnel) {
		t.Errorf("tunnel %d: resumed %v", i, tunnel.Resumed)
	}
	for what, err := range map[string]error{"small": tunnel.GetPage(), "down": tunnel.Download(100_000), "up": tunnel.Upload(100_000)} {
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestATunnelToNowhereIsRefused(t *testing.T) {
	p, err := site(t).Start(t.Context(), Tunnel)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Stop()
	_, err = (&load.Agent{Proxy: p.Addr, Host: "elsewhere.test", Protocol: "http/1.1"}).OpenTunnel(t.Context())
	if err == nil || !strings.Contains(err.Error(), "502") {
		t.Error(err)
	}
}

func TestAPeerThatEndsSaysSo(t *testing.T) {
	p, err := site(t).Start(t.Context(), Tunnel)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Err(); err != nil {
		t.Error(err)
	}
	start := time.Now()
	p.Stop()
	p.Stop()
	if p.Err() == nil || time.Since(start) > 5*time.Second {
		t.Errorf("%v after %v", p.Err(), time.Since(start))
	}
}

func TestAChildRefusesWhatItDoesNotKnow(t *testing.T) {
	for _, args := range [][]string{nil, {"squid"}, {Tunnel, "-to", "nonsense"}, {Goproxy, "-trust", "/nowhere"}} {
		var out strings.Builder
		if err := RunChild(args, strings.NewReader(""), &out); err == nil || out.Len() > 0 {
			t.Errorf("%q: %v, %q", args, err, out.String())
		}
	}
}
