// Package origin is the application that the bench's agents work with: TLS,
// small HTML pages, big bodies both ways, and a login form, so that Byline has
// the same to do as in front of a real one. It speaks HTTP/1.1 in a tight loop
// of its own at one address, and HTTP/2 on net/http at another.
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

// The names under which agents ask for the two addresses.
const (
	HostH1 = "bench.test"
	HostH2 = "bench2.test"
)

// SmallBytes is the length of a small page.
const SmallBytes = 1024

// Origin is a running application. All methods may be called concurrently.
type Origin struct {
	// Addr speaks HTTP/1.1 alone, AddrH2 offers h2 and http/1.1.
	Addr, AddrH2 string
	// RootPEM is the authority that issued both certificates.
	RootPEM []byte
	// Borrowed is the session cookie of a person who is logged in.
	Borrowed string

	sessions  *sessions
	listeners []net.Listener
	server    *http.Server
	mu        sync.Mutex
	open      map[net.Conn]struct{} // raw connections of the tight loop; nil once closed
	done      sync.WaitGroup
}

// Start listens on two free loopback ports. The caller calls Close.
func Start() (*Origin, error) {
	authority, err := NewAuthority("bench origin")
	if err != nil {
		return nil, err
	}
	leaf, err := authority.Leaf(HostH1, HostH2)
	if err != nil {
		return nil, err
	}
	o := &Origin{RootPEM: authority.PEM, Borrowed: rand.Text(), open: map[net.Conn]struct{}{}}
	o.sessions = newSessions(o.Borrowed)
	config := func(protocols ...string) *tls.Config {
		return &tls.Config{Certificates: []tls.Certificate{leaf}, NextProtos: protocols, VerifyConnection: o.shook}
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
	o.server = &http.Server{Handler: http.HandlerFunc(o.serveStandard), TLSConfig: config("h2", "http/1.1"),
		ErrorLog: log.New(io.Discard, "", 0)} // agents that hang up are part of the work
	o.done.Add(2)
	go o.accept(o.listeners[0], config("http/1.1"))
	go func() {
		defer o.done.Done()
		_ = o.server.ServeTLS(o.listeners[1], "", "") // returns when Close closes the listener
	}()
	return o, nil
}

func (o *Origin) shook(s tls.ConnectionState) error {
	o.sessions.handshake.Add(1)
	if s.DidResume {
		o.sessions.resumed.Add(1)
	}
	return nil
}

func (o *Origin) accept(l net.Listener, config *tls.Config) {
	defer o.done.Done()
	for {
		raw, err := l.Accept()
		if err != nil {
			return
		}
		o.mu.Lock()
		if o.open == nil {
			raw.Close()
			o.mu.Unlock()
			return
		}
		o.open[raw] = struct{}{}
		o.mu.Unlock()
		o.done.Go(func() {
			newLoop(o.sessions, tls.Server(raw, config)).serve()
			raw.Close()
			o.mu.Lock()
			defer o.mu.Unlock()
			delete(o.open, raw)
		})
	}
}

// Counts is what was seen so far.
func (o *Origin) Counts() Counts { return o.sessions.counts() }

// Close ends everything that is open and waits for it.
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
	for raw := range o.open {
		raw.Close()
	}
	o.open = nil
	o.mu.Unlock()
	o.done.Wait()
}

// page is a small page of legacy HTML, exactly SmallBytes long.
var page = func() []byte {
	const row = "<tr><td><a href=\"/page/%04d\">Ticket %04d</a></td><td>open</td></tr>\n"
	var b bytes.Buffer
	b.WriteString("<!DOCTYPE html><title>bench</title><table>\n")
	for i := 0; b.Len() < SmallBytes; i++ {
		fmt.Fprintf(&b, row, i, i)
	}
	return b.Bytes()[:SmallBytes]
}()

// block is what big bodies are made of.
var block = bytes.Repeat([]byte("0123456789abcdef"), 4096)
