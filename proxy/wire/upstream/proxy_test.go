package upstream

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/byline-proxy/byline/proxy/wire"
)

// aProxy is an HTTP proxy, with or without TLS, or a SOCKS5 proxy, that wants credentials. asked gets what it
// was asked for; everything leads to the address to.
func aProxy(t *testing.T, kind, user, password, to string) (addr string, asked chan string) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	asked = make(chan string, 8)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}

			serve := asHTTP
			if kind == "socks5" {
				serve = asSOCKS
			}
			_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
			if kind == "https" {
				conn = tls.Server(conn, &tls.Config{Certificates: testTLS().TLS.Certificates})
			}
			if goal, ok := serve(conn, user, password); ok {
				asked <- goal
				if up, err := net.Dial("tcp", to); err == nil {
					go func() { _, _ = io.Copy(up, conn); up.Close() }()
					_, _ = io.Copy(conn, up)
				}
			}
			conn.Close()
		}
	}()

	t.Cleanup(func() { ln.Close(); <-done })
	return ln.Addr().String(), asked
}

func asHTTP(conn net.Conn, user, password string) (string, bool) {
	r, err := http.ReadRequest(bufio.NewReader(conn))
	if err != nil || r.Method != http.MethodConnect {
		return "", false
	}
	want := "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
	if user != "" && r.Header.Get("Proxy-Authorization") != want {
		fmt.Fprint(conn, "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
		return "", false
	}
	fmt.Fprint(conn, "HTTP/1.1 200 Connection established\r\n\r\n")
	return r.RequestURI, true
}

// asSOCKS is RFC 1928 with the user name and password of RFC 1929.
func asSOCKS(conn net.Conn, user, password string) (string, bool) {
	read := func(n int) []byte {
		b := make([]byte, n)
		_, _ = io.ReadFull(conn, b)
		return b
	}

	methods := read(int(read(2)[1]))
	if user != "" {
		if !strings.Contains(string(methods), "\x02") {
			conn.Write([]byte{5, 0xff})
			return "", false
		}
		conn.Write([]byte{5, 2})
		u := string(read(int(read(2)[1])))
		p := string(read(int(read(1)[0])))
		if u != user || p != password {
			conn.Write([]byte{1, 1})
			return "", false
		}
		conn.Write([]byte{1, 0})
	} else {
		conn.Write([]byte{5, 0})
	}

	host := ""
	switch read(4)[3] {
	case 1:
		host = net.IP(read(4)).String()
	case 3:
		host = string(read(int(read(1)[0])))
	case 4:
		host = net.IP(read(16)).String()
	}
	port := read(2)
	conn.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
	return net.JoinHostPort(host, fmt.Sprint(int(port[0])<<8|int(port[1]))), true
}

// trusted are the authorities of the tests' certificates.
func trusted() *x509.CertPool {
	return testTLS().Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
}

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

func TestTheGuardHoldsBehindAProxy(t *testing.T) {
	echo, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			conn, err := echo.Accept()
			if err != nil {
				return
			}
			_, _ = io.Copy(conn, conn)
			conn.Close()
		}
	}()
	t.Cleanup(func() { echo.Close() })

	const secret = "canary-proxy-password"
	auth := t.TempDir() + "/auth"
	if err := os.WriteFile(auth, []byte("byline:"+secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}

	for _, kind := range []string{"http", "https", "socks5"} {
		for _, c := range []struct {
			name, addr  string
			names       bool
			password    string
			asked       string
			stage, says string
		}{
			{"a name is looked up here", "saas.example:443", false, secret, "192.0.43.7:443", "", ""},
			{"IPv6", "six.example:443", false, secret, "[2a00::7]:443", "", ""},
			{"a literal", "192.0.43.9:8443", false, secret, "192.0.43.9:8443", "", ""},
			{"a name is left to the proxy", "saas.example:443", true, secret, "saas.example:443", "", ""},
			{"a literal is judged even then", "10.0.0.1:443", true, secret, "", "address", "no address that may be dialled"},
			{"what may not be dialled is not asked for", "inside.example:443", false, secret, "", "address", "no address that may be dialled"},
			{"other credentials", "saas.example:443", false, "another", "", "proxy", "through " + kind + "://127.0.0.1:"},
		} {
			t.Run(kind+"/"+c.name, func(t *testing.T) {
				addr, asked := aProxy(t, kind, "byline", c.password, echo.Addr().String())
				d := &Dialer{Allow: loopback, Resolver: names{"saas.example": {"10.0.0.1", "192.0.43.7"}, "inside.example": {"10.0.0.1"}, "six.example": {"2a00::7"}}}
				via, err := NewProxy(ProxyConfig{Proxy: kind + "://" + addr, ProxyAuth: auth, ProxyNames: c.names}, d)
				if err != nil {
					t.Fatal(err)
				}
				via.roots = trusted()

				ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
				defer cancel()
				conn, err := via.Dial(ctx, "tcp", c.addr)
				if c.stage != "" {
					var e *wire.Error
					if !errors.As(err, &e) || string(e.Stage) != c.stage || !strings.Contains(err.Error(), c.says) {
						t.Errorf("%v, want stage %s and %q", err, c.stage, c.says)
					}
					if text := fmt.Sprintf("%v %+v %#v %s", err, via, via, via); strings.Contains(text, secret) {
						t.Errorf("the password is in %s", text)
					}
					if len(asked) > 0 {
						t.Errorf("the proxy was asked for %s", <-asked)
					}
					return
				}

				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				if got := <-asked; got != c.asked {
					t.Errorf("the proxy was asked for %s, want %s", got, c.asked)
				}
				b := make([]byte, 4)
				fmt.Fprint(conn, "ping")
				if _, err := io.ReadFull(conn, b); err != nil || string(b) != "ping" {
					t.Errorf("%q %v", b, err)
				}
			})
		}
	}

	d := &Dialer{} // loopback is not allowed
	via, err := NewProxy(ProxyConfig{Proxy: "http://127.0.0.1:9"}, d)
	if err != nil {
		t.Fatal(err)
	}
	var e *wire.Error
	if _, err := via.Dial(context.Background(), "tcp", "192.0.43.7:443"); !errors.As(err, &e) || e.Stage != "address" {
		t.Errorf("a proxy at an address that may not be dialled: %v", err)
	}
}

func TestAProxyIsNamedWithoutCredentials(t *testing.T) {
	for proxy, want := range map[string]string{
		"": "", "http://proxy.example": "", "socks5://127.0.0.1:1080": "", "https://[2a00::1]:3128/": "",
		"http://user:canary@proxy.example": "holds credentials", "ftp://proxy.example": "neither http", "proxy.example:3128": "not a proxy address",
		"http://proxy.example/path": "not a proxy address", "http://": "not a proxy address",
	} {
		c := ProxyConfig{Proxy: proxy}
		problems := c.Check()
		if (len(problems) > 0) != (want != "") || want != "" && !strings.Contains(problems[0].Error(), want) || strings.Contains(fmt.Sprint(problems), "canary") {
			t.Errorf("%q: %v, want %q", proxy, problems, want)
		}
	}
}

// TestAProxyOverTLSIsVerified: credentials go to nobody whose certificate the
// system does not trust, or that is for another name.
func TestAProxyOverTLSIsVerified(t *testing.T) {
	auth := t.TempDir() + "/auth"
	if err := os.WriteFile(auth, []byte("byline:canary-proxy-password\n"), 0o600); err != nil {
		t.Fatal(err)
	}

	for _, c := range []struct {
		name, host string
		roots      *x509.CertPool
		fine       bool
	}{
		{"trusted", "127.0.0.1", trusted(), true},
		{"of an authority that nobody trusts", "127.0.0.1", x509.NewCertPool(), false},
		{"for another name", "127.0.0.2", trusted(), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			addr, asked := aProxy(t, "https", "byline", "canary-proxy-password", "127.0.0.1:9")
			_, port, _ := net.SplitHostPort(addr)
			d := &Dialer{Connect: func(ctx context.Context, network, _ string) (net.Conn, error) { return plain(ctx, network, addr) }, Allow: loopback}
			via, err := NewProxy(ProxyConfig{Proxy: "https://" + net.JoinHostPort(c.host, port), ProxyAuth: auth}, d)
			if err != nil {
				t.Fatal(err)
			}
			via.roots = c.roots

			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			conn, err := via.Dial(ctx, "tcp", "192.0.43.9:443")

			var e *wire.Error
			switch {
			case c.fine && err != nil:
				t.Error(err)
			case !c.fine && (!errors.As(err, &e) || e.Stage != "proxy" || !strings.Contains(err.Error(), "certificate")):
				t.Errorf("%v", err)
			case !c.fine && len(asked) > 0:
				t.Errorf("it was asked for %s", <-asked)
			}
			if conn != nil {
				conn.Close()
			}
		})
	}
}

// TestProxyCredentialsArePrivate checks that a file that others could have read is not
// used, and that the error says what to do and not what the file holds.
func TestProxyCredentialsArePrivate(t *testing.T) {
	auth := t.TempDir() + "/auth"
	if err := os.WriteFile(auth, []byte("byline:canary-proxy-password\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for mode, ok := range map[os.FileMode]bool{0o600: true, 0o400: true, 0o640: false, 0o604: false, 0o644: false} {
		if err := os.Chmod(auth, mode); err != nil {
			t.Fatal(err)
		}
		_, err := NewProxy(ProxyConfig{Proxy: "http://127.0.0.1:3128", ProxyAuth: auth}, nil)
		switch {
		case ok && err != nil:
			t.Errorf("a file of mode %04o was refused: %v", mode, err)
		case !ok && err == nil:
			t.Errorf("a file of mode %04o was read, want an error", mode)
		case !ok && (!strings.Contains(err.Error(), "chmod 600 "+auth) || strings.Contains(err.Error(), "canary")):
			t.Errorf("a file of mode %04o: %v; want the remedy without the password", mode, err)
		}
	}
}
