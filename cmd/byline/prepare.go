package main

import (
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/byline-proxy/byline/certs"
	"github.com/byline-proxy/byline/configs"
	"github.com/byline-proxy/byline/proxy"
	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/vault"
)

// prepared is everything a server is started from, read and checked. Reading it
// changes nothing.
type prepared struct {
	cfg      *configs.Config
	rules    proxy.Rules
	sealer   vault.Key
	vault    vault.Chain
	auditKey ed25519.PrivateKey
	frontTLS *tls.Config
	warnings []string
}

// prepare reads all that the configuration names and finds every problem of
// all files before it gives up.
func prepare(cfg *configs.Config) (*prepared, problems) {
	var found problems
	p := &prepared{cfg: cfg}
	if st, err := os.Stat(cfg.DataDir); err != nil {
		found.add("data_dir: %v; make it with byline init", err)
	} else if st.Mode().Perm()&0o077 != 0 {
		found.add("data_dir: %s may be read by others (mode %04o); chmod 700 it", cfg.DataDir, st.Mode().Perm())
	}
	p.rules = loadRules(cfg, &found)
	p.openVault(&found)
	var err error
	if p.auditKey, err = audit.LoadKey(cfg.Audit.KeyFile); err != nil {
		found.addError(err)
	}
	if cfg.TLS.Cert != "" {
		pair, err := tls.LoadX509KeyPair(cfg.TLS.Cert, cfg.TLS.Key)
		if err != nil {
			found.add("tls: %v", err)
		}
		p.frontTLS = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, NextProtos: []string{"http/1.1"}}
	}
	if p.rules.Adapters != nil {
		found.addError(tryAuthority(cfg.Certs.Dir, hostsOf(p.rules)))
		p.warn()
	}
	return p, found
}

func (p *prepared) openVault(found *problems) {
	key, err := vault.LoadKey(p.cfg.Vault)
	if err != nil {
		found.addError(err)
		return
	}
	file, err := vault.OpenFile(p.cfg.Vault.File, key)
	if err != nil {
		found.addError(err)
		return
	}
	p.sealer, p.vault = key, vault.Chain{file}
	if p.cfg.Vault.Env {
		p.vault = append(p.vault, vault.Env{})
	}
}

// warn collects what is allowed but seldom meant.
func (p *prepared) warn() {
	all := p.rules.Adapters.All()
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
		if !onLoopback(l.at) && (l.key != "listen" || p.frontTLS == nil) {
			p.warnings = append(p.warnings, l.key+": "+l.at+" is reached from other machines without TLS, and tokens cross it")
		}
	}
}

// hostsOf is what the interception authority may sign for.
func hostsOf(r proxy.Rules) (hosts []string) {
	for _, a := range r.Adapters.All() {
		hosts = append(hosts, a.Hosts()...)
	}
	return hosts
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
		return fmt.Errorf("certs.dir: %w; make it with byline init", err)
	}
	for _, f := range files {
		err = errors.Join(err, os.Symlink(filepath.Join(dir, f.Name()), filepath.Join(trial, f.Name())))
	}
	if err == nil {
		_, err = certs.Open(trial, hosts)
	}
	return err
}
