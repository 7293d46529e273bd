package main

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/byline-proxy/byline/configs"
)

// TestI9ChainsFollowTheAdaptersHosts looks at the chains that agents see while
// hosts come and go under a running server, with the root's key there and away.
func TestI9ChainsFollowTheAdaptersHosts(t *testing.T) {
	h, cfg := serving(t)
	_, token := h.task(t)
	tickets, wiki, tracker := "tickets.acme.example", "wiki.acme.example", "tracker.acme.example"
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		h.wantChain(t, cfg, token, tickets, version, tickets)
	}
	h.wantRefused(t, cfg, token, wiki, "host_not_adapted")

	// The root's key is there: a new host is signed for at the next reload.
	h.write(t, "adapters.d/wiki.yaml", wikiAdapter)
	h.reload(t, "INF reloaded")
	h.wantChain(t, cfg, token, wiki, tls.VersionTLS13, tickets, wiki)
	h.wantChain(t, cfg, token, tickets, tls.VersionTLS12, tickets, wiki)

	// It was moved offline: the set before stays in force, and the log says what to do.
	offline := t.TempDir() + "/root.key"
	must(t, os.Rename(h.Path("data/certs/root.key"), offline))
	h.write(t, "adapters.d/tracker.yaml", strings.NewReplacer("name: wiki", "name: tracker", "wiki.acme", "tracker.acme").Replace(wikiAdapter))
	h.reload(t, "ERR not reloaded")
	if log := h.read(t, "serve.log"); !strings.Contains(log, "the root key is offline and a new issuing authority is needed: byline ca issue --root-key FILE") {
		t.Errorf("the log names no remedy:\n%s", log)
	}
	h.wantRefused(t, cfg, token, tracker, "host_not_adapted")
	h.wantChain(t, cfg, token, wiki, tls.VersionTLS13, tickets, wiki)

	// With the key it is issued by hand, and taken up at the next reload.
	if code, out := h.exit(t, "ca", "issue"); code != 1 || !strings.Contains(out, "hint: name the root's key with --root-key") {
		t.Errorf("without the key: exit %d\n%s", code, out)
	}
	if out, err := h.Run(t.Context(), "", "ca", "issue", "--root-key", offline); err != nil || !strings.Contains(out, "issued for 3 hosts: ") {
		t.Fatal(err, out)
	}
	h.reload(t, "INF reloaded")
	h.wantChain(t, cfg, token, tracker, tls.VersionTLS13, tickets, tracker, wiki)

	// A host that goes is signed for no more. That needs the key as well.
	must(t, os.Remove(h.Path("adapters.d/tracker.yaml")))
	must(t, os.Remove(h.Path("adapters.d/wiki.yaml")))
	must(t, os.Rename(offline, h.Path("data/certs/root.key")))
	h.reload(t, "INF reloaded")
	h.wantChain(t, cfg, token, tickets, tls.VersionTLS13, tickets)
	h.wantRefused(t, cfg, token, wiki, "host_not_adapted")
}

// reload sends SIGHUP and waits until the log says what came of it.
func (h *installation) reload(t *testing.T, outcome string) {
	t.Helper()
	before := len(h.read(t, "serve.log"))
	must(t, h.Server.Process.Signal(syscall.SIGHUP))
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		log := h.read(t, "serve.log")[before:]
		if slices.ContainsFunc(strings.Split(log, "\n"), func(line string) bool { return strings.Contains(line, " "+outcome) }) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the log never says %q:\n%s", outcome, log)
		}
	}
}

// wantChain makes a tunnel to host, and holds the chain that the agent sees
// there to lead to the root over an authority for exactly permitted.
func (h *installation) wantChain(t *testing.T, cfg *configs.Config, token, host string, version uint16, permitted ...string) {
	t.Helper()
	conn, err := net.Dial("tcp", cfg.Listen)
	must(t, err)
	defer conn.Close()
	_, err = conn.Write([]byte("CONNECT " + host + ":443 HTTP/1.1\r\nHost: " + host + ":443\r\nProxy-Authorization: Bearer " + token + "\r\n\r\n"))
	must(t, err)
	if status, code, _ := answered(t, conn); status != 200 {
		t.Fatalf("%s: %d %s", host, status, code)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(h.read(t, "data/certs/root.crt")))
	agent := tls.Client(conn, &tls.Config{RootCAs: roots, ServerName: host, MinVersion: version, MaxVersion: version})
	if err := agent.HandshakeContext(t.Context()); err != nil {
		t.Fatalf("%s: %v", host, err)
	}
	state := agent.ConnectionState()
	if state.Version != version || len(state.PeerCertificates) != 2 || !slices.Equal(state.PeerCertificates[0].DNSNames, []string{host}) {
		t.Errorf("%s: %s with %d certificates, the first for %v", host, tls.VersionName(state.Version), len(state.PeerCertificates), state.PeerCertificates[0].DNSNames)
	}
	issuing := state.PeerCertificates[1]
	if !issuing.PermittedDNSDomainsCritical || !slices.Equal(issuing.PermittedDNSDomains, permitted) || len(issuing.ExcludedIPRanges) != 2 {
		t.Errorf("%s: the authority may sign %v (critical: %v), want exactly %v", host, issuing.PermittedDNSDomains, issuing.PermittedDNSDomainsCritical, permitted)
	}
}

func (h *installation) wantRefused(t *testing.T, cfg *configs.Config, token, host, want string) {
	t.Helper()
	if _, code, body := connect(t, cfg, host+":443", "Bearer "+token); code != want {
		t.Errorf("%s: got %q, want %q: %s", host, code, want, body)
	}
}
