package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/byline-proxy/byline/certs"
	"github.com/byline-proxy/byline/cmd/byline/internal/cli"
	"github.com/byline-proxy/byline/cmd/byline/internal/load"
	"github.com/byline-proxy/byline/cmd/byline/internal/oplog"
	"github.com/byline-proxy/byline/configs"
	"github.com/byline-proxy/byline/proxy"
	"github.com/byline-proxy/byline/proxy/admin"
	"github.com/byline-proxy/byline/proxy/audit/journal"
	"github.com/byline-proxy/byline/proxy/sinks"
	"github.com/byline-proxy/byline/proxy/vault"
	"github.com/byline-proxy/byline/proxy/wire/upstream"
)

// Prepared is everything that a server starts from, read and checked. [Prepare]
// returns one.
type Prepared struct {
	Rules proxy.Rules

	cfg      *configs.Config
	sealer   vault.Key   // seals stored sessions
	vault    vault.Chain // nil if it could not be opened
	frontTLS *tls.Config // nil: agents reach the proxy without TLS
	warnings []string    // allowed, but seldom meant
}

// Prepare reads and checks everything that the configuration of the command names,
// and changes nothing. Warnings and the problems of all files are written to standard
// error; the error counts the problems.
func Prepare(c *cobra.Command) (*Prepared, error) {
	return prepare(c, func(_ string, warnings, problems []string) {
		printProblems(c.ErrOrStderr(), warnings, problems)
	})
}

// PrepareQuietly is Prepare for a caller that reports warnings and problems itself. report is
// called once, unless the configuration cannot be read at all.
func PrepareQuietly(c *cobra.Command, report func(warnings, problems []string)) (*Prepared, error) {
	return prepare(c, func(_ string, warnings, problems []string) { report(warnings, problems) })
}

// PrepareToServe is Prepare for byline serve: standard error is its log, and has the
// format that the configuration says. The format is returned, also with an error;
// empty if no configuration could be read.
func PrepareToServe(c *cobra.Command) (p *Prepared, format string, err error) {
	p, err = prepare(c, func(f string, warnings, problems []string) {
		format = f
		if oplog.IsJSON(f, c.ErrOrStderr()) {
			oplog.Problems(c.ErrOrStderr(), warnings, problems)
			return
		}
		printProblems(c.ErrOrStderr(), warnings, problems)
	})
	return p, format, err
}

func printProblems(w io.Writer, warnings, problems []string) {
	for _, text := range warnings {
		fmt.Fprintln(w, "byline: warning:", text)
	}
	load.Problems(problems).Print(w)
}

// prepare calls report once, unless the configuration cannot be read at all.
func prepare(c *cobra.Command, report func(logFormat string, warnings, problems []string)) (*Prepared, error) {
	cfg, found, err := load.ConfigWithProblems(c)
	if err != nil {
		return nil, err
	}

	p := &Prepared{cfg: cfg}
	if cfg.DataDir != "" { // otherwise nothing says where to look
		p.read(&found)
	}

	report(cfg.Log.Format, p.warnings, found)
	if len(found) > 0 {
		return nil, found.Failure()
	}
	return p, nil
}

// read reads every file that the configuration names and adds all problems to found.
func (p *Prepared) read(found *load.Problems) {
	cfg := p.cfg

	found.AddForKey(cfg, "data_dir", checkPrivate(cfg.DataDir), "byline init makes it; only the server may read it")

	p.Rules = load.Rules(cfg, found)
	p.openVault(found)

	_, err := journal.LoadKey(cfg.Audit.KeyFile)
	found.AddForKey(cfg, "audit.key_file", err, "restore it from a copy: records signed with another key do not continue this log")

	_, err = admin.ReadToken(cfg.Control.TokenFile)
	if !errors.Is(err, fs.ErrNotExist) { // a missing one is created at the start
		found.AddForKey(cfg, "control.token_file", err, "")
	}

	if _, err := upstream.NewProxy(cfg.Upstream, nil); err != nil {
		found.Add("upstream.%v", err)
	}
	p.readFrontTLS(found)

	for i, c := range cfg.Sinks {
		s, err := sinks.Open(c)
		found.AddForKey(cfg, fmt.Sprintf("sinks[%d]", i), err, "")
		if err == nil {
			_ = s.Close() // the server opens it again
		}
	}

	if p.Rules.Adapters != nil {
		found.AddForKey(cfg, "certs.dir", tryAuthority(cfg.Certs.Dir, load.Hosts(p.Rules)), "")
		p.warn()
	}
}

// checkPrivate fails unless dir is a folder that only its owner may enter.
func checkPrivate(dir string) error {
	st, err := os.Stat(dir)
	switch {
	case err != nil:
		return err
	case !st.IsDir():
		return fmt.Errorf("%s is not a directory", dir)
	case st.Mode().Perm()&0o077 != 0:
		return fmt.Errorf("%s is accessible to other users (mode %04o), who may have read it: run chmod 700 %s", dir, st.Mode().Perm(), dir)
	}
	return nil
}

func (p *Prepared) openVault(found *load.Problems) {
	key, err := vault.LoadKey(p.cfg.Vault)
	if err != nil {
		found.AddForKey(p.cfg, vaultKeySource(p.cfg), err, "restore the key from a copy: nothing else opens the vault")
		return
	}

	p.sealer = key
	p.vault, err = vault.Open(p.cfg.Vault, key)
	found.AddSection(p.cfg, "vault", err)
}

// vaultKeySource is the key of the configuration that says where the vault's key is.
func vaultKeySource(cfg *configs.Config) string {
	switch {
	case cfg.Vault.KeyEnv != "":
		return "vault.key_env"
	case cfg.Vault.KeyCredential != "":
		return "vault.key_credential"
	}
	return "vault.key_file"
}

func (p *Prepared) readFrontTLS(found *load.Problems) {
	if p.cfg.TLS.Cert == "" {
		return
	}

	pair, err := tls.LoadX509KeyPair(p.cfg.TLS.Cert, p.cfg.TLS.Key)
	found.AddForKey(p.cfg, "tls", err, "cert and key are PEM files of one pair, readable by the server's user")
	p.frontTLS = &tls.Config{
		MinVersion:   tls.VersionTLS12,
		Certificates: []tls.Certificate{pair},
		NextProtos:   []string{"http/1.1"},
	}
}

// warn collects what is allowed but seldom meant.
func (p *Prepared) warn() {
	add := func(format string, a ...any) { p.warnings = append(p.warnings, fmt.Sprintf(format, a...)) }

	all := p.Rules.Adapters.All()
	if len(all) == 0 {
		add("there is no adapter in %s, so every host is refused", p.cfg.Adapters.Dir)
	}
	for _, a := range all {
		if text := load.OverdueReview(a); text != "" {
			add("%s", text)
		}
		if p.vault == nil {
			continue
		}
		accounts, err := p.vault.Accounts(context.Background(), a.Name())
		if err == nil && len(accounts) == 0 {
			add("adapter %s has no account: byline vault put %s/ACCOUNT", a.Name(), a.Name())
		}
	}

	if !cli.ListensOnLoopback(p.cfg.Listen) && p.frontTLS == nil {
		add("listen: %s can be reached from other machines without TLS, and tokens cross it", p.cfg.Listen)
	}
	if !cli.ListensOnLoopback(p.cfg.Control.Listen) {
		add("control.listen: %s can be reached from other machines without TLS, and tokens cross it", p.cfg.Control.Listen)
	}
}

// tryAuthority returns the error with which a server would start with these hosts.
// It must not issue anything where the server would find it, so it works in a folder
// of links.
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
	if denied, ok := errors.AsType[*fs.PathError](err); ok && errors.Is(denied, fs.ErrPermission) {
		return &fs.PathError{Op: denied.Op, Path: strings.ReplaceAll(denied.Path, trial, dir), Err: denied.Err}
	}
	if err != nil { // name the folder of the configuration
		err = errors.New(strings.ReplaceAll(err.Error(), trial, dir))
	}
	return err
}
