package proxy

import (
	"net"

	"github.com/byline-proxy/byline/proxy/wire"
)

// guardedListener puts the strict reader in front of net/http's parser, so that
// what the front is lenient about never reaches it.
type guardedListener struct {
	net.Listener
	wire *wire.Server
}

func (c *Corridor) guarded(ln net.Listener) net.Listener { return guardedListener{ln, c.wire} }

// Accept returns the next connection behind a guard of its own.
func (g guardedListener) Accept() (net.Conn, error) {
	conn, err := g.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return g.wire.Guard(conn), nil
}
