// Package cork reduces the system calls that a large body costs. crypto/tls writes
// one TLS record at a time; a Cork below it gathers the records and writes several
// of them at once.
package cork

import (
	"net"
	"sync"
)

// Cork gathers what crypto/tls writes, so that the records of a large body go out in
// one system call. The connection below TLS contains the Cork and calls its Write.
// Unless a Batch holds it, Write only passes on. Methods may be called concurrently.
// The zero value is ready for use.
type Cork struct {
	mu      sync.Mutex
	holding bool
	held    []byte
}

// Corked is a connection below TLS that contains a Cork.
type Corked interface {
	// Cork returns the Cork and the connection to which it writes.
	Cork() (*Cork, net.Conn)
}

const (
	// batchBytes is how much is gathered before it is written: about as much as the
	// kernel sends at once.
	batchBytes = 64 << 10

	// recordBytes is the size of the largest TLS record with its header (RFC 8446
	// section 5.2).
	recordBytes = 16<<10 + 256 + 5

	// heldCapacity leaves room for the records that crypto/tls writes before the
	// Batch sees that batchBytes are reached.
	heldCapacity = batchBytes + 2*recordBytes
)

var heldPool = sync.Pool{New: func() any {
	b := make([]byte, 0, heldCapacity)
	return &b
}}

// Write writes p to conn, or keeps it if a Batch holds the Cork.
func (c *Cork) Write(conn net.Conn, p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()

	if !c.holding {
		return conn.Write(p)
	}
	c.held = append(c.held, p...)
	return len(p), nil
}

// hold makes Write keep what it gets, until release.
func (c *Cork) hold() {
	c.mu.Lock()
	defer c.mu.Unlock()

	if !c.holding {
		c.holding = true
		c.held = (*heldPool.Get().(*[]byte))[:0]
	}
}

// full reports whether at least batchBytes are held.
func (c *Cork) full() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.held) >= batchBytes
}

// release writes what is held to conn and makes Write pass on again.
func (c *Cork) release(conn net.Conn) error {
	c.mu.Lock()
	defer c.mu.Unlock()

	if !c.holding {
		return nil
	}
	held := c.held
	c.holding, c.held = false, nil

	var err error
	if len(held) > 0 {
		_, err = conn.Write(held)
	}
	if cap(held) <= 2*heldCapacity {
		held = held[:0]
		heldPool.Put(&held)
	}
	return err
}
