// Package peer starts the proxies that the bench compares. Each is a process on
// its own core, so that its cost can be measured from outside. The origin, and
// the proxies that are neither Byline nor foreign programs, are child processes
// that run the bench's own binary.
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

// The names of the peers.
const (
	Byline         = "byline"          // the proxy that the bench is about
	Tunnel         = "tunnel"          // copies bytes with splice(2)
	TunnelBuffered = "tunnel-buffered" // copies bytes through a buffer
	Goproxy        = "goproxy"         // goproxy with its defaults
	GoproxyRaised  = "goproxy-raised"  // goproxy with more idle connections
	Fasthttp       = "fasthttp"        // interceptor on fasthttp's server and client
	Wire           = "wire"            // interceptor on Byline's own wire
	Squid          = "squid"           // squid-openssl with ssl-bump
	Mitmproxy      = "mitmproxy"       // mitmdump
)

// Peer is a running proxy.
type Peer struct {
	// Name is the name that it was started by.
	Name string
	// Addr is the address of the proxy.
	Addr string
	// Roots are the certificates that agents must trust.
	Roots *x509.CertPool
	// Intercepts says that agents see another certificate than the origin's.
	Intercepts bool
	// ReplacesSession says that the origin must see the session of an account,
	// and never that of the person.
	ReplacesSession bool
	// SpeaksH2 says that agents may speak HTTP/2.
	SpeaksH2 bool
	// NeedsOriginPort says that agents must ask for the port on which the origin
	// listens, in place of 443.
	NeedsOriginPort bool

	process        *process
	authorizations []string     // one per task
	control        *http.Client // for Byline's control API; nil for other peers
	cleanUp        func()       // called after the process has ended; may be nil
	summarize      func() (string, error)
}

// Testbed is what all peers of a run have in common.
type Testbed struct {
	// Exe is the bench's own binary, which runs child processes. BylineExe is
	// the binary of Byline.
	Exe, BylineExe string
	// Dir is where peers write files, among them Byline's records. It should be
	// on the disk that counts, not in memory.
	Dir string
	// Core is the core of the proxies; if negative, any.
	Core int
	// Tasks is the number of tasks that Byline's agents share. Each task has its
	// own account.
	Tasks int
	// Origin is the running application.
	Origin *Origin
	// Tuning is what Byline's settings are, where they are not the defaults.
	Tuning Tuning
}

// Start starts a peer by its name. A name like before=/path/byline starts another
// build of Byline. The caller must call Stop or Finish.
func (tb *Testbed) Start(ctx context.Context, name string) (*Peer, error) {
	trustFile, err := tb.writeTrustFile()
	if err != nil {
		return nil, err
	}

	if _, exe, ok := strings.Cut(name, "="); ok {
		otherBuild := *tb
		otherBuild.BylineExe = exe
		p, err := otherBuild.startByline(ctx, trustFile)
		if err != nil {
			return nil, err
		}
		p.Name = name
		return p, nil
	}

	switch name {
	case Byline:
		return tb.startByline(ctx, trustFile)
	case Squid:
		return tb.startSquid(ctx, trustFile)
	case Mitmproxy:
		return tb.startMitmproxy(ctx, trustFile)
	}
	return tb.startChildProxy(ctx, name, trustFile)
}

// startChildProxy starts a proxy that is part of the bench's own binary.
func (tb *Testbed) startChildProxy(ctx context.Context, name, trustFile string) (*Peer, error) {
	c, err := startChild(ctx, tb.Core, tb.Exe, nil, name,
		"-trust", trustFile,
		"-to", origin.HostH1+"="+tb.Origin.Ready.Addr,
		"-to", origin.HostH2+"="+tb.Origin.Ready.AddrH2)
	if err != nil {
		return nil, err
	}

	p := &Peer{
		Name:       name,
		Addr:       c.Ready.Addr,
		Intercepts: c.Ready.Roots != "",
		SpeaksH2:   name != Goproxy && name != Fasthttp,
		process:    c.process,
	}

	roots := c.Ready.Roots
	if !p.Intercepts {
		roots = tb.Origin.Ready.Roots
	}
	p.Roots, err = newCertPool(roots)
	return p, err
}

// writeTrustFile writes the certificate of the origin's authority to a file, and
// returns its path. It replaces the file atomically, because peers that already
// run may read it at the same time.
func (tb *Testbed) writeTrustFile() (string, error) {
	path := filepath.Join(tb.Dir, "origin.pem")
	f, err := os.CreateTemp(tb.Dir, "origin-*.pem")
	if err != nil {
		return "", err
	}
	_, err = f.WriteString(tb.Origin.Ready.Roots)
	if err := errors.Join(err, f.Close()); err != nil {
		return "", err
	}
	return path, os.Rename(f.Name(), path)
}

func newCertPool(pem string) (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(pem)) {
		return nil, fmt.Errorf("no certificate in %q", pem)
	}
	return pool, nil
}

// PID returns the id of the process whose CPU time and memory are measured.
func (p *Peer) PID() int { return p.process.PID() }

// Authorization returns the value of Proxy-Authorization for agent i. It is empty
// if the proxy does not ask for one.
func (p *Peer) Authorization(i int) string {
	if len(p.authorizations) == 0 {
		return ""
	}
	return p.authorizations[i%len(p.authorizations)]
}

// Err returns an error if the process has ended, and nil while it runs.
func (p *Peer) Err() error {
	select {
	case <-p.process.exited:
		return fmt.Errorf("%s ended during the run: %v", p.Name, p.process.err)
	default:
		return nil
	}
}

// Finish stops the peer and returns a note about its run for the report, or "".
func (p *Peer) Finish() (string, error) {
	p.Stop()
	if p.summarize == nil {
		return "", nil
	}
	return p.summarize()
}

// Stop ends the process. It may be called more than once.
func (p *Peer) Stop() {
	p.process.stop(10 * time.Second)
	if p.cleanUp != nil {
		p.cleanUp()
	}
}
