package proxy

import "net"

// guardedListener puts the strict reader in front of net/http's parser, so that
// what the front is lenient about never reaches it.
type guardedListener struct {
	net.Listener
	c *Corridor
}

func (c *Corridor) guarded(ln net.Listener) net.Listener { return guardedListener{ln, c} }

// Accept returns the next connection behind a guard of its own.
func (g guardedListener) Accept() (net.Conn, error) {
	conn, err := g.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return g.c.wire.Guard(conn, (&tunnel{c: g.c}).malformed), nil
}
