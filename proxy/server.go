package proxy

import (
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/certs"
	"github.com/byline-proxy/byline/proxy/audit/journal"
	"github.com/byline-proxy/byline/proxy/identity"
	"github.com/byline-proxy/byline/proxy/lease"
	"github.com/byline-proxy/byline/proxy/state"
	"github.com/byline-proxy/byline/proxy/vault"
	"github.com/byline-proxy/byline/proxy/wire"
	"github.com/byline-proxy/byline/proxy/wire/agents"
	"github.com/byline-proxy/byline/proxy/wire/upstream"
)

// Options are what a corridor is made of. cmd fills them from the
// configuration file; the rooms that need a key or a file arrive open.
type Options struct {
	Instance  string // name of this process in records; stable over restarts
	Log       zerolog.Logger
	Rules     Rules
	Vault     Vault
	Sealer    vault.Key // seals stored sessions and keys the fingerprints
	State     state.Store
	Authority *certs.Authority
	AuditKey  ed25519.PrivateKey

	Audit    journal.Config
	Sinks    map[string]journal.Sink // by name; the caller closes them after Close
	Wire     wire.Config
	Lease    lease.Config
	Identity identity.Config
	Guard    []netip.Prefix       // addresses the dialer may reach although they are private
	Via      upstream.ProxyConfig // the proxy towards applications, where an adapter names no other
	FrontTLS *tls.Config          // nil: agents speak to the proxy port without TLS

	// HandshakeTimeout bounds an agent's TLS handshake. Default Wire.TLSTimeout.
	HandshakeTimeout time.Duration
}

// Vault is what the corridor needs of the stores: the accounts of an adapter
// and one account's secret.
type Vault interface {
	vault.Store
	vault.Lister
}

// Server is a running proxy. All of its methods may be called concurrently.
type Server struct {
	opt        Options
	rules      atomic.Pointer[rules]
	log        *journal.Log
	state      state.Store
	vault      Vault
	identities *identity.Registry
	desk       *lease.Desk[*adapters.Session]
	dialer     *upstream.Dialer
	via        *upstream.Proxy // nil: none
	wire       *agents.Server
	tls        *tls.Config
	metrics    *metrics
	feeds      []*journal.Feed
	printKey   []byte
	tasks      sync.Map // id → *task
	failed     sync.Map // adapter/account → attempt: the last login, where it failed

	server     *http.Server
	stop       chan struct{}
	background sync.WaitGroup // the goroutines that watch expiry and changed sessions
}

// Open starts the rooms and takes back what an earlier run left: tasks that are
// still alive keep their accounts and sessions, the others are logged out and
// checked in. The corridor answers nothing before Serve.
func Open(opt Options) (*Server, error) {
	opt.Wire.SetDefaults()
	if opt.HandshakeTimeout == 0 {
		opt.HandshakeTimeout = opt.Wire.TLSTimeout
	}
	c := &Server{opt: opt, state: opt.State, vault: opt.Vault, stop: make(chan struct{}),
		dialer: &upstream.Dialer{Allow: opt.Guard}, wire: agents.NewServer(opt.Wire), printKey: opt.Sealer.Derive("fingerprint")}
	var err error
	if c.via, err = upstream.NewProxy(opt.Via, c.dialer); err != nil {
		return nil, fmt.Errorf("upstream.%w", err)
	}
	set, err := c.compile(opt.Rules)
	if err != nil {
		return nil, err
	}
	c.rules.Store(set)
	if err := opt.Authority.Permit(set.names()); err != nil {
		return nil, fmt.Errorf("interception authority: %w", err)
	}
	c.tls = opt.Authority.TLSConfig(hostOf)
	if c.log, err = journal.Open(opt.Audit, opt.AuditKey, opt.Instance); err != nil {
		return nil, fmt.Errorf("audit log: %w", err)
	}
	c.identities = identity.NewRegistry(opt.Identity)
	c.desk = lease.NewDesk[*adapters.Session](opt.State, opt.Lease)
	c.metrics = newMetrics(c.log, c.liveTasks, func() float64 { return float64(len(c.desk.Leases())) })
	c.server = &http.Server{Handler: c.front(), ReadHeaderTimeout: opt.Wire.HeadTimeout, IdleTimeout: opt.Wire.IdleTimeout,
		MaxHeaderBytes: 2 * opt.Wire.MaxHeadBytes, ErrorLog: nil} // the guard bounds the head; the parser's own bound lies beyond
	c.server.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		return context.WithValue(ctx, agentConn{}, conn)
	}
	if err := c.resumeTasks(); err != nil {
		_ = c.Close(context.Background())
		return nil, err
	}
	if err := c.startFeeds(opt.Sinks); err != nil {
		_ = c.Close(context.Background())
		return nil, err
	}
	c.background.Go(c.watchExpiry)
	c.background.Go(c.watchSessions)
	c.background.Go(c.returnMemory)
	r := c.taskRecord("start", nil)
	r.PolicyDigest = set.policy.Digest()
	c.log.Append(r)
	return c, nil
}

// Serve answers agents on ln until Close. It returns nil after Close.
func (s *Server) Serve(ln net.Listener) error {
	if s.opt.FrontTLS != nil {
		ln = tls.NewListener(ln, s.opt.FrontTLS)
	}
	err := s.server.Serve(guardedListener{ln, s})
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// Close stops taking requests, lets those under way finish until ctx is done,
// then cuts them, and closes the rooms; the audit log ends with a checkpoint.
// Tasks and leases stay as they are for the next start.
func (s *Server) Close(ctx context.Context) error {
	select {
	case <-s.stop:
		return nil
	default:
		close(s.stop)
	}
	_ = s.server.Shutdown(ctx) // knows nothing of connections that were taken over
	_ = s.wire.Shutdown(ctx)
	s.identities.Close()
	s.background.Wait()
	s.sealChangedSessions()
	s.tasks.Range(func(_, t any) bool {
		t.(*task).holds.Range(func(_, h any) bool {
			h.(*hold).pool.Close()
			return true
		})
		return true
	})
	s.desk.Close()
	s.stopFeeds(s.log.Append(s.taskRecord("stop", nil)))
	return errors.Join(s.log.Close(), s.state.Close())
}

// Reload puts a new set of rules in force for every exchange that starts after
// it returns. On error the old set stays.
func (s *Server) Reload(r Rules) error {
	set, err := s.compile(r)
	if err == nil {
		err = s.opt.Authority.Permit(set.names())
	}
	s.metrics.reloads.WithLabelValues(result(err == nil)).Inc()
	if err != nil {
		return err
	}
	old := s.rules.Swap(set)
	if old.policy.Digest() == set.policy.Digest() && old.adapters.Digest() == set.adapters.Digest() {
		return nil
	}
	rec := s.taskRecord("reload", nil)
	rec.PolicyDigest, rec.AdapterDigest = set.policy.Digest(), set.adapters.Digest()
	s.log.Append(rec)
	return nil
}

// Ready is nil while requests can be carried; otherwise it says why not.
func (s *Server) Ready() error {
	select {
	case <-s.stop:
		return errors.New("shutting down")
	default:
		return s.log.Err()
	}
}

// Metrics serves the Prometheus text format.
func (s *Server) Metrics() http.Handler { return s.metrics.http() }

func (s *Server) liveTasks() float64 {
	n := 0
	s.tasks.Range(func(_, t any) bool {
		if t.(*task).Active() == nil {
			n++
		}
		return true
	})
	return float64(n)
}

// ChangeAuditKey lets another key sign the record, see [journal.Log.ChangeKey].
func (s *Server) ChangeAuditKey(key ed25519.PrivateKey) error { return s.log.ChangeKey(key) }
