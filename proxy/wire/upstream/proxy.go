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
	"os"
	"strings"
	"time"

	"golang.org/x/net/proxy"

	"github.com/byline-proxy/byline/proxy/wire"
	"github.com/byline-proxy/byline/proxy/wire/internal/h1"
	"github.com/byline-proxy/byline/proxy/wire/internal/netconn"
)

// ProxyConfig names a proxy between Byline and the SaaS.
type ProxyConfig struct {
	// Proxy is http://host:port (CONNECT), https:// for the same over TLS, or
	// socks5://host:port. Default none. Its own address must be public or stand in
	// guard.allow.
	Proxy string `yaml:"proxy"`
	// ProxyAuth is a file with user:password for it, on one line. Default none.
	ProxyAuth string `yaml:"proxy_auth"`
	// ProxyNames lets the proxy look names up. Default false: Byline looks them up,
	// judges the addresses and asks for one of those. With true the proxy decides
	// where a name leads, so it must keep agents out of private networks itself.
	ProxyNames bool `yaml:"proxy_names"`
}

// Check lists every problem.
func (c *ProxyConfig) Check() []error {
	if c.Proxy == "" {
		if c.ProxyAuth != "" || c.ProxyNames {
			return []error{errors.New("proxy: is missing, and proxy_auth and proxy_names go with it")}
		}
		return nil
	}
	if _, err := parseProxy(c.Proxy); err != nil {
		return []error{fmt.Errorf("proxy: %w", err)}
	}
	return nil
}

// parseProxy takes scheme://host:port and nothing else: credentials come from a
// file, for a URL ends up in logs and process lists.
func parseProxy(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("is no address of a proxy; write it like http://proxy.acme.example:3128 or socks5://127.0.0.1:1080")
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

// Proxy reaches the SaaS through a proxy. The guard holds all the same: the proxy
// itself is dialled by the Dialer, and unless names are left to it, it is only
// asked for addresses that the Dialer would have dialled. It is safe for
// concurrent use.
type Proxy struct {
	dialer *Dialer
	proxy  *url.URL
	auth   *proxy.Auth // nil without credentials
	names  bool
	roots  *x509.CertPool // for https; nil: what the system trusts
}

// NewProxy reads the credentials; nil when c names no proxy.
func NewProxy(c ProxyConfig, d *Dialer) (*Proxy, error) {
	if c.Proxy == "" {
		return nil, nil
	}
	u, err := parseProxy(c.Proxy)
	if err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	v := &Proxy{dialer: d, proxy: u, names: c.ProxyNames}
	if c.ProxyAuth == "" {
		return v, nil
	}
	text, err := os.ReadFile(c.ProxyAuth)
	if err != nil {
		return nil, fmt.Errorf("proxy_auth: %w", err)
	}
	user, password, ok := strings.Cut(strings.TrimRight(string(text), "\r\n"), ":")
	if !ok || user == "" || strings.ContainsAny(password, "\r\n") || len(user) > 255 || len(password) > 255 {
		return nil, fmt.Errorf("proxy_auth: %s is not one line user:password", c.ProxyAuth)
	}
	v.auth = &proxy.Auth{User: user, Password: password}
	return v, nil
}

// Format prints the proxy without its credentials, whatever the verb.
func (v *Proxy) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(v.proxy.Redacted())) }

// Dial opens a connection to addr (host:port) through the proxy. The error is an
// *Error; its stage is proxy if the proxy is to blame.
func (v *Proxy) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	goals, err := v.goals(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	for _, goal := range goals {
		var conn net.Conn
		if conn, err = v.reach(ctx, goal); err == nil {
			return conn, nil
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil, err
}

// goals are what the proxy is asked for, one after the other.
func (v *Proxy) goals(ctx context.Context, network, addr string) ([]string, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, &wire.Error{Stage: wire.StageAddress, Err: err}
	}
	if _, err := netip.ParseAddr(host); err != nil && v.names {
		return []string{addr}, nil
	}
	found, port, err := v.dialer.Resolve(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	goals := make([]string, len(found))
	for i, a := range found {
		goals[i] = net.JoinHostPort(a.String(), port)
	}
	return goals, nil
}

func (v *Proxy) reach(ctx context.Context, goal string) (net.Conn, error) {
	conn, err := v.open(ctx, goal)
	var own *wire.Error
	if err != nil && !errors.As(err, &own) {
		err = &wire.Error{Stage: stageOf(ctx, err, wire.StageProxy), Err: fmt.Errorf("through %v: %w", v, err)}
	}
	return conn, err
}

func (v *Proxy) open(ctx context.Context, goal string) (net.Conn, error) {
	if v.proxy.Scheme == "socks5" {
		d, err := proxy.SOCKS5("tcp", v.proxy.Host, v.auth, guardedForward{v.dialer})
		if err != nil {
			return nil, err
		}
		return d.(proxy.ContextDialer).DialContext(ctx, "tcp", goal)
	}
	raw, err := v.dialer.Dial(ctx, "tcp", v.proxy.Host)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { netconn.Cut(raw) })
	conn := raw
	if v.proxy.Scheme == "https" {
		conn = tls.Client(conn, &tls.Config{ServerName: v.proxy.Hostname(), MinVersion: tls.VersionTLS12, RootCAs: v.roots})
	}
	if err = v.connect(ctx, conn, goal); !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		netconn.Cut(conn)
		return nil, err
	}
	return conn, nil
}

// connect asks for a tunnel (RFC 9110 section 9.3.6).
func (v *Proxy) connect(ctx context.Context, conn net.Conn, goal string) error {
	head := "CONNECT " + goal + " HTTP/1.1\r\nHost: " + goal + "\r\n"
	if v.auth != nil {
		head += "Proxy-Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(v.auth.User+":"+v.auth.Password)) + "\r\n"
	}
	deadline, bounded := ctx.Deadline()
	if bounded {
		_ = conn.SetDeadline(deadline)
	}
	if _, err := conn.Write([]byte(head + "\r\n")); err != nil {
		return err
	}
	src := h1.Reader{Conn: conn}
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
	return conn.SetDeadline(time.Time{})
}

// guardedForward is the Dialer as the SOCKS library takes it.
type guardedForward struct{ d *Dialer }

func (g guardedForward) Dial(network, addr string) (net.Conn, error) {
	return g.d.Dial(context.Background(), network, addr)
}

func (g guardedForward) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	return g.d.Dial(ctx, network, addr)
}
