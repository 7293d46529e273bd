package upstream

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"golang.org/x/net/proxy"

	"github.com/byline-proxy/byline/proxy/internal/durable"
	"github.com/byline-proxy/byline/proxy/wire"
	"github.com/byline-proxy/byline/proxy/wire/internal/h1"
	"github.com/byline-proxy/byline/proxy/wire/internal/netconn"
)

// ProxyConfig names a proxy between Byline and applications.
type ProxyConfig struct {
	// Proxy is http://host:port (CONNECT), https:// for the same over TLS, or
	// socks5://host:port. Default none. Its own address must be public or stand in
	// guard.allow.
	Proxy string `yaml:"proxy"`
	// ProxyAuth is a file with user:password for it, on one line, with mode 0600.
	// Default none.
	ProxyAuth string `yaml:"proxy_auth"`
	// ProxyNames lets the proxy look names up. Default false: Byline looks them up,
	// judges the addresses and asks for one of those. With true the proxy decides
	// where a name leads, so it must keep agents out of private networks itself.
	ProxyNames bool `yaml:"proxy_names"`
}

// Check returns every problem of the configuration.
func (c *ProxyConfig) Check() []error {
	if c.Proxy == "" {
		if c.ProxyAuth != "" || c.ProxyNames {
			return []error{errors.New("proxy: is missing, and proxy_auth and proxy_names go with it")}
		}
		return nil
	}
	if _, err := parseProxyURL(c.Proxy); err != nil {
		return []error{fmt.Errorf("proxy: %w", err)}
	}
	return nil
}

// parseProxyURL accepts scheme://host:port and nothing else. Credentials come from
// a file, because a URL ends up in logs and process lists.
func parseProxyURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("is not a proxy address; write it like http://proxy.acme.example:3128 or socks5://127.0.0.1:1080")
	case u.User != nil:
		return nil, errors.New("holds credentials; put user:password into a file and name it in proxy_auth")
	case u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "socks5":
		return nil, errors.New("is neither http, https nor socks5")
	}
	if u.Port() == "" {
		u.Host = net.JoinHostPort(u.Hostname(), map[string]string{"http": "80", "https": "443", "socks5": "1080"}[u.Scheme])
	}
	return u, nil
}

// Proxy reaches applications through a proxy. The guard holds all the same: the
// Dialer dials the proxy itself, and unless the proxy looks names up, it is asked
// only for addresses that the Dialer would have dialed. A Proxy is safe for
// concurrent use.
type Proxy struct {
	dialer *Dialer
	proxy  *url.URL
	auth   *proxy.Auth // nil without credentials
	names  bool
	roots  *x509.CertPool // for https; nil: the system's
}

// NewProxy reads the credentials and returns the proxy, or nil if c names none.
func NewProxy(c ProxyConfig, d *Dialer) (*Proxy, error) {
	if c.Proxy == "" {
		return nil, nil
	}
	u, err := parseProxyURL(c.Proxy)
	if err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	p := &Proxy{dialer: d, proxy: u, names: c.ProxyNames}
	if c.ProxyAuth == "" {
		return p, nil
	}

	text, err := durable.ReadPrivate(c.ProxyAuth)
	if err != nil {
		return nil, fmt.Errorf("proxy_auth: %w", err)
	}
	user, password, ok := strings.Cut(strings.TrimRight(string(text), "\r\n"), ":")
	if !ok || user == "" || strings.ContainsAny(password, "\r\n") || len(user) > 255 || len(password) > 255 {
		return nil, fmt.Errorf("proxy_auth: %s is not one line user:password", c.ProxyAuth)
	}
	p.auth = &proxy.Auth{User: user, Password: password}
	return p, nil
}

// Format prints the proxy's address without credentials under every verb.
func (p *Proxy) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(p.proxy.Redacted())) }

// Dial opens a connection to addr (host:port) through the proxy. The error is a
// *wire.Error; its stage is wire.StageProxy if the proxy is to blame.
func (p *Proxy) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	destinations, err := p.destinations(ctx, network, addr)
	if err != nil {
		return nil, err
	}

	for _, d := range destinations {
		var c net.Conn
		c, err = p.dialThrough(ctx, d)
		if err == nil {
			return c, nil
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil, err
}

// destinations returns what the proxy is asked for, in order.
func (p *Proxy) destinations(ctx context.Context, network, addr string) ([]string, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, &wire.Error{Stage: wire.StageAddress, Err: err}
	}
	if _, err := netip.ParseAddr(host); err != nil && p.names {
		return []string{addr}, nil
	}

	found, port, err := p.dialer.Resolve(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	destinations := make([]string, len(found))
	for i, a := range found {
		destinations[i] = net.JoinHostPort(a.String(), port)
	}
	return destinations, nil
}

// dialThrough opens a connection to one destination. It makes sure that an error
// has a stage.
func (p *Proxy) dialThrough(ctx context.Context, destination string) (net.Conn, error) {
	open := p.openTunnel
	if p.proxy.Scheme == "socks5" {
		open = p.openSOCKS
	}
	c, err := open(ctx, destination)
	if err == nil {
		return c, nil
	}

	var staged *wire.Error
	if errors.As(err, &staged) {
		return nil, err
	}
	return nil, &wire.Error{Stage: stageOf(ctx, err, wire.StageProxy), Err: fmt.Errorf("through %v: %w", p, err)}
}

func (p *Proxy) openSOCKS(ctx context.Context, destination string) (net.Conn, error) {
	d, err := proxy.SOCKS5("tcp", p.proxy.Host, p.auth, guardedForward{p.dialer})
	if err != nil {
		return nil, err
	}
	return d.(proxy.ContextDialer).DialContext(ctx, "tcp", destination)
}

func (p *Proxy) openTunnel(ctx context.Context, destination string) (net.Conn, error) {
	raw, err := p.dialer.Dial(ctx, "tcp", p.proxy.Host)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { netconn.Cut(raw) })

	c := raw
	if p.proxy.Scheme == "https" {
		c = tls.Client(c, &tls.Config{ServerName: p.proxy.Hostname(), MinVersion: tls.VersionTLS12, RootCAs: p.roots})
	}
	err = p.requestTunnel(ctx, c, destination)
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		netconn.Cut(c)
		return nil, err
	}
	return c, nil
}

// requestTunnel sends a CONNECT and reads its answer (RFC 9110 section 9.3.6).
func (p *Proxy) requestTunnel(ctx context.Context, c net.Conn, destination string) error {
	head := "CONNECT " + destination + " HTTP/1.1\r\nHost: " + destination + "\r\n"
	if p.auth != nil {
		head += "Proxy-Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(p.auth.User+":"+p.auth.Password)) + "\r\n"
	}

	deadline, bounded := ctx.Deadline()
	if bounded {
		_ = c.SetDeadline(deadline)
	}
	if _, err := c.Write([]byte(head + "\r\n")); err != nil {
		return err
	}
	src := h1.Reader{Conn: c}
	raw, err := src.ReadHead(16<<10, 0, max(time.Until(deadline), time.Second))
	if err != nil {
		return err
	}

	var m h1.ResponseHead
	if bad := h1.ParseResponseHead(string(raw), &m, 100); bad != nil {
		return bad
	}
	if m.Status < 200 || m.Status > 299 {
		return fmt.Errorf("the proxy refused the tunnel with status %d", m.Status)
	}
	if len(src.Buffered()) > 0 {
		return errors.New("the proxy sent bytes that nobody asked for")
	}
	return c.SetDeadline(time.Time{})
}

// guardedForward is the Dialer in the form that the SOCKS library takes.
type guardedForward struct{ d *Dialer }

func (g guardedForward) Dial(network, addr string) (net.Conn, error) {
	return g.d.Dial(context.Background(), network, addr)
}

func (g guardedForward) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	return g.d.Dial(ctx, network, addr)
}
