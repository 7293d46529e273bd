package proxy

import (
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/certs"
	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/audit/journal"
	"github.com/byline-proxy/byline/proxy/identity"
	"github.com/byline-proxy/byline/proxy/lease"
	"github.com/byline-proxy/byline/proxy/policy"
	"github.com/byline-proxy/byline/proxy/state"
	"github.com/byline-proxy/byline/proxy/vault"
)

// Secrets begin with "canary", so that tests can search for all of them at once.
const (
	canaryPassword = "canary-password-8c1f"     // of the compensating account
	canaryHuman    = "canary-human-cookie-77aa" // borrowed by the agent
)

// testServer is a server with real packages that listens on a loopback
// port.
type testServer struct {
	*Server
	dir   string // holds the audit log, state, vault and certificates
	addr  string
	roots *x509.CertPool // the interception root
	log   *lockedBuffer  // what the server logs
}

// startServer starts a server in dir, whose files it creates unless an earlier
// server did. The vault has the account agent-01 of the adapter legacy. If
// change is not nil it is called with the options. The server is closed when the
// test ends.
func startServer(t testing.TB, dir string, rules Rules, change func(*Options)) *testServer {
	t.Helper()

	s := &testServer{dir: dir, log: &lockedBuffer{}, roots: x509.NewCertPool()}
	opt := newTestOptions(t, dir, s.log)
	opt.Rules = rules
	if change != nil {
		change(&opt)
	}
	s.roots.AppendCertsFromPEM(opt.Authority.RootPEM())
	var err error
	if s.Server, err = Open(opt); err != nil {
		t.Fatal(err)
	}

	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = ln.Addr().String()
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }()
	t.Cleanup(func() {
		s.shutDown(t)
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return s
}

// newTestOptions returns options whose files are in dir.
func newTestOptions(t testing.TB, dir string, log io.Writer) Options {
	t.Helper()

	if _, err := os.Stat(dir + "/certs/root.crt"); err != nil {
		if err := certs.Init(dir + "/certs"); err != nil {
			t.Fatal(err)
		}
	}
	authority, err := certs.Open(dir+"/certs", []string{"example.com"})
	if err != nil {
		t.Fatal(err)
	}
	store, err := state.OpenBolt(dir+"/state.db", nil)
	if err != nil {
		t.Fatal(err)
	}
	key := loadVaultKey(t, dir)
	secrets, err := vault.OpenFile(dir+"/vault", key)
	if err != nil {
		t.Fatal(err)
	}
	putAccount(t, secrets, "legacy", "agent-01", passwordAccount)

	return Options{
		Instance:  "test",
		Log:       zerolog.New(log).Level(zerolog.DebugLevel),
		Vault:     secrets,
		Sealer:    key,
		State:     store,
		Authority: authority,
		AuditKey:  ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)),
		Audit:     journal.Config{Dir: dir + "/audit"},
		Lease:     lease.Config{Wait: 50 * time.Millisecond},
		Guard:     []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
	}
}

// passwordAccount is the secret of an account with a user name and a password.
var passwordAccount = map[string]string{"username": "agent-01", "password": canaryPassword}

func putAccount(t testing.TB, secrets *vault.File, adapter, account string, fields map[string]string) {
	t.Helper()
	if err := secrets.Put(adapter, account, vault.NewSecret(fields)); err != nil {
		t.Fatal(err)
	}
}

// loadVaultKey returns the vault key in dir, which the first call creates.
func loadVaultKey(t testing.TB, dir string) vault.Key {
	t.Helper()
	path := dir + "/vault.key"
	if _, err := os.Stat(path); err != nil {
		if err := vault.WriteKey(path, vault.GenerateKey()); err != nil {
			t.Fatal(err)
		}
	}
	key, err := vault.LoadKey(vault.Config{KeyFile: path})
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// loadRules returns rules with one adapter and no policy of an operator.
func loadRules(t testing.TB, adapter string) Rules {
	t.Helper()
	set, err := adapters.Load([]adapters.Source{{Name: "legacy.yaml", Text: []byte(adapter)}})
	if err != nil {
		t.Fatal(err)
	}
	p, err := policy.Parse(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return Rules{Adapters: set, Policy: p}
}

// shutDown closes the server. It may be called more than once.
func (s *testServer) shutDown(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := s.Close(ctx); err != nil {
		t.Errorf("close the server: %v", err)
	}
}

// readRecords closes the server and returns all records of that kind, or of
// every kind if kind is empty.
func (s *testServer) readRecords(t testing.TB, kind string) []audit.Record {
	t.Helper()
	s.shutDown(t)
	var records []audit.Record
	for r, err := range audit.Tail(context.Background(), s.dir+"/audit", 10000, false) {
		if err != nil {
			t.Fatal(err)
		}
		if kind == "" || r.Kind == kind {
			records = append(records, r)
		}
	}
	return records
}

// pagesSpec is a task that may use page/1 and the pages that begin with page/2.
var pagesSpec = identity.Spec{
	Agent: "agent/triage", Sponsor: "alice@acme.example", Purpose: "INC-1",
	Scope: []identity.ScopeEntry{{Adapter: "legacy", Actions: []string{"page.*"}, Resources: []string{"page/1", "page/2*"}}},
}

// newAgent creates a task and returns an HTTP client that sends its requests
// through the proxy within it.
func (s *testServer) newAgent(t *testing.T, spec identity.Spec) (*http.Client, *identity.Task) {
	t.Helper()
	task, token, err := s.CreateTask(context.Background(), spec)
	if err != nil {
		t.Fatal(err)
	}

	transport := &http.Transport{
		Proxy:               http.ProxyURL(s.proxyURL(task, token)),
		TLSClientConfig:     &tls.Config{RootCAs: s.roots},
		MaxIdleConnsPerHost: 64,
		DisableCompression:  true,
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, CheckRedirect: ignoreRedirects}, task
}

// proxyURL returns the proxy's URL with the credentials of a task.
func (s *testServer) proxyURL(task *identity.Task, token identity.Token) *url.URL {
	return &url.URL{Scheme: "http", Host: s.addr, User: url.UserPassword(task.ID(), token.Reveal())}
}

// ignoreRedirects makes an [http.Client] return a redirect as the answer.
func ignoreRedirects(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// sendAsAlice sends a request to example.com with a cookie and an API key that
// Alice lent, and reads the answer.
func sendAsAlice(t *testing.T, agent *http.Client, method, target, body string) (status int, text string, header http.Header) {
	t.Helper()
	req, err := http.NewRequest(method, "https://example.com"+target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Cookie", "theme=dark; sid="+canaryHuman)
	req.Header.Set("X-Api-Key", canaryHuman)

	resp, err := agent.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b), resp.Header
}

// hasCode reports whether the body of an answer is a refusal with that code.
func hasCode(body string, code Code) bool {
	return strings.Contains(body, fmt.Sprintf(`"code":%q`, code))
}

func writeFile(t testing.TB, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// lockedBuffer is a buffer that is safe for concurrent use.
type lockedBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// receive returns the next value of ch, and fails the test if none comes within
// thirty seconds. what describes it.
func receive[T any](t *testing.T, what string, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(30 * time.Second):
		t.Fatalf("waited thirty seconds for %s", what)
		panic("unreachable")
	}
}
