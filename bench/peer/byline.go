package peer

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/byline-proxy/byline/bench/origin"
	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/vault"
)

// Tuning is what a run may set beside the defaults. The zero value sets nothing.
type Tuning struct {
	// Env is added to the environment: GOGC=200.
	Env []string
	// Config holds sections of byline.yaml: {"wire": {"max_conns": 64}}.
	Config map[string]any
	// Adapters are more adapters, by file name; Policies are *.cedar files.
	Adapters, Policies map[string]string
	// Actions is how many actions the adapter of the application has that are
	// tried before those that agents ask for.
	Actions int
}

// Fillers are n actions of an adapter that nobody asks for.
func Fillers(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "  - {name: part.read%d, match: {method: [GET, HEAD], path: \"/part%d/{id}\"}, resource: \"part/{id}\"}\n", i, i)
	}
	return b.String()
}

// startByline starts a real `byline serve` with everything switched on: made by
// `byline init` in a folder of its own, durable records on the disk under that
// folder, an account of the application for each task.
func (s *Testbed) startByline(ctx context.Context, trust string) (*Peer, error) {
	dir, err := os.MkdirTemp(s.Dir, "byline-")
	if err != nil {
		return nil, err
	}
	short, err := os.MkdirTemp("", "byline-bench-") // a socket's address holds 107 bytes
	if err != nil {
		return nil, err
	}
	h := &house{site: s, dir: dir, config: filepath.Join(dir, "byline.yaml"), socket: filepath.Join(short, "control.sock")}
	if err := h.found(ctx, trust); err != nil {
		return nil, fmt.Errorf("founding: %w", err)
	}
	p, err := h.serve(ctx)
	if err != nil {
		return nil, err
	}
	if err := h.welcome(ctx, p); err != nil {
		p.Stop()
		return nil, err
	}
	return p, nil
}

// house is one server's folder.
type house struct {
	site                *Testbed
	dir, config, socket string
}

func (h *house) command(ctx context.Context, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, h.site.BylineExe, append([]string{"--config", h.config}, args...)...)
}

func (h *house) found(ctx context.Context, trust string) error {
	if out, err := h.command(ctx, "init").CombinedOutput(); err != nil {
		return fmt.Errorf("byline init: %w: %s", err, bytes.TrimSpace(out))
	}
	if err := h.configure(); err != nil {
		return err
	}
	for name, text := range h.adapters(trust) {
		if err := os.WriteFile(filepath.Join(h.dir, "adapters.d", name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	for name, text := range h.site.Tuning.Policies {
		if err := os.WriteFile(filepath.Join(h.dir, "policies.d", name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	key, err := vault.LoadKey(vault.Config{KeyFile: filepath.Join(h.dir, "data", "vault.key")})
	if err != nil {
		return err
	}
	file, err := vault.OpenFile(filepath.Join(h.dir, "data", "vault"), key)
	if err != nil {
		return err
	}
	for i := range h.site.Tasks + h.site.Tasks/8 + 2 { // some more than tasks, as an operator would have
		for _, adapter := range []string{"bench", "bench2"} {
			secret := vault.NewSecret(map[string]string{"username": account(i), "password": origin.Password(account(i))})
			if err := file.Put(adapter, account(i), secret); err != nil {
				return err
			}
		}
	}
	return nil
}

func account(i int) string { return fmt.Sprintf("agent-%04d", i+1) }

// configure replaces the commented file, in which every value is a default.
func (h *house) configure() error {
	c := map[string]any{"data_dir": "data", "listen": "127.0.0.1:0", "control": map[string]any{"listen": "127.0.0.1:0", "socket": h.socket},
		"guard": map[string]any{"allow": []string{"127.0.0.0/8"}}, "drain": "2s",
		"task": map[string]any{"max_ttl": "24h"}}
	for k, v := range h.site.Tuning.Config {
		c[k] = v
	}
	text, err := yaml.Marshal(c)
	if err != nil {
		return err
	}
	return os.WriteFile(h.config, text, 0o600)
}

// adapters describe the application's two addresses.
func (h *house) adapters(trust string) map[string]string {
	ready := &h.site.Origin.Ready
	all := map[string]string{}
	for _, a := range []struct{ name, host, addr, protocol string }{
		{"bench", origin.HostH1, ready.Addr, "h1"}, {"bench2", origin.HostH2, ready.AddrH2, "auto"}} {
		all[a.name+".yaml"] = fmt.Sprintf(adapterText, a.name, a.host, a.addr, trust, a.protocol, origin.CookieName, Fillers(h.site.Tuning.Actions))
	}
	for name, text := range h.site.Tuning.Adapters {
		all[name] = text
	}
	return all
}

const adapterText = `name: %[1]s
interim: {reason: "the bench's application has nothing but a login form", owner: bench@byline.test, review_by: 2099-12-31}
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

// serve starts the server and waits until it says where it listens.
func (h *house) serve(ctx context.Context) (*Peer, error) {
	cmd := exec.Command(h.site.BylineExe, "--config", h.config, "serve")
	cmd.Env = append(os.Environ(), h.site.Tuning.Env...)
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd.Stderr = write
	proc, err := start(ctx, h.site.Core, cmd)
	write.Close()
	if err != nil {
		read.Close()
		return nil, err
	}
	p := &Peer{Name: Byline, process: proc, Intercepts: true, Replaces: true, SpeaksH2: true,
		after: func() { os.RemoveAll(filepath.Dir(h.socket)) }}
	p.finish = func(context.Context) (string, error) { return h.verify() }
	log := bufio.NewReader(read)
	said := make(chan error, 1)
	go func() {
		defer read.Close()
		var err error
		p.Addr, err = listening(log)
		said <- err
		h.keepLog(log)
	}()
	select {
	case err = <-said:
	case <-time.After(30 * time.Second):
		err = errors.New("it does not say that it serves")
	}
	if err == nil {
		p.Roots, err = h.roots()
	}
	if err != nil {
		p.Stop()
		return nil, fmt.Errorf("byline serve: %w", err)
	}
	return p, nil
}

// keepLog keeps the operator's log beside the configuration; it ends with the process.
func (h *house) keepLog(log io.Reader) {
	f, err := os.Create(filepath.Join(h.dir, "serve.log"))
	if err != nil {
		_, _ = io.Copy(io.Discard, log)
		return
	}
	defer f.Close()
	_, _ = io.Copy(f, log)
}

// listening reads the operator's log up to the line that names the address.
func listening(log *bufio.Reader) (string, error) {
	seen := ""
	for {
		line, err := log.ReadBytes('\n')
		if err != nil {
			return "", fmt.Errorf("it ended: %s", seen)
		}
		var said struct{ Message, Listen string }
		if json.Unmarshal(line, &said) == nil && said.Message == "serving" {
			return said.Listen, nil
		}
		seen += string(line)
	}
}

// verify says what the record of the run holds, with the public key alone.
func (h *house) verify() (string, error) {
	pub, err := audit.LoadPublicKey(filepath.Join(h.dir, "data", "audit.key.pub"))
	if err != nil {
		return "", err
	}
	r, err := audit.Verify(filepath.Join(h.dir, "data", "audit"), pub, nil)
	if err != nil {
		return "", fmt.Errorf("the record of the run: %w", err)
	}
	return fmt.Sprintf("Byline's record of the comparison was verified afterwards with the public key alone: %d records in %d segments, "+
		"%d intents without an outcome, closed by a checkpoint: %v.", r.Records, r.Segments, len(r.Open), r.Closed), nil
}
