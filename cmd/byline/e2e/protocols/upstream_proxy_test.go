package protocols

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/coder/websocket"
	"github.com/elazarl/goproxy"

	"github.com/byline-proxy/byline/cmd/byline/e2e/testenv"
)

// carrier is a proxy of somebody else's making, which asks for a password.
type carrier struct {
	url      string
	password string

	mu      sync.Mutex
	carried map[string]int // host:port → tunnels
	refused int            // that came without the password
}

func newCarrier() *carrier { return &carrier{password: testenv.NewSecret(), carried: map[string]int{}} }

// admit says whether a tunnel to goal may be opened.
func (p *carrier) admit(goal string, known bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !known {
		p.refused++
		return false
	}
	p.carried[goal]++
	return true
}

func (p *carrier) tunnels(goal string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.carried[goal]
}

// turnedAway counts those that came without the password.
func (p *carrier) turnedAway() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.refused
}

// overHTTP takes CONNECT, over TLS if it is given a certificate.
func overHTTP(t *testing.T, leaf *tls.Certificate) *carrier {
	p := newCarrier()
	g := goproxy.NewProxyHttpServer()
	g.Logger = silent{}
	credentials := "Basic " + base64.StdEncoding.EncodeToString([]byte("byline:"+p.password))
	g.OnRequest().HandleConnectFunc(func(goal string, ctx *goproxy.ProxyCtx) (*goproxy.ConnectAction, string) {
		if !p.admit(goal, ctx.Req.Header.Get("Proxy-Authorization") == credentials) {
			return goproxy.RejectConnect, goal
		}
		return goproxy.OkConnect, goal
	})
	s := httptest.NewUnstartedServer(g)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	if leaf == nil {
		s.Start()
	} else {
		s.TLS = &tls.Config{Certificates: []tls.Certificate{*leaf}}
		s.StartTLS()
	}
	t.Cleanup(s.Close)
	p.url = s.URL
	return p
}

type silent struct{}

func (silent) Printf(string, ...any) {}

// overSOCKS is RFC 1928 with the user name and password of RFC 1929.
func overSOCKS(t *testing.T) *carrier {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	p := newCarrier()
	p.url = "socks5://" + l.Addr().String()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go p.socks(conn)
		}
	}()
	return p
}

func (p *carrier) socks(conn net.Conn) {
	defer conn.Close()
	read := func(n int) []byte {
		b := make([]byte, n)
		_, _ = io.ReadFull(conn, b)
		return b
	}
	text := func() string { return string(read(int(read(1)[0]))) }
	read(1) // the version
	if !strings.Contains(text(), "\x02") {
		p.admit("", false)
		_, _ = conn.Write([]byte{5, 0xff})
		return
	}
	_, _ = conn.Write([]byte{5, 2})
	read(1)
	known := text() == "byline" && text() == p.password
	if !known {
		p.admit("", false)
		_, _ = conn.Write([]byte{1, 1})
		return
	}
	_, _ = conn.Write([]byte{1, 0})
	host := ""
	switch read(4)[3] {
	case 1:
		host = net.IP(read(4)).String()
	case 3:
		host = text()
	case 4:
		host = net.IP(read(16)).String()
	}
	port := read(2)
	goal := net.JoinHostPort(host, fmt.Sprint(int(port[0])<<8|int(port[1])))
	p.admit(goal, true)
	up, err := net.Dial("tcp", goal)
	if err != nil {
		return
	}
	defer up.Close()
	_, _ = conn.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
	go func() { _, _ = io.Copy(up, conn); up.Close() }()
	_, _ = io.Copy(conn, up)
}

// auth is a file with the carrier's password, which nobody may ever be shown.
func (p *carrier) auth(t *testing.T, m *matrix, name string) string {
	t.Helper()
	m.AddSecret("the password of proxy "+name, p.password)
	path := t.TempDir() + "/auth"
	writeFile(t, path, "byline:"+p.password+"\n")
	return path
}

// TestProxiesTowardsApplications: the default is an HTTP proxy, and adapters name
// another, or none.
func TestProxiesTowardsApplications(t *testing.T) {
	m := found(t, "")
	known, strange := newIssuer(t, m.Dir, "carriers"), newIssuer(t, m.Dir, "strangers")
	m.ServerEnv = append(m.ServerEnv, "SSL_CERT_FILE="+known.file) // which is what the system trusts
	carriers := map[string]*carrier{"http": overHTTP(t, nil), "https": overHTTP(t, &known.leaf), "socks5": overSOCKS(t), "forged": overHTTP(t, &strange.leaf), "closed": overHTTP(t, nil)}
	m.Configure(fmt.Sprintf("upstream: {proxy: %q, proxy_auth: %s}", carriers["http"].url, carriers["http"].auth(t, m, "http")))
	goals := map[string]string{}
	for name, upstream := range map[string]string{
		"default": "",
		"direct":  "proxy: direct",
		"https":   fmt.Sprintf("proxy: %q, proxy_auth: %s", carriers["https"].url, carriers["https"].auth(t, m, "https")),
		"socks5":  fmt.Sprintf("proxy: %q, proxy_auth: %s", carriers["socks5"].url, carriers["socks5"].auth(t, m, "socks5")),
		"forged":  fmt.Sprintf("proxy: %q, proxy_auth: %s", carriers["forged"].url, carriers["forged"].auth(t, m, "forged")),
		"closed":  fmt.Sprintf("proxy: %q", carriers["closed"].url),
	} {
		for _, to := range protocols {
			url := m.origin.listens(to, nil)
			goals[name+"-"+to] = strings.TrimPrefix(url, "https://")
			m.adapter(name+"-"+to, to, url, m.trusting()+", "+upstream, 1)
		}
	}
	m.begin()
	through := func(name string) func(*cell) {
		return func(c *cell) {
			c.crosses()
			if carriers[name].tunnels(goals[strings.TrimSuffix(c.host, ".acme.test")]) == 0 {
				c.t.Error("the proxy was not asked")
			}
		}
	}
	m.keeps(
		promise{name: "the default, over HTTP", at: "default-", test: through("http")},
		promise{name: "an adapter's own, over HTTPS", at: "https-", test: through("https")},
		promise{name: "an adapter's own, over SOCKS5", at: "socks5-", test: through("socks5")},
		promise{name: "none, in spite of the default", at: "direct-", test: func(c *cell) {
			c.crosses()
			if n := carriers["http"].tunnels(goals["direct-"+c.to]); n > 0 {
				c.t.Errorf("the proxy was asked %d times", n)
			}
		}},
		promise{name: "one whose certificate nobody vouches for", at: "forged-", test: func(c *cell) {
			c.agent.Do((c.request("GET", "/page", nil))).WantRefusal(c.t, "upstream_unreachable")
			if p := carriers["forged"]; p.tunnels(goals["forged-"+c.to]) > 0 || p.turnedAway() > 0 {
				c.t.Error("it was told where to, and by whom")
			}
		}},
		promise{name: "one that wants a password", at: "closed-", test: func(c *cell) {
			c.agent.Do((c.request("GET", "/page", nil))).WantRefusal(c.t, "upstream_unreachable")
			if carriers["closed"].turnedAway() == 0 {
				c.t.Error("it was not asked")
			}
		}},
	)
}

// crosses moves a body each way, and a message each way over a WebSocket.
func (c *cell) crosses() {
	c.t.Helper()
	c.answers(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "application/octet-stream")
		_, _ = w.Write(b)
	})
	const size = 3 << 20
	a := c.doAs(c.agent.WithoutTranscript(), c.request("POST", "/body", io.LimitReader(zeros{new(atomic.Int64)}, size)))
	if n, err := io.Copy(io.Discard, a.Body); n != size || err != nil {
		c.t.Errorf("%d bytes came back, %v", n, err)
	}
	c.accepts(func(ctx context.Context, w *websocket.Conn, _ string) {
		if kind, b, err := w.Read(ctx); err == nil {
			_ = w.Write(ctx, kind, b)
			_ = w.Close(websocket.StatusNormalClosure, "")
		}
	})
	w, _, err := c.dial("/socket")
	if err != nil {
		c.t.Fatal(err)
	}
	if err := w.Write(given(c.t), websocket.MessageText, []byte("hello")); err != nil {
		c.t.Error(err)
	}
	if _, b, err := w.Read(given(c.t)); string(b) != "hello" || err != nil {
		c.t.Errorf("%q %v", b, err)
	}
	_, _, _ = w.Read(given(c.t)) // up to the close
}

const bothFamilies = `guard: {allow: ["127.0.0.0/8", "::1/128"]}
wire: {dial_timeout: 2m}
`

// over6 puts a server on the loopback of IPv6.
func over6(t *testing.T, addr string) func(*httptest.Server) {
	return func(s *httptest.Server) {
		t.Helper()
		_ = s.Listener.Close()
		var err error
		if s.Listener, err = net.Listen("tcp", addr); err != nil {
			t.Skipf("no IPv6: %v", err)
		}
	}
}

// TestIPv6 is spoken on both sides of Byline, where the guard allows it.
func TestIPv6(t *testing.T) {
	free, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skipf("no IPv6: %v", err)
	}
	free.Close()
	m := found(t, "")
	m.Listen = free.Addr().String()
	m.Configure(bothFamilies)
	for _, to := range protocols {
		m.adapter(to, to, m.origin.listens(to, over6(t, "[::1]:0")), m.trusting(), 1)
	}
	m.begin()
	m.keeps(promise{name: "from [::1] to [::1]", test: func(c *cell) {
		c.answers(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.RemoteAddr) })
		c.agent.Do((c.request("GET", "/page", nil))).Want(c.t, 200, "[::1]:")
	}})
}

// TestAddressesAreTriedSideBySide (RFC 8305): a name has two addresses, one of
// which takes no connection, and says so only after minutes.
func TestAddressesAreTriedSideBySide(t *testing.T) {
	m := found(t, bothFamilies)
	hosts := m.Dir + "/hosts"
	writeFile(t, hosts, "127.0.0.1 localhost\n::1 both.acme.test\n127.0.0.1 both.acme.test\n")
	m.ServerPrefix = withHosts(t, hosts)
	for _, to := range protocols {
		for lives, dead := range map[string]string{"127.0.0.1": "[::1]", "[::1]": "127.0.0.1"} {
			url := m.origin.listens(to, over6(t, lives+":0"))
			port := url[strings.LastIndex(url, ":")+1:]
			deaf(t, dead+":"+port)
			name := map[string]string{"127.0.0.1": "four-", "[::1]": "six-"}[lives]
			m.adapter(name+to, to, "https://both.acme.test:"+port, m.trusting(), 1)
		}
	}
	m.begin()
	came := func(from string) func(*cell) {
		return func(c *cell) {
			c.answers(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.RemoteAddr) })
			r := c.request("GET", "/page", nil).WithContext(given(c.t))
			c.agent.Do((r)).Want(c.t, 200, from)
		}
	}
	m.keeps(
		promise{name: "only 127.0.0.1 answers", at: "four-", test: came("127.0.0.1:")},
		promise{name: "only [::1] answers", at: "six-", test: came("[::1]:")},
	)
}

// withHosts is a command that starts another with a hosts file of its own.
func withHosts(t *testing.T, hosts string) []string {
	t.Helper()
	flags := "-m"
	if os.Geteuid() != 0 {
		flags = "-rm"
	}
	before := []string{"unshare", flags, "sh", "-c", `mount --bind "$0" /etc/hosts && exec "$@"`, hosts}
	if out, err := exec.Command(before[0], append(before[1:], "true")...).CombinedOutput(); err != nil {
		t.Skipf("no mount namespace: %v: %s", err, out)
	}
	return before
}
