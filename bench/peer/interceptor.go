package peer

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/byline-proxy/byline/bench/origin"
	"github.com/byline-proxy/byline/proxy/wire"
	"github.com/byline-proxy/byline/proxy/wire/agents"
	"github.com/byline-proxy/byline/proxy/wire/upstream"
)

// bare is a proxy that intercepts, changes nothing, decides nothing and
// records nothing: what HTTP in the middle costs on one stack. It is as kind
// as it can be: one tls.Config for all tunnels, leaves made at the start.
type bare struct {
	to      names
	roots   *x509.CertPool
	tls     *tls.Config
	carry   func(b *bare, conn *tls.Conn, host string)
	clients map[string]*fasthttp.HostClient
	server  *fasthttp.Server
	wire    *agents.Server
	pool    *upstream.Pool
}

// serveBare starts one: on fasthttp on both sides, or on Byline's own wire.
func serveBare(to names, trust, kind string) (Ready, error) {
	authority, err := origin.NewAuthority("bench " + kind)
	if err != nil {
		return Ready{}, err
	}
	leaf, err := authority.Leaf(origin.HostH1, origin.HostH2)
	if err != nil {
		return Ready{}, err
	}
	pem, err := os.ReadFile(trust)
	if err != nil {
		return Ready{}, fmt.Errorf("%s: %w", kind, err)
	}
	b := &bare{to: to, roots: x509.NewCertPool()}
	b.roots.AppendCertsFromPEM(pem)
	b.tls = &tls.Config{Certificates: []tls.Certificate{leaf}, NextProtos: []string{"http/1.1"}}
	if kind == Fasthttp {
		b.onFasthttp()
	} else {
		b.tls.NextProtos = []string{"h2", "http/1.1"}
		b.onWire()
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return Ready{}, fmt.Errorf("%s: %w", kind, err)
	}
	go func() { // ends with the process
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go b.intercept(c)
		}
	}()
	return Ready{Addr: l.Addr().String(), Roots: string(authority.PEM)}, nil
}

// intercept reads the CONNECT head, terminates TLS and hands the connection over.
func (b *bare) intercept(c net.Conn) {
	defer c.Close()
	in := bufio.NewReaderSize(c, 1024)
	line, err := in.ReadString('\n')
	if err != nil {
		return
	}
	for more := line; strings.TrimSpace(more) != ""; {
		if more, err = in.ReadString('\n'); err != nil {
			return
		}
	}
	authority, _, ok := strings.Cut(strings.TrimPrefix(line, "CONNECT "), " ")
	host, _, err := net.SplitHostPort(authority)
	if !ok || err != nil || b.to[host] == "" {
		_, _ = io.WriteString(c, "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n") // the connection is given up either way
		return
	}
	if _, err := io.WriteString(c, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		return
	}
	secured := tls.Server(c, b.tls)
	if secured.Handshake() == nil {
		b.carry(b, secured, host)
	}
}

// onFasthttp is fasthttp's server and client with streamed bodies.
func (b *bare) onFasthttp() {
	b.clients = map[string]*fasthttp.HostClient{}
	for host, addr := range b.to {
		b.clients[host] = &fasthttp.HostClient{Addr: addr, IsTLS: true, MaxConns: 4096, StreamResponseBody: true, ReadBufferSize: 4 << 10,
			NoDefaultUserAgentHeader: true, DisablePathNormalizing: true,
			TLSConfig: &tls.Config{ServerName: host, RootCAs: b.roots, ClientSessionCache: tls.NewLRUClientSessionCache(64)}}
	}
	b.server = &fasthttp.Server{StreamRequestBody: true, MaxRequestBodySize: 1 << 40, ReadBufferSize: 4 << 10, NoDefaultServerHeader: true, NoDefaultDate: true,
		Handler: func(ctx *fasthttp.RequestCtx) {
			client := b.clients[string(ctx.Host())]
			if client == nil {
				ctx.SetStatusCode(fasthttp.StatusMisdirectedRequest)
				return
			}
			if err := client.Do(&ctx.Request, &ctx.Response); err != nil {
				ctx.Error("bad gateway", fasthttp.StatusBadGateway)
			}
		}}
	b.carry = func(b *bare, conn *tls.Conn, _ string) { _ = b.server.ServeConn(conn) } // an agent that hangs up is part of the work
}

// onWire is Byline's own wire around a walk that has no steps.
func (b *bare) onWire() {
	var cfg wire.Config
	b.wire = agents.NewServer(cfg)
	b.pool = upstream.NewPool(cfg, func(ctx context.Context, network, addr string) (net.Conn, error) {
		return (&net.Dialer{Timeout: 10 * time.Second}).DialContext(ctx, network, addr)
	})
	config := &tls.Config{RootCAs: b.roots}
	targets := map[string]*upstream.Target{}
	for host, addr := range b.to {
		targets[host] = &upstream.Target{Scheme: "https", Authority: host, Addr: addr, TLS: config}
		if host == origin.HostH1 {
			targets[host].Protocol = "h1"
		}
	}
	b.carry = func(b *bare, conn *tls.Conn, host string) {
		callbacks := wire.Callbacks{Malformed: func(context.Context, *wire.Malformed) *wire.Response { return nil },
			Exchange: func(ctx context.Context, in *wire.Request) *wire.Response {
				resp, err := b.pool.RoundTrip(ctx, targets[host], in)
				if err != nil {
					return nil
				}
				return resp
			}}
		_ = b.wire.Serve(context.Background(), conn, conn.ConnectionState().NegotiatedProtocol, "https", callbacks) // likewise
	}
}
