package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/byline-proxy/byline/proxy/wire"
	"github.com/byline-proxy/byline/proxy/wire/agents"
)

// handoverTimeout bounds how long the proxy may take to accept a connection.
const handoverTimeout = 10 * time.Second

// upstreamProxy is the proxy port of a server, which may be on another machine.
type upstreamProxy struct {
	address string
	tls     *tls.Config // nil: without TLS
}

// newUpstreamProxy returns the proxy that u names. Its certificate may be of an authority
// in the PEM file roots, if that is given, as well as of one that the system trusts.
func newUpstreamProxy(u *url.URL, roots string) (*upstreamProxy, error) {
	p := &upstreamProxy{address: u.Host}
	switch {
	case u.Scheme == "http" && u.Port() == "":
		p.address = net.JoinHostPort(u.Hostname(), "80")
	case u.Scheme == "https" && u.Port() == "":
		p.address = net.JoinHostPort(u.Hostname(), "443")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("--proxy %q: the scheme is http or https", u.Redacted())
	}
	if u.Scheme == "http" {
		return p, nil
	}

	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	p.tls = &tls.Config{RootCAs: pool, ServerName: u.Hostname(), NextProtos: []string{"http/1.1"}}
	if roots == "" {
		return p, nil
	}
	text, err := os.ReadFile(roots)
	if err != nil {
		return nil, fmt.Errorf("--proxy-ca: %w", err)
	}
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("--proxy-ca: %s holds no certificate in PEM form", roots)
	}
	return p, nil
}

// dial returns a connection to the proxy.
func (p *upstreamProxy) dial(ctx context.Context) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", p.address)
	if err != nil || p.tls == nil {
		return conn, err
	}

	secured := tls.Client(conn, p.tls)
	if err := secured.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return secured, nil
}

// taskListener accepts the connections of a task's program and hands them to the proxy
// as the task's: whatever connects needs no credentials, and no token is in any
// environment, argument or file.
type taskListener struct {
	net.Listener
	proxy *upstreamProxy
	warn  func(error)
	// admits reports whether whoever is at the other end may use the listener.
	admits func(net.Conn) bool
	// destination returns where a connection was made to, if the program takes the
	// listener for the application. It is nil if the program takes it for a proxy.
	destination func(net.Conn) (netip.AddrPort, error)
}

// listenForProgram opens a listener on the loopback interface that only processes of the
// user of this process can use.
func listenForProgram(proxy *upstreamProxy, warn func(error)) (*taskListener, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	own := uint32(os.Getuid())
	return &taskListener{Listener: ln, proxy: proxy, warn: warn, admits: func(conn net.Conn) bool {
		uid, known := agents.PeerUID(conn, netip.AddrPort{})
		return known && uid == own
	}}, nil
}

// inside is the listener with another socket, to which only the isolated program connects.
// The program takes it for the application if it is transparent, and else for a proxy.
func (l *taskListener) inside(ln net.Listener, transparent bool) *taskListener {
	other := &taskListener{Listener: ln, proxy: l.proxy, warn: l.warn, admits: func(net.Conn) bool { return true }}
	if transparent {
		other.destination = dialedAddress
	}
	return other
}

// dialedAddress returns the address to which a connection was made in a network in
// which every address is local.
func dialedAddress(conn net.Conn) (netip.AddrPort, error) {
	to, ok := conn.LocalAddr().(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}, fmt.Errorf("%s is not a TCP address", conn.LocalAddr())
	}
	a := to.AddrPort()
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()), nil
}

// url is what a program names as its proxy.
func (l *taskListener) url() *url.URL {
	return &url.URL{Scheme: "http", Host: l.Addr().String()}
}

// serve hands connections over, as those of the token's task, until Close.
func (l *taskListener) serve(token string) {
	for {
		conn, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // no descriptors, mostly
			time.Sleep(50 * time.Millisecond)
			continue
		}
		go func() {
			defer conn.Close()
			if !l.admits(conn) {
				return
			}
			if err := l.handOver(conn, token); err != nil {
				l.warn(err)
			}
		}()
	}
}

// handOver carries one connection to the proxy and back until both sides have ended.
func (l *taskListener) handOver(conn net.Conn, token string) error {
	ctx, cancel := context.WithTimeout(context.Background(), handoverTimeout)
	defer cancel()
	proxy, err := l.proxy.dial(ctx)
	if err != nil {
		return fmt.Errorf("the proxy cannot be reached: %w", err)
	}
	defer proxy.Close()

	var head strings.Builder
	fmt.Fprintf(&head, "OPTIONS * HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: %s\r\nProxy-Authorization: Bearer %s\r\n",
		l.proxy.address, wire.ConnectionUpgrade, token)
	if l.destination != nil {
		to, err := l.destination(conn)
		if err != nil {
			return err
		}
		fmt.Fprintf(&head, "%s: %s\r\n", wire.DestinationField, to)
	}
	_ = proxy.SetDeadline(time.Now().Add(handoverTimeout))
	if _, err := io.WriteString(proxy, head.String()+"\r\n"); err != nil {
		return err
	}
	rest, accepted, err := readHandover(proxy)
	if err != nil {
		return err
	}
	_ = proxy.SetDeadline(time.Time{})

	if !accepted && l.destination != nil { // to an application's client the answer says nothing
		return nil
	}
	if _, err := conn.Write(rest); err != nil {
		return nil
	}
	carry(conn, proxy)
	return nil
}

// readHandover reads the proxy's answer. If it accepts, rest is what followed the answer,
// else the answer as far as it was read, which tells an agent why.
func readHandover(proxy net.Conn) (rest []byte, accepted bool, err error) {
	r := bufio.NewReader(proxy)
	status, err := r.ReadString('\n')
	if err != nil {
		return nil, false, fmt.Errorf("the proxy does not answer: %w", err)
	}
	if !strings.HasPrefix(status, "HTTP/1.1 101 ") {
		more, _ := r.Peek(r.Buffered())
		return append([]byte(status), more...), false, nil
	}

	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return nil, false, err
		}
		if line == "\r\n" {
			rest, _ = r.Peek(r.Buffered())
			return rest, true, nil
		}
	}
}

// carry copies both ways until both directions have ended.
func carry(program, proxy net.Conn) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		carryOneWay(program, proxy)
	}()
	carryOneWay(proxy, program)
	<-done
}

// carryOneWay copies and then ends the direction. A copy that breaks off ends both.
func carryOneWay(dst, src net.Conn) {
	_, err := io.Copy(dst, src)
	half, ok := dst.(interface{ CloseWrite() error })
	if err != nil || !ok || half.CloseWrite() != nil {
		_ = dst.Close()
		_ = src.Close()
	}
}
