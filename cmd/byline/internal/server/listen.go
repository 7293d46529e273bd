package server

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/byline-proxy/byline/configs"
)

// listen opens the proxy port, the control port and the control socket. If it fails,
// the caller closes those that are open.
func (r *running) listen(cfg *configs.Config) error {
	agents, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	r.agents = agents

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
	for _, l := range append(r.operators, r.agents) {
		if l != nil {
			_ = l.Close()
		}
	}
}
