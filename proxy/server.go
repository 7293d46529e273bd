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

// Options is what a server is made of. cmd fills it from the configuration file.
// Packages that need a key or a file come opened.
type Options struct {
	Instance  string // name of this process in records; the same after a restart
	Log       zerolog.Logger
	Rules     Rules
	Vault     Vault
	Sealer    vault.Key // encrypts stored sessions and keys the fingerprints
	State     state.Store
	Authority *certs.Authority
	AuditKey  ed25519.PrivateKey

	Audit    journal.Config
	Sinks    map[string]journal.Sink // by name; the caller closes them after Close
	Wire     wire.Config
	Lease    lease.Config
	Identity identity.Config
	Guard    []netip.Prefix       // private addresses that may be dialed all the same
	Via      upstream.ProxyConfig // the proxy towards applications whose adapter names none
	FrontTLS *tls.Config          // of the proxy port; nil serves it without TLS

	// SpoolDir is the directory for files without a name that hold uploads. Empty
	// stands for the system's directory for temporary files.
	SpoolDir string

	// HandshakeTimeout bounds an agent's TLS handshake. Zero stands for
	// Wire.TLSTimeout.
	HandshakeTimeout time.Duration
}

// Vault is what the server needs of a vault: the accounts of an adapter and the
// secret of one account.
type Vault interface {
	vault.Store
	vault.Lister
}

// Server is a running proxy. Its methods may be called concurrently.
type Server struct {
	opt        Options
	log        *journal.Log
	state      *state.Watched
	vault      Vault
	vaultCheck boundedCheck // of Ready
	identities *identity.Registry
	leases     *lease.Manager[*adapters.Session]
	metrics    *metrics
	budget     *budget      // of what requests make the server hold
	spooled    atomic.Int64 // bytes in spools
	feeds      []*journal.Feed
	printKey   []byte // of fingerprints
	loginKey   []byte // of what is stored about logins

	// The two sides of the wire.
	front    *http.Server
	handover *handover // connections for front
	wire     *agents.Server
	tls      *tls.Config // towards agents, inside tunnels
	dialer   *upstream.Dialer
	via      *upstream.Proxy // nil dials directly

	rules atomic.Pointer[rules]
	tasks sync.Map // id → *task

	cookieNames sync.Map // adapter → *adapters.CookieNames
	unstored    sync.Map // [2]string of adapter and account → state.Quarantine that is not stored yet

	lost chan *task    // tasks whose holder was silent, for watchExpiry
	stop chan struct{} // closed by Close

	// accepting is cancelled when Close begins.
	accepting     context.Context
	stopAccepting context.CancelFunc

	// drained is cancelled before Close cuts what its drain time has left.
	drained     context.Context
	cutRequests context.CancelFunc

	background sync.WaitGroup // goroutines that Close waits for
}

// Open opens the log and resumes what an earlier run left: tasks that are still
// active keep their accounts and sessions, and others are logged out and checked
// in. The server answers nothing before Serve.
func Open(opt Options) (*Server, error) {
	opt.Wire.SetDefaults()
	if opt.HandshakeTimeout == 0 {
		opt.HandshakeTimeout = opt.Wire.TLSTimeout
	}
	s := &Server{
		opt:      opt,
		state:    state.Watch(opt.State),
		vault:    opt.Vault,
		printKey: opt.Sealer.Derive("fingerprint"),
		loginKey: opt.Sealer.Derive("logins"),
		wire:     agents.NewServer(opt.Wire),
		dialer:   &upstream.Dialer{Allow: opt.Guard},
		lost:     make(chan *task),
		stop:     make(chan struct{}),
	}

	s.accepting, s.stopAccepting = context.WithCancel(context.Background())
	s.drained, s.cutRequests = context.WithCancel(context.Background())

	var err error
	s.budget = newBudget(heldLimits(opt.Wire))
	s.via, err = upstream.NewProxy(opt.Via, s.dialer)
	if err != nil {
		return nil, fmt.Errorf("upstream.%w", err)
	}
	set, err := s.compile(opt.Rules)
	if err != nil {
		return nil, err
	}
	s.rules.Store(set)
	if err := opt.Authority.Permit(set.names()); err != nil {
		return nil, fmt.Errorf("interception authority: %w", err)
	}
	s.tls = opt.Authority.TLSConfig(hostOf)

	s.log, err = journal.Open(opt.Audit, opt.AuditKey, opt.Instance)
	if err != nil {
		return nil, fmt.Errorf("audit log: %w", err)
	}
	s.identities = identity.NewRegistry(opt.Identity)
	s.leases = lease.NewManager[*adapters.Session](s.state, opt.Lease)
	s.metrics = newMetrics(s.log, s.countActiveTasks, func() float64 { return float64(len(s.leases.Leases())) })
	s.budget.registerMetrics(s.metrics.registry)
	s.registerAccountMetrics()
	s.front = s.newFront()
	s.handover = newHandover()

	if err := s.leases.Restore(); err != nil {
		_ = s.Close(context.Background())
		return nil, fmt.Errorf("stored logins: %w", err)
	}
	s.logQuarantines()
	if err := s.resumeTasks(); err != nil {
		_ = s.Close(context.Background())
		return nil, err
	}
	if err := s.startFeeds(opt.Sinks); err != nil {
		_ = s.Close(context.Background())
		return nil, err
	}
	s.background.Go(s.serveFront)
	s.background.Go(s.watchExpiry)
	s.background.Go(s.warnOfRollback)
	s.background.Go(s.watchSessions)
	s.background.Go(s.watchStorage)
	s.background.Go(s.returnMemory)

	r := s.taskRecord("start", nil)
	r.PolicyDigest = set.policy.Digest()
	s.log.Append(r)
	return s, nil
}

// newFront returns the HTTP server of the proxy port. The guard of its listener
// bounds the head of a request, so the bound of net/http lies above it.
func (s *Server) newFront() *http.Server {
	return &http.Server{
		Handler: s.frontHandler(),
		// net/http would answer OPTIONS * itself, to anybody.
		DisableGeneralOptionsHandler: true,

		ReadHeaderTimeout: s.opt.Wire.HeadTimeout,
		IdleTimeout:       s.opt.Wire.IdleTimeout,
		MaxHeaderBytes:    2 * s.opt.Wire.MaxHeadBytes,
		ConnContext: func(ctx context.Context, conn net.Conn) context.Context {
			return context.WithValue(ctx, agentConn{}, conn)
		},
	}
}

// serveFront serves the connections that were told to be HTTP, until Close.
func (s *Server) serveFront() {
	if err := s.front.Serve(s.handover); !errors.Is(err, http.ErrServerClosed) {
		s.opt.Log.Error().Err(err).Msg("the proxy port has stopped")
	}
}

// Close stops accepting requests, waits until those in flight are answered or ctx
// is done, cuts the rest, and closes the log with a checkpoint. Tasks and leases
// stay as they are for the next start. Only the first call does anything.
func (s *Server) Close(ctx context.Context) error {
	select {
	case <-s.stop:
		return nil
	default:
		close(s.stop)
	}

	s.drain(ctx)
	s.identities.Close()
	s.background.Wait()

	s.sealChangedSessions()
	notStored := s.storeMissingEnds()
	s.tasks.Range(func(_, t any) bool {
		t.(*task).lifeline.stop()
		t.(*task).closeHolds()
		return true
	})
	s.leases.Close()
	s.stopFeeds(s.log.Append(s.taskRecord("stop", nil)))
	return errors.Join(notStored, s.log.Close(), s.state.Close())
}

// cutWait bounds how long the requests that were cut at the end of the drain time may
// take to put their outcomes on record.
const cutWait = time.Second

// drain stops accepting requests and waits for those in flight. When ctx is done it
// cuts the rest, whose outcomes then say so.
func (s *Server) drain(ctx context.Context) {
	s.stopAccepting()
	context.AfterFunc(ctx, s.cutRequests)
	frontErr := s.front.Shutdown(s.drained) // does not know connections that were taken over
	wireErr := s.wire.Shutdown(s.drained)
	if frontErr == nil && wireErr == nil {
		return
	}

	cutting, cancel := context.WithTimeout(context.Background(), cutWait)
	defer cancel()
	_ = s.front.Shutdown(cutting)
	_ = s.front.Close()
	_ = s.wire.Shutdown(cutting)
}

// Reload puts a new set of rules in force for every exchange that starts after
// Reload returns. If there is an error the old set stays in force.
func (s *Server) Reload(r Rules) error {
	set, err := s.compile(r)
	if err == nil {
		err = s.opt.Authority.Permit(set.names())
	}
	s.metrics.reloads.WithLabelValues(resultLabel(err == nil)).Inc()
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

// Metrics returns a handler that serves the Prometheus text format.
func (s *Server) Metrics() http.Handler { return s.metrics.handler() }

// ChangeAuditKey makes another key sign the log; see [journal.Log.ChangeKey].
func (s *Server) ChangeAuditKey(key ed25519.PrivateKey) error { return s.log.ChangeKey(key) }

func (s *Server) countActiveTasks() float64 {
	n := 0
	s.tasks.Range(func(_, t any) bool {
		if t.(*task).Active() == nil {
			n++
		}
		return true
	})
	return float64(n)
}
