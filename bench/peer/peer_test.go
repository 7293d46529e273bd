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

// TestMain makes the test binary its own child process, as the bench is.
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

func newTestbed(t *testing.T) *Testbed {
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

// newAgent returns an agent that sends the borrowed session through p.
func newAgent(tb *Testbed, p *Peer) *load.Agent {
	return &load.Agent{
		Proxy:    p.Addr,
		Host:     origin.HostH1,
		Roots:    p.Roots,
		Protocol: "http/1.1",
		Cookies:  origin.CookieName + "=" + tb.Origin.Ready.Borrowed,
	}
}

func countsOf(t *testing.T, o *Origin) origin.Counts {
	t.Helper()
	counts, err := o.Counts()
	if err != nil {
		t.Fatal(err)
	}
	return counts
}

func TestChildProxiesCarryPagesAndLargeBodies(t *testing.T) {
	tb := newTestbed(t)
	for _, name := range []string{Tunnel, TunnelBuffered, Goproxy, GoproxyRaised, Fasthttp, Wire} {
		t.Run(name, func(t *testing.T) {
			p, err := tb.Start(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Stop()
			before := countsOf(t, tb.Origin)
			a := newAgent(tb, p)
			a.Tickets = tls.NewLRUClientSessionCache(1)
			for i := range 2 {
				useTunnel(t, a, p, i)
			}
			if n := countsOf(t, tb.Origin).Minus(before); n.ByPerson != 6 || n.ByAccount != 0 {
				t.Errorf("the origin counted %+v, want 6 requests of the person", n)
			}
			if used, err := measure.ProcessCPU(p.PID()); err != nil || used == 0 {
				t.Errorf("the proxy used %v of CPU time (error: %v), want more than 0", used, err)
			}
		})
	}
}

// useTunnel opens tunnel number i of an agent and makes one request of each kind.
func useTunnel(t *testing.T, a *load.Agent, p *Peer, i int) {
	t.Helper()
	tunnel, err := a.OpenTunnel(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tunnel.Close()
	if (tunnel.Issuer != "bench origin") != p.Intercepts {
		t.Errorf("the certificate was issued by %q, but Intercepts is %v", tunnel.Issuer, p.Intercepts)
	}
	// goproxy has one tls.Config per tunnel, so no session is ever resumed.
	resumes := p.Name != Goproxy && p.Name != GoproxyRaised
	if want := i == 1 && resumes; tunnel.Resumed != want {
		t.Errorf("tunnel %d: resumed is %v, want %v", i, tunnel.Resumed, want)
	}
	if err := tunnel.GetPage(); err != nil {
		t.Errorf("page: %v", err)
	}
	if err := tunnel.Download(100_000); err != nil {
		t.Errorf("download: %v", err)
	}
	if err := tunnel.Upload(100_000); err != nil {
		t.Errorf("upload: %v", err)
	}
}

func TestInstalledProxiesKeepTheConnectionOfAnAgent(t *testing.T) {
	tb := newTestbed(t)
	for _, name := range []string{Squid, Mitmproxy} {
		t.Run(name, func(t *testing.T) {
			p, err := tb.Start(t.Context(), name)
			if errors.Is(err, ErrNotInstalled) {
				t.Skip(err)
			}
			if err != nil {
				t.Fatal(err)
			}
			defer p.Stop()
			before := countsOf(t, tb.Origin)
			a := newAgent(tb, p)
			_, a.Port, _ = net.SplitHostPort(tb.Origin.Ready.Addr)
			tunnel, err := a.OpenTunnel(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer tunnel.Close()
			for i := range 12 {
				timeout := time.AfterFunc(30*time.Second, tunnel.Abort)
				if err := tunnel.GetPage(); err != nil {
					t.Fatalf("page %d: %v", i+1, err)
				}
				timeout.Stop()
			}
			if n := countsOf(t, tb.Origin).Minus(before); n.ByPerson != 12 || n.Handshakes != 1 {
				t.Errorf("the origin counted %+v, want 12 requests of the person and one handshake", n)
			}
		})
	}
}

func TestATunnelToAnUnknownHostIsRefused(t *testing.T) {
	tb := newTestbed(t)
	p, err := tb.Start(t.Context(), Tunnel)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Stop()
	a := newAgent(tb, p)
	a.Host = "elsewhere.test"
	if _, err := a.OpenTunnel(t.Context()); err == nil || !strings.Contains(err.Error(), "502") {
		t.Errorf("OpenTunnel returned %v, want status 502", err)
	}
}

func TestErrReportsThatAPeerHasEnded(t *testing.T) {
	p, err := newTestbed(t).Start(t.Context(), Tunnel)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Err(); err != nil {
		t.Errorf("Err returned %v while the peer runs", err)
	}
	start := time.Now()
	p.Stop()
	p.Stop()
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("two calls of Stop took %v", took)
	}
	if p.Err() == nil {
		t.Error("Err returned nil after the peer has ended")
	}
}

func TestRunChildRefusesBadArguments(t *testing.T) {
	for _, args := range [][]string{
		nil,
		{"squid"},
		{Tunnel, "-to", "nonsense"},
		{Goproxy, "-trust", "/nowhere"},
	} {
		var out strings.Builder
		err := RunChild(args, strings.NewReader(""), &out)
		if err == nil || out.Len() > 0 {
			t.Errorf("RunChild(%q) returned %v and wrote %q, want an error and no output", args, err, out.String())
		}
	}
}
