package proxy

import (
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/bench/load"
	"github.com/byline-proxy/byline/bench/origin"
	"github.com/byline-proxy/byline/certs"
	"github.com/byline-proxy/byline/proxy/audit/journal"
	"github.com/byline-proxy/byline/proxy/identity"
	"github.com/byline-proxy/byline/proxy/policy"
	"github.com/byline-proxy/byline/proxy/state"
	"github.com/byline-proxy/byline/proxy/vault"
)

// benchAdapter is the bench's application, as an adapter describes it.
const benchAdapter = `
name: bench
interim: {reason: test, owner: secops@acme.example, review_by: 2099-01-01}
hosts: [%s]
upstream: {url: "https://%s", ca: "%s", protocol: %s}
cookies: {hold: [bench_session], pass: [theme]}
login:
  kind: form
  steps:
    - {get: /login, take: {token: {css: "input[name=token]", attr: value}}}
    - {post: /login, form: {user: "${username}", password: "${password}", token: "${token}"}}
  success: {status: [302], cookie: bench_session}
  ended: [{status: 401}]
pin: [User-Agent]
actions:
  - {name: page.read, match: {method: [GET, HEAD], path: "/page/{id}"}, resource: "page/{id}"}
  - {name: file.get, match: {method: GET, path: /down, query: {bytes: "{n}"}}, resource: file}
  - {name: file.put, match: {method: POST, path: /up}, resource: file}
`

// corridorOver is a whole corridor with durable records over the bench's
// application, and agents that reach it.
func corridorOver(t testing.TB, tasks int) (c *Server, o *origin.Origin, access func(i int, protocol string) *load.Agent) {
	t.Helper()
	o, err := origin.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.Close)
	dir := t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.WriteFile(dir+"/ca.pem", o.RootPEM, 0o600))
	must(certs.Init(dir + "/certs"))
	authority, err := certs.Open(dir+"/certs", []string{origin.HostH1})
	must(err)
	store, err := state.OpenBolt(dir+"/state.db", nil)
	must(err)
	key := vault.GenerateKey()
	file, err := vault.OpenFile(dir+"/vault", key)
	must(err)
	auditKey, err := journal.NewKey()
	must(err)
	set, err := adapters.Load([]adapters.Source{{Name: "bench.yaml", Text: fmt.Appendf(nil, benchAdapter, origin.HostH1, o.Addr, dir+"/ca.pem", "h1")}})
	must(err)
	rules, err := policy.Parse(nil, nil)
	must(err)
	opt := Options{Instance: "test", Log: zerolog.Nop(), Rules: Rules{Adapters: set, Policy: rules}, Vault: file, Sealer: key, State: store,
		Authority: authority, AuditKey: auditKey, Audit: journal.Config{Dir: dir + "/audit"}, Guard: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	opt.Identity.SetDefaults()
	opt.Lease.SetDefaults()
	for i := range tasks {
		name := fmt.Sprintf("agent-%02d", i)
		must(file.Put("bench", name, vault.NewSecret(map[string]string{"username": name, "password": origin.Password(name)})))
	}
	c, err = Open(opt)
	must(err)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	served := make(chan error, 1)
	go func() { served <- c.Serve(ln) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = c.Close(ctx)
		<-served
	})
	root, err := os.ReadFile(dir + "/certs/root.crt")
	must(err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(root)
	return c, o, func(i int, protocol string) *load.Agent {
		_, token, err := c.CreateTask(context.Background(), identity.Spec{Agent: fmt.Sprintf("agent-%d", i), Sponsor: "alice@acme.example", Purpose: "test",
			Scope: []identity.ScopeEntry{{Adapter: "bench", Actions: []string{"page.read", "file.*"}}}})
		must(err)
		return &load.Agent{Proxy: ln.Addr().String(), Authorization: "Bearer " + token.Reveal(), Host: origin.HostH1, Roots: roots, Protocol: protocol,
			Cookies: "theme=dark; " + origin.CookieName + "=" + o.Borrowed}
	}
}

func BenchmarkSmall(b *testing.B)   { benchSmall(b, "http/1.1") }
func BenchmarkSmallH2(b *testing.B) { benchSmall(b, "h2") }

func benchSmall(b *testing.B, protocol string) {
	const agents = 32
	_, _, access := corridorOver(b, agents)
	tunnels := make(chan *load.Tunnel, agents)
	for i := range agents {
		t, err := access(i, protocol).OpenTunnel(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		defer t.Close()
		for range 10 {
			if err := t.GetPage(); err != nil {
				b.Fatal(err)
			}
		}
		tunnels <- t
	}
	b.ReportAllocs()
	b.SetParallelism(agents)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		t := <-tunnels
		defer func() { tunnels <- t }()
		for pb.Next() {
			if err := t.GetPage(); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

func BenchmarkFresh(b *testing.B) {
	_, _, access := corridorOver(b, 1)
	a := access(0, "http/1.1")
	b.ReportAllocs()
	for b.Loop() {
		t, err := a.OpenTunnel(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		if err := t.GetPage(); err != nil {
			b.Fatal(err)
		}
		t.Close()
	}
}

// TestTunnelsOfATaskShareConnections: the login and the requests of every
// tunnel of a task go over one connection when they come one after the other.
func TestTunnelsOfATaskShareConnections(t *testing.T) {
	_, o, access := corridorOver(t, 1)
	a := access(0, "http/1.1")
	for range 5 {
		tunnel, err := a.OpenTunnel(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := tunnel.GetPage(); err != nil {
			t.Fatal(err)
		}
		tunnel.Close()
	}
	if c := o.Counts(); c.Handshakes != 1 || c.ByAccount != 5 {
		t.Errorf("%d TLS handshakes with the application for %d requests and a login", c.Handshakes, c.ByAccount)
	}
}

// TestHotPathAllocations guards the way of a small request through the real
// loops of both wires, agent to application, with every step of the walk and
// its durable records. It counts what the agent and the application of the test
// allocate too. Counts do not depend on how busy a machine is; times do.
func TestHotPathAllocations(t *testing.T) {
	if raced {
		t.Skip("the race detector makes pools forget; make test counts without it as well")
	}
	for _, c := range []struct {
		protocol string
		most     float64
	}{{"http/1.1", 40}, {"h2", 115}} {
		t.Run(c.protocol, func(t *testing.T) {
			_, _, access := corridorOver(t, 1)
			tunnel, err := access(0, c.protocol).OpenTunnel(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer tunnel.Close()
			got := testing.AllocsPerRun(500, func() {
				if err := tunnel.GetPage(); err != nil {
					t.Fatal(err)
				}
			})
			if got > c.most {
				t.Errorf("a small request allocates %v times, at most %v were", got, c.most)
			}
			t.Logf("%v allocations", got)
		})
	}
}
