package testenv

import (
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/byline-proxy/byline/cmd/byline/demo"
	"github.com/byline-proxy/byline/cmd/byline/e2e/apps"
)

// Env is one installation of byline: a folder with its configuration and state,
// and the server process while it runs.
type Env struct {
	Dir    string // holds byline.yaml, adapters.d, policies.d, data and serve.log
	Config string // path of byline.yaml
	Listen string // host:port of the proxy

	ServerEnv    []string // added to the environment of the server
	ServerPrefix []string // command that starts the server if the server's command line is appended to it

	t          testing.TB
	server     *process // nil until Start
	secrets    secrets
	transcript transcript
	apps       []*apps.App // that AddAdapter was called for
}

// New creates an installation with byline init and configures it, see
// [Env.Configure]. It does not start the server. When the test ends, the server
// is stopped and the Env is searched for secrets.
func New(t testing.TB, moreConfig string) *Env {
	t.Helper()

	e := &Env{Dir: t.TempDir(), t: t}
	if err := os.Chmod(e.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	e.Config = filepath.Join(e.Dir, "byline.yaml")
	if r := e.Byline("init"); r.Code != 0 {
		t.Fatalf("byline init: %s", r)
	}

	e.Listen = freeAddr(t)
	e.Configure(moreConfig)
	t.Cleanup(e.close)
	return e
}

// Configure writes byline.yaml with data_dir, listen and control, followed by
// moreConfig, which is YAML. Unless moreConfig has the key guard, the guard
// allows the loopback addresses.
func (e *Env) Configure(moreConfig string) {
	e.t.Helper()

	control := freeAddr(e.t)
	if old, err := os.ReadFile(e.Config); err == nil {
		if _, rest, ok := strings.Cut(string(old), "control: {listen: "); ok {
			control, _, _ = strings.Cut(rest, "}")
		}
	}
	if !strings.Contains(moreConfig, "guard:") {
		moreConfig = "guard: {allow: [127.0.0.0/8]}\n" + moreConfig
	}
	e.WriteFile("byline.yaml", fmt.Sprintf("data_dir: data\nlisten: %q\ncontrol: {listen: %s}\n%s\n", e.Listen, control, moreConfig))
}

// WriteFile creates or replaces a file in the installation's folder. Like an
// editor it renames a complete file, so that the server never reads a part.
func (e *Env) WriteFile(name, text string) {
	e.t.Helper()
	path := filepath.Join(e.Dir, name)
	tmp := filepath.Join(filepath.Dir(path), ".new-"+filepath.Base(path))
	if err := os.WriteFile(tmp, []byte(text), 0o600); err != nil {
		e.t.Fatal(err)
	}
	if err := os.Rename(tmp, path); err != nil {
		e.t.Fatal(err)
	}
}

// RemoveFile removes a file from the installation's folder.
func (e *Env) RemoveFile(name string) {
	e.t.Helper()
	if err := os.Remove(filepath.Join(e.Dir, name)); err != nil {
		e.t.Fatal(err)
	}
}

// Roots returns the interception root, which agents must trust.
func (e *Env) Roots() *x509.CertPool {
	e.t.Helper()
	pem, err := os.ReadFile(filepath.Join(e.Dir, "data", "certs", "root.crt"))
	if err != nil {
		e.t.Fatalf("read the interception root: %v", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		e.t.Fatalf("root.crt holds no certificate")
	}
	return roots
}

// close stops the server and searches the Env for secrets.
func (e *Env) close() {
	if e.server != nil && e.server.isRunning() {
		e.server.signalAndWait(e.t, syscall.SIGTERM)
	}
	if e.t.Failed() {
		e.t.Logf("the server's log ends:\n%s", lastBytes(e.ServerLog()))
	}
	e.SearchForSecrets(e.t)
}

// freeAddr returns a loopback address on which nobody listens.
func freeAddr(t testing.TB) string {
	t.Helper()
	ports, err := demo.FreePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	return net.JoinHostPort("127.0.0.1", ports[0])
}
