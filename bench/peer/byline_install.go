package peer

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/byline-proxy/byline/bench/origin"
	"github.com/byline-proxy/byline/proxy/vault"
)

// Tuning is what Byline runs with besides its defaults. The zero value changes
// nothing.
type Tuning struct {
	// Env is added to the environment, for example GOGC=200.
	Env []string
	// Config holds sections of byline.yaml, for example {"wire": {"max_conns": 64}}.
	Config map[string]any
	// Adapters holds additional adapters by file name.
	Adapters map[string]string
	// Policies holds *.cedar files by file name.
	Policies map[string]string
	// UnusedActions is the number of actions in the application's adapter that
	// are tried before those that agents use.
	UnusedActions int
}

// UnusedActions returns the YAML of n actions that no request matches.
func UnusedActions(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "  - {name: part.read%d, match: {method: [GET, HEAD], path: \"/part%d/{id}\"}, resource: \"part/{id}\"}\n", i, i)
	}
	return b.String()
}

// installation is the directory of one server.
type installation struct {
	testbed *Testbed
	dir     string
	config  string // path of byline.yaml
	socket  string // path of the control socket
}

// install creates the installation: configuration, adapters, policies and
// accounts.
func (in *installation) install(ctx context.Context, trustFile string) error {
	initialize := exec.CommandContext(ctx, in.testbed.BylineExe, "--config", in.config, "init")
	if out, err := initialize.CombinedOutput(); err != nil {
		return fmt.Errorf("byline init: %w: %s", err, bytes.TrimSpace(out))
	}
	if err := in.writeConfig(); err != nil {
		return err
	}
	for name, text := range in.adapters(trustFile) {
		if err := os.WriteFile(filepath.Join(in.dir, "adapters.d", name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	for name, text := range in.testbed.Tuning.Policies {
		if err := os.WriteFile(filepath.Join(in.dir, "policies.d", name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return in.putAccounts()
}

// writeConfig replaces the byline.yaml that byline init wrote, which contains
// only defaults.
func (in *installation) writeConfig() error {
	config := map[string]any{
		"data_dir": "data",
		"listen":   "127.0.0.1:0",
		"control":  map[string]any{"listen": "127.0.0.1:0", "socket": in.socket},
		"guard":    map[string]any{"allow": []string{"127.0.0.0/8"}},
		"drain":    "2s",
		"task":     map[string]any{"max_ttl": "24h"},
	}
	maps.Copy(config, in.testbed.Tuning.Config)
	text, err := yaml.Marshal(config)
	if err != nil {
		return err
	}
	return os.WriteFile(in.config, text, 0o600)
}

// putAccounts stores the secrets of the accounts in the vault: one account per
// task, and some more, as an operator would have.
func (in *installation) putAccounts() error {
	key, err := vault.LoadKey(vault.Config{KeyFile: filepath.Join(in.dir, "data", "vault.key")})
	if err != nil {
		return err
	}
	file, err := vault.OpenFile(filepath.Join(in.dir, "data", "vault"), key)
	if err != nil {
		return err
	}
	for i := range in.testbed.Tasks + in.testbed.Tasks/8 + 2 {
		account := fmt.Sprintf("agent-%04d", i+1)
		for _, adapter := range []string{"bench", "bench2"} {
			secret := vault.NewSecret(map[string]string{"username": account, "password": origin.Password(account)})
			if err := file.Put(adapter, account, secret); err != nil {
				return err
			}
		}
	}
	return nil
}

// adapters returns the adapters by file name: one for each address of the
// application, and those of the tuning.
func (in *installation) adapters(trustFile string) map[string]string {
	ready := &in.testbed.Origin.Ready
	unused := UnusedActions(in.testbed.Tuning.UnusedActions)
	all := map[string]string{
		"bench.yaml":  fmt.Sprintf(adapterText, "bench", origin.HostH1, ready.Addr, trustFile, "h1", origin.CookieName, unused),
		"bench2.yaml": fmt.Sprintf(adapterText, "bench2", origin.HostH2, ready.AddrH2, trustFile, "auto", origin.CookieName, unused),
	}
	maps.Copy(all, in.testbed.Tuning.Adapters)
	return all
}

const adapterText = `name: %[1]s
interim: {reason: "the bench's application has only a login form", owner: bench@byline.test, review_by: 2099-12-31}
hosts: [%[2]s]
upstream: {url: "https://%[3]s", ca: %[4]q, protocol: %[5]s}
cookies: {hold: [%[6]s], pass: [theme]}
login:
  kind: form
  steps:
    - {get: /login, take: {token: {css: "input[name=token]", attr: value}}}
    - {post: /login, form: {user: "${username}", password: "${password}", token: "${token}"}}
  success: {status: [302], cookie: %[6]s}
  ended: [{status: 401}]
  logout: {steps: [{get: /logout}]}
pin: [User-Agent]
actions:
%[7]s  - {name: page.read, match: {method: [GET, HEAD], path: "/page/{id}"}, resource: "page/{id}"}
  - {name: file.get, match: {method: GET, path: /down, query: {bytes: "{n}"}}, resource: file}
  - {name: file.put, match: {method: POST, path: /up}, resource: file}
  - {name: account.manage, privileged: true, match: {path: "/account/**"}}
`

// roots returns the certificates that agents must trust.
func (in *installation) roots() (*x509.CertPool, error) {
	pem, err := os.ReadFile(filepath.Join(in.dir, "data", "certs", "root.crt"))
	if err != nil {
		return nil, err
	}
	return newCertPool(string(pem))
}
