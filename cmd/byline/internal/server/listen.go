package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/byline-proxy/byline/configs"
	"github.com/byline-proxy/byline/proxy"
	"github.com/byline-proxy/byline/proxy/wire/agents"
)

// listen opens the proxy port, the control port and the control socket. If it fails,
// the caller closes those that are open.
func (r *running) listen(cfg *configs.Config) error {
	agents, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	r.agents = agents
	for i, l := range cfg.Listeners {
		ln, err := listenFor(&l)
		if err != nil {
			return fmt.Errorf("listeners[%d].listen: %w", i, err)
		}
		r.further = append(r.further, further{ln, l.Mode})
	}

	tcp, err := net.Listen("tcp", cfg.Control.Listen)
	if err != nil {
		return fmt.Errorf("control.listen: %w", err)
	}
	r.operators = append(r.operators, tcp)

	socket, err := listenUnix(cfg.Control.Socket)
	if err != nil {
		return fmt.Errorf("control.socket: %w", err)
	}
	r.operators = append(r.operators, socket)
	return nil
}

// further is a listener of the list in the configuration.
type further struct {
	net.Listener
	mode string
}

// listenFor opens a listener of the list. Every user may connect to a socket, because
// the kernel tells who does.
func listenFor(l *configs.Listener) (net.Listener, error) {
	if path := l.Socket(); path != "" {
		ln, err := listenUnix(path)
		if err == nil {
			err = os.Chmod(path, 0o666)
		}
		return ln, err
	}
	if l.Mode == "tproxy" {
		return agents.ListenDiverted(context.Background(), l.Listen)
	}
	return net.Listen("tcp", l.Listen)
}

// serve answers agents on the listener until the proxy closes.
func (l further) serve(p *proxy.Server) error {
	switch {
	case l.mode == "redirect":
		return p.ServeRedirected(l)
	case l.mode == "tproxy":
		return p.ServeDiverted(l)
	case l.Addr().Network() == "unix":
		return p.ServeLocal(l)
	}
	return p.Serve(l)
}

// listenUnix listens on a Unix socket. A socket that a killed server left is
// replaced, one that answers is not.
func listenUnix(path string) (net.Listener, error) {
	conn, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		_ = conn.Close()
		return nil, fmt.Errorf("a server answers at %s", path)
	}

	if errors.Is(err, syscall.ECONNREFUSED) {
		_ = os.Remove(path)
	}
	return net.Listen("unix", path)
}

func (r *running) closeListeners() {
	for _, l := range r.further {
		_ = l.Close()
	}
	for _, l := range append(r.operators, r.agents) {
		if l != nil {
			_ = l.Close()
		}
	}
}
