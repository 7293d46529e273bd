package peer

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/byline-proxy/byline/bench/origin"
	"github.com/byline-proxy/byline/proxy/wire"
	"github.com/byline-proxy/byline/proxy/wire/agents"
	"github.com/byline-proxy/byline/proxy/wire/upstream"
)

// interceptor is a proxy that intercepts, and changes, decides and records
// nothing: it shows what HTTP in the middle costs on one implementation. It is as
// cheap as possible: all tunnels share one tls.Config, and leaves are made at the
// start.
type interceptor struct {
	hosts hostTable
	roots *x509.CertPool // for connections to the origin
	tls   *tls.Config    // for connections of agents
	// serve serves the requests of an agent on conn, which are for host.
	serve func(conn *tls.Conn, host string)
}

// serveInterceptor starts an interceptor: on fasthttp, or on Byline's own wire.
func serveInterceptor(hosts hostTable, trustFile, kind string) (Ready, error) {
	authority, err := origin.NewAuthority("bench " + kind)
	if err != nil {
		return Ready{}, err
	}
	leaf, err := authority.Leaf(origin.HostH1, origin.HostH2)
	if err != nil {
		return Ready{}, err
	}
	pem, err := os.ReadFile(trustFile)
	if err != nil {
		return Ready{}, fmt.Errorf("%s: %w", kind, err)
	}
	i := &interceptor{hosts: hosts, roots: x509.NewCertPool()}
	i.roots.AppendCertsFromPEM(pem)
	i.tls = &tls.Config{Certificates: []tls.Certificate{leaf}, NextProtos: []string{"http/1.1"}}
	if kind == Fasthttp {
		i.useFasthttp()
	} else {
		i.tls.NextProtos = []string{"h2", "http/1.1"}
		i.useWire()
	}

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return Ready{}, fmt.Errorf("%s: %w", kind, err)
	}
	go func() { // ends with the process
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go i.intercept(conn)
		}
	}()
	return Ready{Addr: l.Addr().String(), Roots: string(authority.PEM)}, nil
}

// intercept answers the CONNECT request, terminates TLS and serves the requests.
func (i *interceptor) intercept(conn net.Conn) {
	defer conn.Close()
	authority, err := readConnect(conn)
	if err != nil {
		return
	}
	host, _, err := net.SplitHostPort(authority)
	if err != nil || i.hosts[host] == "" {
		_, _ = io.WriteString(conn, "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n") // the connection ends either way
		return
	}
	if _, err := io.WriteString(conn, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		return
	}
	secured := tls.Server(conn, i.tls)
	if secured.Handshake() == nil {
		i.serve(secured, host)
	}
}

// useFasthttp serves with fasthttp's server and client, both with streamed bodies.
func (i *interceptor) useFasthttp() {
	clients := map[string]*fasthttp.HostClient{}
	for host, addr := range i.hosts {
		clients[host] = &fasthttp.HostClient{
			Addr:                     addr,
			IsTLS:                    true,
			MaxConns:                 4096,
			StreamResponseBody:       true,
			ReadBufferSize:           4 << 10,
			NoDefaultUserAgentHeader: true,
			DisablePathNormalizing:   true,
			TLSConfig:                &tls.Config{ServerName: host, RootCAs: i.roots, ClientSessionCache: tls.NewLRUClientSessionCache(64)},
		}
	}

	server := &fasthttp.Server{
		StreamRequestBody:     true,
		MaxRequestBodySize:    1 << 40,
		ReadBufferSize:        4 << 10,
		NoDefaultServerHeader: true,
		NoDefaultDate:         true,
		Handler: func(ctx *fasthttp.RequestCtx) {
			client := clients[string(ctx.Host())]
			if client == nil {
				ctx.SetStatusCode(fasthttp.StatusMisdirectedRequest)
				return
			}
			if err := client.Do(&ctx.Request, &ctx.Response); err != nil {
				ctx.Error("bad gateway", fasthttp.StatusBadGateway)
			}
		},
	}

	i.serve = func(conn *tls.Conn, _ string) {
		_ = server.ServeConn(conn) // agents that close connections are part of the load
	}
}

// useWire serves with Byline's own wire, and forwards each request as it is.
func (i *interceptor) useWire() {
	var config wire.Config
	server := agents.NewServer(config)
	pool := upstream.NewPool(config, func(ctx context.Context, network, addr string) (net.Conn, error) {
		return (&net.Dialer{Timeout: 10 * time.Second}).DialContext(ctx, network, addr)
	})
	tlsConfig := &tls.Config{RootCAs: i.roots}
	targets := map[string]*upstream.Target{}
	for host, addr := range i.hosts {
		targets[host] = &upstream.Target{Scheme: "https", Authority: host, Addr: addr, TLS: tlsConfig}
		if host == origin.HostH1 {
			targets[host].Protocol = "h1"
		}
	}

	i.serve = func(conn *tls.Conn, host string) {
		callbacks := wire.Callbacks{
			Malformed: func(context.Context, *wire.Malformed) *wire.Response { return nil },
			Exchange: func(ctx context.Context, in *wire.Request) *wire.Response {
				resp, err := pool.RoundTrip(ctx, targets[host], in)
				if err != nil {
					return nil
				}
				return resp
			},
		}
		// As with fasthttp, an error only means that the agent closed the connection.
		_ = server.Serve(context.Background(), conn, conn.ConnectionState().NegotiatedProtocol, "https", callbacks)
	}
}
