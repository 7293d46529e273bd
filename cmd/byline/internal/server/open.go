package server

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/byline-proxy/byline/certs"
	"github.com/byline-proxy/byline/cmd/byline/internal/cli"
	"github.com/byline-proxy/byline/cmd/byline/internal/load"
	"github.com/byline-proxy/byline/configs"
	"github.com/byline-proxy/byline/proxy"
	"github.com/byline-proxy/byline/proxy/admin"
	"github.com/byline-proxy/byline/proxy/audit/journal"
	"github.com/byline-proxy/byline/proxy/sinks"
	"github.com/byline-proxy/byline/proxy/state"
)

// open opens the files of the installation and builds the proxy and its control API.
// It writes: a control token and an issuing authority if they are missing, and the
// record of the start. The process ends if open fails, so the sinks are not closed.
func (r *running) open(p *Prepared) error {
	cfg := p.cfg

	authority, err := certs.Open(cfg.Certs.Dir, load.Hosts(p.Rules))
	if err != nil {
		return err
	}
	token, err := admin.MakeToken(cfg.Control.TokenFile)
	if err != nil {
		return fmt.Errorf("control.token_file: %w", err)
	}

	store, err := state.Open(state.DefaultURL(cfg.DataDir), nil)
	if err != nil {
		return &cli.Failure{
			Err: err,
			Hint: cmp.Or(cli.PermissionHint(err), "only one server may use a data_dir; restore a damaged file from a copy, "+
				"or move it away: its tasks are over then"),
			Code: 1,
		}
	}

	if err := r.openProxy(p, store, authority); err != nil {
		return errors.Join(err, store.Close())
	}

	r.control = admin.Server(r.proxy.Control(admin.Config{
		Token: token,
		Hosts: cfg.Control.Hosts,
		Lost:  func(err error) { r.limited.Error().Err(err).Msg("control request failed") },
	}))
	return nil
}

// openProxy opens the sinks and the audit key and builds the proxy, which closes
// the store when it is closed itself.
func (r *running) openProxy(p *Prepared, store state.Store, authority *certs.Authority) error {
	cfg := p.cfg

	// A key change that was interrupted between log and key file is completed first.
	key, err := journal.FinishKeyChange(cfg.Audit.Dir, cfg.Audit.KeyFile)
	if err != nil {
		return err
	}
	byName, err := r.openSinks(cfg)
	if err != nil {
		return err
	}

	r.proxy, err = proxy.Open(proxy.Options{
		Instance:  cfg.Instance,
		Log:       r.limited,
		Rules:     p.Rules,
		Vault:     p.vault,
		Sealer:    p.sealer,
		State:     store,
		Authority: authority,
		AuditKey:  key,
		Audit:     cfg.Audit.Config,
		Sinks:     byName,
		Wire:      cfg.Wire,
		SpoolDir:  cfg.DataDir,
		Via:       cfg.Upstream,
		Lease:     cfg.Lease,
		Identity:  cfg.Task,
		Guard:     cfg.Guard.Prefixes(),
		FrontTLS:  p.frontTLS,
	})
	return err
}

func (r *running) openSinks(cfg *configs.Config) (map[string]journal.Sink, error) {
	byName := map[string]journal.Sink{}
	for _, c := range cfg.Sinks {
		s, err := sinks.Open(c)
		if err != nil {
			return nil, err
		}
		r.sinks = append(r.sinks, s)
		byName[c.Name] = s
	}
	return byName, nil
}
