package server

import (
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/byline-proxy/byline/certs"
	"github.com/byline-proxy/byline/cmd/byline/internal/cli"
	"github.com/byline-proxy/byline/cmd/byline/internal/load"
	"github.com/byline-proxy/byline/configs"
	"github.com/byline-proxy/byline/proxy"
	"github.com/byline-proxy/byline/proxy/admin"
	"github.com/byline-proxy/byline/proxy/audit/journal"
	"github.com/byline-proxy/byline/proxy/sinks"
	"github.com/byline-proxy/byline/proxy/vault"
	"github.com/byline-proxy/byline/proxy/wire/upstream"
)

// Prepared is everything a server is started from, read and checked. Reading it
// changes nothing.
type Prepared struct {
	cfg      *configs.Config
	Rules    proxy.Rules
	sealer   vault.Key
	vault    vault.Chain
	auditKey ed25519.PrivateKey
	frontTLS *tls.Config
	warnings []string
}

// prepare reads all that the configuration names and finds every problem of
// all files before it gives up.
func prepare(cfg *configs.Config) (*Prepared, load.Problems) {
	var found load.Problems
	p := &Prepared{cfg: cfg}
	found.AddFor(cfg, "data_dir", private(cfg.DataDir), "byline init makes it; nobody but the server may read it")
	p.Rules = load.Rules(cfg, &found)
	p.openVault(&found)
	var err error
	p.auditKey, err = journal.LoadKey(cfg.Audit.KeyFile)
	found.AddFor(cfg, "audit.key_file", err, "restore it from a copy: records signed with another key do not continue this log")
	if _, err := admin.ReadToken(cfg.Control.TokenFile); !errors.Is(err, fs.ErrNotExist) {
		found.AddFor(cfg, "control.token_file", err, "") // one that is not there is made
	}
	if _, err := upstream.NewProxy(cfg.Upstream, nil); err != nil {
		found.Add("upstream.%v", err)
	}
	if cfg.TLS.Cert != "" {
		pair, err := tls.LoadX509KeyPair(cfg.TLS.Cert, cfg.TLS.Key)
		found.AddFor(cfg, "tls", err, "cert and key are PEM files of one pair, readable by the server's user")
		p.frontTLS = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, NextProtos: []string{"http/1.1"}}
	}
	for i, c := range cfg.Sinks {
		s, err := sinks.Open(c)
		found.AddFor(cfg, fmt.Sprintf("sinks[%d]", i), err, "")
		if err == nil {
			_ = s.Close() // byline serve opens its own
		}
	}
	if p.Rules.Adapters != nil {
		found.AddFor(cfg, "certs.dir", tryAuthority(cfg.Certs.Dir, load.Hosts(p.Rules)), "")
		p.warn()
	}
	return p, found
}

// private is nil for a folder that its owner alone may enter.
func private(dir string) error {
	switch st, err := os.Stat(dir); {
	case err != nil:
		return err
	case !st.IsDir():
		return fmt.Errorf("%s is no folder", dir)
	case st.Mode().Perm()&0o077 != 0:
		return fmt.Errorf("%s is accessible to other users (mode %04o): run chmod 700 %s", dir, st.Mode().Perm(), dir)
	}
	return nil
}

func (p *Prepared) openVault(found *load.Problems) {
	source := "vault.key_file"
	switch {
	case p.cfg.Vault.KeyEnv != "":
		source = "vault.key_env"
	case p.cfg.Vault.KeyCredential != "":
		source = "vault.key_credential"
	}
	key, err := vault.LoadKey(p.cfg.Vault)
	if err != nil {
		found.AddFor(p.cfg, source, err, "restore the key from a copy: nothing else opens the vault")
		return
	}
	p.sealer = key
	p.vault, err = vault.Open(p.cfg.Vault, key)
	found.AddSection(p.cfg, "vault", err)
}

// warn collects what is allowed but seldom meant.
func (p *Prepared) warn() {
	all := p.Rules.Adapters.All()
	if len(all) == 0 {
		p.warnings = append(p.warnings, fmt.Sprintf("there is no adapter in %s, so every host is refused", p.cfg.Adapters.Dir))
	}
	for _, a := range all {
		if a.Overdue(time.Now()) {
			p.warnings = append(p.warnings, fmt.Sprintf("adapter %s was to be reviewed by %s: %s is asked to", a.Name(), a.Interim().ReviewBy, a.Interim().Owner))
		}
		if p.vault == nil {
			continue
		}
		if accounts, err := p.vault.Accounts(context.Background(), a.Name()); err == nil && len(accounts) == 0 {
			p.warnings = append(p.warnings, fmt.Sprintf("adapter %s has no account: byline vault put %s/ACCOUNT", a.Name(), a.Name()))
		}
	}
	for _, l := range []struct{ key, at string }{{"listen", p.cfg.Listen}, {"control.listen", p.cfg.Control.Listen}} {
		if !cli.OnLoopback(l.at) && (l.key != "listen" || p.frontTLS == nil) {
			p.warnings = append(p.warnings, l.key+": "+l.at+" is reached from other machines without TLS, and tokens cross it")
		}
	}
}

// tryAuthority tells what starting with these hosts would say, without issuing
// anything where the server would find it: in a folder of links.
func tryAuthority(dir string, hosts []string) error {
	trial, err := os.MkdirTemp("", "byline-check-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(trial)
	files, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("%w: make it with byline init, or restore it from a copy", err)
	}
	for _, f := range files {
		err = errors.Join(err, os.Symlink(filepath.Join(dir, f.Name()), filepath.Join(trial, f.Name())))
	}
	if err == nil {
		_, err = certs.Open(trial, hosts)
	}
	if err != nil { // it is about the folder that was named
		err = errors.New(strings.ReplaceAll(err.Error(), trial, dir))
	}
	return err
}

// Ready is what a server can be started from. Problems of all files and
// warnings are written to standard error.
func Ready(c *cobra.Command) (*Prepared, error) {
	cfg, found, err := load.ReadSettings(c)
	if err != nil {
		return nil, err
	}
	p := &Prepared{cfg: cfg}
	if cfg.DataDir != "" { // else nothing says where to look
		var more load.Problems
		p, more = prepare(cfg)
		found = append(found, more...)
	}
	for _, w := range p.warnings {
		fmt.Fprintln(c.ErrOrStderr(), "byline: warning:", w)
	}
	if len(found) > 0 {
		return nil, load.Refused(c, found)
	}
	return p, nil
}
