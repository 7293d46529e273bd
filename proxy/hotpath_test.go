package proxy

import (
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/byline-proxy/byline/bench/load"
	"github.com/byline-proxy/byline/bench/origin"
	"github.com/byline-proxy/byline/certs"
	"github.com/byline-proxy/byline/proxy/audit/journal"
	"github.com/byline-proxy/byline/proxy/identity"
	"github.com/byline-proxy/byline/proxy/state"
	"github.com/byline-proxy/byline/proxy/vault"
)

// benchAdapter is the adapter of the application in bench/origin.
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

// benchServer is a server with durable records for the application in
// bench/origin.
type benchServer struct {
	*Server
	origin *origin.Origin
	addr   string
	roots  *x509.CertPool
}

// startBenchServer starts a server with that many accounts. A task needs one.
func startBenchServer(t testing.TB, accounts int) *benchServer {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}

	o, err := origin.Start()
	must(err)
	t.Cleanup(o.Close)

	dir := t.TempDir()
	writeFile(t, dir+"/ca.pem", o.RootPEM)
	must(certs.Init(dir + "/certs"))
	authority, err := certs.Open(dir+"/certs", []string{origin.HostH1})
	must(err)
	store, err := state.OpenBolt(dir+"/state.db", nil)
	must(err)
	key := vault.GenerateKey()
	secrets, err := vault.OpenFile(dir+"/vault", key)
	must(err)
	for i := range accounts {
		name := fmt.Sprintf("agent-%02d", i)
		putAccount(t, secrets, "bench", name, map[string]string{"username": name, "password": origin.Password(name)})
	}
	auditKey, err := journal.NewKey()
	must(err)

	opt := Options{
		Instance:  "test",
		Log:       zerolog.Nop(),
		Rules:     loadRules(t, fmt.Sprintf(benchAdapter, origin.HostH1, o.Addr, dir+"/ca.pem", "h1")),
		Vault:     secrets,
		Sealer:    key,
		State:     store,
		Authority: authority,
		AuditKey:  auditKey,
		Audit:     journal.Config{Dir: dir + "/audit"},
		Guard:     []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
	}
	opt.Identity.SetDefaults()
	opt.Lease.SetDefaults()
	s := &benchServer{origin: o, roots: x509.NewCertPool()}
	s.roots.AppendCertsFromPEM(authority.RootPEM())
	s.Server, err = Open(opt)
	must(err)

	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	s.addr = ln.Addr().String()
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = s.Close(ctx)
		<-served
	})
	return s
}

// newLoadAgent creates task i and returns an agent that speaks a protocol, named
// as in ALPN.
func (s *benchServer) newLoadAgent(t testing.TB, i int, protocol string) *load.Agent {
	t.Helper()
	_, token, err := s.CreateTask(context.Background(), identity.Spec{
		Agent: fmt.Sprintf("agent-%d", i), Sponsor: "alice@acme.example", Purpose: "test",
		Scope: []identity.ScopeEntry{{Adapter: "bench", Actions: []string{"page.read", "file.*"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return &load.Agent{
		Proxy: s.addr, Authorization: "Bearer " + token.Reveal(), Host: origin.HostH1, Roots: s.roots, Protocol: protocol,
		Cookies: "theme=dark; " + origin.CookieName + "=" + s.origin.Borrowed,
	}
}

// BenchmarkSmall and BenchmarkSmallH2 measure a small request over an open tunnel,
// with many agents at once.
func BenchmarkSmall(b *testing.B)   { benchmarkSmall(b, "http/1.1") }
func BenchmarkSmallH2(b *testing.B) { benchmarkSmall(b, "h2") }

func benchmarkSmall(b *testing.B, protocol string) {
	const agents = 32
	s := startBenchServer(b, agents)
	tunnels := make(chan *load.Tunnel, agents)
	for i := range agents {
		tunnel, err := s.newLoadAgent(b, i, protocol).OpenTunnel(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		defer tunnel.Close()
		for range 10 {
			if err := tunnel.GetPage(); err != nil {
				b.Fatal(err)
			}
		}
		tunnels <- tunnel
	}

	b.ReportAllocs()
	b.SetParallelism(agents)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		tunnel := <-tunnels
		defer func() { tunnels <- tunnel }()
		for pb.Next() {
			if err := tunnel.GetPage(); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// BenchmarkFresh measures a small request over a new tunnel.
func BenchmarkFresh(b *testing.B) {
	agent := startBenchServer(b, 1).newLoadAgent(b, 0, "http/1.1")
	b.ReportAllocs()
	for b.Loop() {
		tunnel, err := agent.OpenTunnel(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		if err := tunnel.GetPage(); err != nil {
			b.Fatal(err)
		}
		tunnel.Close()
	}
}

// TestTunnelsOfTaskShareConnection checks that the login and the requests of
// several tunnels, one after the other, use one connection to the application.
func TestTunnelsOfTaskShareConnection(t *testing.T) {
	const tunnels = 5
	s := startBenchServer(t, 1)
	agent := s.newLoadAgent(t, 0, "http/1.1")
	for range tunnels {
		tunnel, err := agent.OpenTunnel(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := tunnel.GetPage(); err != nil {
			t.Fatal(err)
		}
		tunnel.Close()
	}
	if c := s.origin.Counts(); c.Handshakes != 1 || c.ByAccount != tunnels {
		t.Errorf("the application saw %d TLS handshakes and %d requests, want 1 and %d", c.Handshakes, c.ByAccount, tunnels)
	}
}

// TestHotPathAllocations bounds the allocations of a small request, from the agent
// to the application, with all steps of the walk and durable records. They include
// those of the test's agent and application. Unlike times, they do not depend on
// how busy the machine is.
func TestHotPathAllocations(t *testing.T) {
	if raced {
		t.Skip("the race detector empties pools; make test also runs this test without it")
	}
	for _, c := range []struct {
		protocol string
		most     float64
	}{
		{"http/1.1", 36},
		{"h2", 97},
	} {
		t.Run(c.protocol, func(t *testing.T) {
			tunnel, err := startBenchServer(t, 1).newLoadAgent(t, 0, c.protocol).OpenTunnel(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer tunnel.Close()
			got := testing.AllocsPerRun(500, func() {
				if err := tunnel.GetPage(); err != nil {
					t.Fatal(err)
				}
			})
			t.Logf("%v allocations", got)
			if got > c.most {
				t.Errorf("a small request allocates %v times, want at most %v", got, c.most)
			}
		})
	}
}
