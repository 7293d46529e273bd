package peer

import (
	"context"
	"errors"
	"net"
	"os/exec"
	"strconv"
	"time"
)

// ErrNotInstalled is returned for a proxy that is not installed. The bench then
// goes on without it.
var ErrNotInstalled = errors.New("not installed (bench/install.sh installs it on Debian)")

// freePort returns a port that is free at the moment.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// startExternal starts an installed proxy and waits until it accepts connections
// on port. The caller sets Roots.
func (tb *Testbed) startExternal(ctx context.Context, name string, cmd *exec.Cmd, port int, cleanUp func()) (*Peer, error) {
	proc, err := startProcess(ctx, tb.Core, cmd)
	if err != nil {
		return nil, err
	}

	p := &Peer{
		Name:            name,
		Addr:            net.JoinHostPort("127.0.0.1", strconv.Itoa(port)),
		Intercepts:      true,
		NeedsOriginPort: true,
		process:         proc,
		cleanUp:         cleanUp,
	}

	for range 300 {
		conn, err := net.DialTimeout("tcp", p.Addr, time.Second)
		if err == nil {
			conn.Close()
			return p, nil
		}
		if err := p.Err(); err != nil {
			return nil, err
		}
		time.Sleep(100 * time.Millisecond)
	}

	p.Stop()
	return nil, errors.New("it does not accept connections")
}
