package main

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/byline-proxy/byline/configs"
)

// TestI9ChainsFollowTheAdaptersHosts looks at the certificate chains that agents see while
// hosts are added to and removed from a running server, with and without the root's key.
func TestI9ChainsFollowTheAdaptersHosts(t *testing.T) {
	h, cfg := serve(t)
	token := h.createTask(t).Token
	const tickets, wiki, tracker = "tickets.acme.example", "wiki.acme.example", "tracker.acme.example"
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		h.wantChain(t, cfg, token, tickets, version, tickets)
	}
	h.wantRefused(t, cfg, token, wiki, "host_not_adapted")

	// With the root's key, a new host is signed for at the next reload.
	h.write(t, "adapters.d/wiki.yaml", wikiAdapter)
	h.reload(t, "INF reloaded")
	h.wantChain(t, cfg, token, wiki, tls.VersionTLS13, tickets, wiki)
	h.wantChain(t, cfg, token, tickets, tls.VersionTLS12, tickets, wiki)

	// With the key offline, the set before stays in force, and the log says what to do.
	offline := t.TempDir() + "/root.key"
	must(t, os.Rename(h.Path("data/certs/root.key"), offline))
	h.write(t, "adapters.d/tracker.yaml", strings.NewReplacer("name: wiki", "name: tracker", "wiki.acme", "tracker.acme").Replace(wikiAdapter))
	h.reload(t, "ERR not reloaded")
	const remedy = "the root key is offline and a new issuing authority is needed: byline ca issue --root-key FILE"
	if log := h.read(t, "serve.log"); !strings.Contains(log, remedy) {
		t.Errorf("the log lacks %q:\n%s", remedy, log)
	}
	h.wantRefused(t, cfg, token, tracker, "host_not_adapted")
	h.wantChain(t, cfg, token, wiki, tls.VersionTLS13, tickets, wiki)

	// The operator issues the authority with the key, and the next reload uses it.
	if code, out := h.exitCode(t, "ca", "issue"); code != 1 || !strings.Contains(out, "hint: name the root's key with --root-key") {
		t.Errorf("byline ca issue without the key exits with %d:\n%s", code, out)
	}
	if out := h.run(t, "", "ca", "issue", "--root-key", offline); !strings.Contains(out, "issued for 3 hosts: ") {
		t.Errorf("byline ca issue says %q, want 3 hosts", out)
	}
	h.reload(t, "INF reloaded")
	h.wantChain(t, cfg, token, tracker, tls.VersionTLS13, tickets, tracker, wiki)

	// A host that is removed is no longer signed for. That needs the key, too.
	must(t, os.Remove(h.Path("adapters.d/tracker.yaml")))
	must(t, os.Remove(h.Path("adapters.d/wiki.yaml")))
	must(t, os.Rename(offline, h.Path("data/certs/root.key")))
	h.reload(t, "INF reloaded")
	h.wantChain(t, cfg, token, tickets, tls.VersionTLS13, tickets)
	h.wantRefused(t, cfg, token, wiki, "host_not_adapted")
}

// wantChain opens a tunnel to host and checks the chain that the agent sees there: it leads
// to the root over an issuing authority for exactly the hosts permitted.
func (h *installation) wantChain(t *testing.T, cfg *configs.Config, token, host string, version uint16, permitted ...string) {
	t.Helper()
	conn, err := net.Dial("tcp", cfg.Listen)
	must(t, err)
	defer conn.Close()
	if status, code, _ := requestTunnel(t, conn, host+":443", "Bearer "+token); status != 200 {
		t.Fatalf("CONNECT %s is answered %d %s, want 200", host, status, code)
	}

	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(h.read(t, "data/certs/root.crt")))
	agent := tls.Client(conn, &tls.Config{RootCAs: roots, ServerName: host, MinVersion: version, MaxVersion: version})
	if err := agent.HandshakeContext(t.Context()); err != nil {
		t.Fatalf("%s: %v", host, err)
	}

	state := agent.ConnectionState()
	if state.Version != version || len(state.PeerCertificates) != 2 || !slices.Equal(state.PeerCertificates[0].DNSNames, []string{host}) {
		t.Fatalf("%s: got %s with %d certificates, the first for %v; want %s with 2, the first for the host",
			host, tls.VersionName(state.Version), len(state.PeerCertificates), state.PeerCertificates[0].DNSNames, tls.VersionName(version))
	}
	issuing := state.PeerCertificates[1]
	if !issuing.PermittedDNSDomainsCritical || !slices.Equal(issuing.PermittedDNSDomains, permitted) || len(issuing.ExcludedIPRanges) != 2 {
		t.Errorf("%s: the issuing authority may sign %v (critical: %v), want exactly %v",
			host, issuing.PermittedDNSDomains, issuing.PermittedDNSDomainsCritical, permitted)
	}
}

// wantRefused checks that a tunnel to host is refused with a code.
func (h *installation) wantRefused(t *testing.T, cfg *configs.Config, token, host, want string) {
	t.Helper()
	if _, code, body := connect(t, cfg, host+":443", "Bearer "+token); code != want {
		t.Errorf("CONNECT %s is refused with %q, want %q: %s", host, code, want, body)
	}
}
