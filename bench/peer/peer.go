package peer

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/byline-proxy/byline/bench/origin"
)

// Byline is the name of the peer that this is about.
const Byline = "byline"

// Peer is one running proxy.
type Peer struct {
	// Name is what it was started by.
	Name string
	// Addr is where agents reach it.
	Addr string
	// Roots is what agents trust behind it.
	Roots *x509.CertPool
	// Intercepts says that agents must see another certificate than the origin's.
	Intercepts bool
	// Replaces says that the origin must see an account's session, never the person's.
	Replaces bool

	// SpeaksH2 says that agents may speak HTTP/2 through it.
	SpeaksH2 bool

	// RealPorts says that agents must name the port that the origin listens on.
	RealPorts bool

	process        *process
	authorizations []string
	control        *http.Client // Byline's control API
	after          func()       // after the process has ended; nil nothing
	finish         func(context.Context) (string, error)
}

// Testbed is what every peer of a run has in common.
type Testbed struct {
	// Exe is the bench's own binary, BylineExe the one of Byline.
	Exe, BylineExe string
	// Dir holds what peers write. Byline's records lie here: it should be on the
	// disk that matters, not in memory.
	Dir string
	// Core is the proxies' core.
	Core int
	// Tasks is how many tasks Byline's agents have between them, one account each.
	Tasks int
	// Origin is the running application.
	Origin *Origin
	// Tuning is what Byline runs with beside its defaults.
	Tuning Tuning
}

// Start starts one peer by its name. A name like before=/path/byline is another
// build of Byline. The caller calls Stop.
func (s *Testbed) Start(ctx context.Context, name string) (*Peer, error) {
	trust, err := s.trust()
	if err != nil {
		return nil, err
	}
	if _, exe, other := strings.Cut(name, "="); other {
		build := *s
		build.BylineExe = exe
		p, err := build.startByline(ctx, trust)
		if err != nil {
			return nil, err
		}
		p.Name = name
		return p, nil
	}
	switch name {
	case Byline:
		return s.startByline(ctx, trust)
	case Squid:
		return s.startSquid(ctx, trust)
	case Mitmproxy:
		return s.startMitmproxy(ctx, trust)
	}
	c, err := startChild(ctx, s.Core, s.Exe, nil, name, "-trust", trust,
		"-to", origin.HostH1+"="+s.Origin.Ready.Addr, "-to", origin.HostH2+"="+s.Origin.Ready.AddrH2)
	if err != nil {
		return nil, err
	}
	p := &Peer{Name: name, Addr: c.Ready.Addr, process: c.process, Intercepts: c.Ready.Roots != "",
		SpeaksH2: name != Goproxy && name != Fasthttp}
	roots := c.Ready.Roots
	if !p.Intercepts {
		roots = s.Origin.Ready.Roots
	}
	p.Roots, err = pool(roots)
	return p, err
}

// trust is the file with the application's authority. It appears whole: peers
// that run already may read it now.
func (s *Testbed) trust() (string, error) {
	path := filepath.Join(s.Dir, "origin.pem")
	f, err := os.CreateTemp(s.Dir, "origin-*.pem")
	if err != nil {
		return "", err
	}
	_, err = f.WriteString(s.Origin.Ready.Roots)
	if err := errors.Join(err, f.Close()); err != nil {
		return "", err
	}
	return path, os.Rename(f.Name(), path)
}

func pool(pem string) (*x509.CertPool, error) {
	p := x509.NewCertPool()
	if !p.AppendCertsFromPEM([]byte(pem)) {
		return nil, fmt.Errorf("no certificate in %q", pem)
	}
	return p, nil
}

// PID is the process whose CPU time and memory count.
func (p *Peer) PID() int { return p.process.PID() }

// Authorization is what agent i says to the proxy; empty when nothing is asked for.
func (p *Peer) Authorization(i int) string {
	if len(p.authorizations) == 0 {
		return ""
	}
	return p.authorizations[i%len(p.authorizations)]
}

// Err says how the process ended, and is nil while it runs.
func (p *Peer) Err() error {
	select {
	case <-p.process.gone:
		return fmt.Errorf("%s ended during the run: %v", p.Name, p.process.err)
	default:
		return nil
	}
}

// Finish stops the peer and returns what it left to be said, one line.
func (p *Peer) Finish(ctx context.Context) (string, error) {
	p.Stop()
	if p.finish == nil {
		return "", nil
	}
	return p.finish(ctx)
}

// Stop ends the process. It may be called again.
func (p *Peer) Stop() {
	p.process.stop(10 * time.Second)
	if p.after != nil {
		p.after()
	}
}
