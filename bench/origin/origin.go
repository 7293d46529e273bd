// Package origin implements the application that the bench's agents use: TLS,
// small HTML pages, large bodies in both directions, and a login form, so that
// Byline has to do what it does in front of a real application. It speaks
// HTTP/1.1 with a small server of its own at one address, and HTTP/2 with
// net/http at another.
package origin

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"
)

// The host names of the two addresses.
const (
	HostH1 = "bench.test"
	HostH2 = "bench2.test"
)

// SmallBytes is the length of a small page.
const SmallBytes = 1024

// Origin is a running application. Its methods are safe for concurrent use.
type Origin struct {
	// Addr speaks only HTTP/1.1. AddrH2 offers h2 and http/1.1.
	Addr, AddrH2 string
	// RootPEM is the certificate of the authority that issued both leaves.
	RootPEM []byte
	// Borrowed is the session cookie of a person who is logged in.
	Borrowed string

	sessions  *sessions
	listeners []net.Listener
	server    *http.Server // at AddrH2
	done      sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]struct{} // open connections at Addr; nil after Close
}

// Start listens on two free loopback ports. The caller must call Close.
func Start() (*Origin, error) {
	authority, err := NewAuthority("bench origin")
	if err != nil {
		return nil, err
	}
	leaf, err := authority.Leaf(HostH1, HostH2)
	if err != nil {
		return nil, err
	}
	borrowed := rand.Text()
	o := &Origin{
		RootPEM:  authority.PEM,
		Borrowed: borrowed,
		sessions: newSessions(borrowed),
		conns:    map[net.Conn]struct{}{},
	}
	tlsConfig := func(protocols ...string) *tls.Config {
		return &tls.Config{Certificates: []tls.Certificate{leaf}, NextProtos: protocols, VerifyConnection: o.countHandshake}
	}

	for _, addr := range []*string{&o.Addr, &o.AddrH2} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			o.Close()
			return nil, fmt.Errorf("origin: %w", err)
		}
		*addr = l.Addr().String()
		o.listeners = append(o.listeners, l)
	}
	o.server = &http.Server{
		Handler:   http.HandlerFunc(o.serveHTTP),
		TLSConfig: tlsConfig("h2", "http/1.1"),
		ErrorLog:  log.New(io.Discard, "", 0), // agents that close connections are part of the load
	}

	o.done.Add(2)
	go o.acceptH1(o.listeners[0], tlsConfig("http/1.1"))
	go func() {
		defer o.done.Done()
		_ = o.server.ServeTLS(o.listeners[1], "", "") // returns when Close closes the listener
	}()
	return o, nil
}

// countHandshake is called at the end of every handshake.
func (o *Origin) countHandshake(state tls.ConnectionState) error {
	o.sessions.handshakes.Add(1)
	if state.DidResume {
		o.sessions.resumed.Add(1)
	}
	return nil
}

func (o *Origin) acceptH1(l net.Listener, config *tls.Config) {
	defer o.done.Done()
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		o.mu.Lock()
		if o.conns == nil { // Close is running
			conn.Close()
			o.mu.Unlock()
			return
		}
		o.conns[conn] = struct{}{}
		o.mu.Unlock()

		o.done.Go(func() {
			newH1Conn(o.sessions, tls.Server(conn, config)).serve()
			conn.Close()
			o.mu.Lock()
			defer o.mu.Unlock()
			delete(o.conns, conn)
		})
	}
}

// Counts returns what the origin has seen so far.
func (o *Origin) Counts() Counts { return o.sessions.counts() }

// Close closes listeners and connections and waits until they are served no
// longer.
func (o *Origin) Close() {
	for _, l := range o.listeners {
		l.Close()
	}
	if o.server != nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if o.server.Shutdown(ctx) != nil {
			o.server.Close()
		}
	}

	o.mu.Lock()
	for conn := range o.conns {
		conn.Close()
	}
	o.conns = nil
	o.mu.Unlock()
	o.done.Wait()
}

// page is a small page of HTML, exactly SmallBytes long.
var page = func() []byte {
	const row = "<tr><td><a href=\"/page/%04d\">Ticket %04d</a></td><td>open</td></tr>\n"
	var b bytes.Buffer
	b.WriteString("<!DOCTYPE html><title>bench</title><table>\n")
	for i := 0; b.Len() < SmallBytes; i++ {
		fmt.Fprintf(&b, row, i, i)
	}
	return b.Bytes()[:SmallBytes]
}()

// largeBlock is repeated to form large bodies.
var largeBlock = bytes.Repeat([]byte("0123456789abcdef"), 4096)
