package protocols

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/coder/websocket"
)

// TestUpstreamProxies configures an HTTP proxy for all adapters. Some adapters
// name another, or none.
func TestUpstreamProxies(t *testing.T) {
	m := newMatrix(t, "")
	trusted, untrusted := newAuthority(t, m.Dir, "proxies"), newAuthority(t, m.Dir, "strangers")
	m.ServerEnv = append(m.ServerEnv, "SSL_CERT_FILE="+trusted.file)
	proxies := map[string]*proxyServer{
		"http":      startHTTPProxy(t, nil),
		"https":     startHTTPProxy(t, &trusted.leaf),
		"socks5":    startSOCKSProxy(t),
		"untrusted": startHTTPProxy(t, &untrusted.leaf),
		"closed":    startHTTPProxy(t, nil),
	}
	withCredentials := func(name string) string {
		return fmt.Sprintf("proxy: %q, proxy_auth: %s", proxies[name].url, proxies[name].writeCredentials(t, m, name))
	}
	m.Configure("upstream: {" + withCredentials("http") + "}")

	targets := map[string]string{} // adapter → host:port of the origin
	for name, upstream := range map[string]string{
		"default":   "",
		"direct":    "proxy: direct",
		"https":     withCredentials("https"),
		"socks5":    withCredentials("socks5"),
		"untrusted": withCredentials("untrusted"),
		"closed":    fmt.Sprintf("proxy: %q", proxies["closed"].url),
	} {
		for _, p := range protocols {
			url := m.origin.listen(p, nil)
			targets[name+"-"+p] = strings.TrimPrefix(url, "https://")
			m.addAdapter(name+"-"+p, p, url, m.trustOrigin()+", "+upstream, 1)
		}
	}
	m.start()

	target := func(c *cell) string { return targets[strings.TrimSuffix(c.host, ".acme.test")] }
	testThrough := func(name string) func(*cell) {
		return func(c *cell) {
			c.checkCarriesAll()
			if proxies[name].tunnelsTo(target(c)) == 0 {
				c.t.Errorf("the proxy %s was not asked for a tunnel to %s", name, target(c))
			}
		}
	}
	m.run(
		matrixTest{name: "the default, over HTTP", adapter: "default-", run: testThrough("http")},
		matrixTest{name: "the adapter's, over HTTPS", adapter: "https-", run: testThrough("https")},
		matrixTest{name: "the adapter's, over SOCKS5", adapter: "socks5-", run: testThrough("socks5")},
		matrixTest{name: "none despite the default", adapter: "direct-", run: func(c *cell) {
			c.checkCarriesAll()
			if n := proxies["http"].tunnelsTo(target(c)); n > 0 {
				c.t.Errorf("the default proxy was asked for %d tunnels, want none", n)
			}
		}},
		matrixTest{name: "one with an untrusted certificate", adapter: "untrusted-", run: func(c *cell) {
			c.exchange("GET", "/page").WantRefusal(c.t, "upstream_unreachable")
			p := proxies["untrusted"]
			if p.tunnelsTo(target(c)) > 0 || p.unauthorizedRequests() > 0 {
				c.t.Errorf("the untrusted proxy received a request: %d with and %d without the password, want none", p.tunnelsTo(target(c)), p.unauthorizedRequests())
			}
		}},
		matrixTest{name: "one that demands a password that is not configured", adapter: "closed-", run: func(c *cell) {
			c.exchange("GET", "/page").WantRefusal(c.t, "upstream_unreachable")
			if proxies["closed"].unauthorizedRequests() == 0 {
				c.t.Error("the proxy received no request, want one without a password")
			}
		}},
	)
}

// checkCarriesAll sends a body both ways, and a message both ways over a
// WebSocket.
func (c *cell) checkCarriesAll() {
	c.t.Helper()

	const size = 3 << 20
	c.handle(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "application/octet-stream")
		_, _ = w.Write(body)
	})
	resp := c.sendAs(c.agent.WithoutTranscript(), c.newRequest("POST", "/body", io.LimitReader(zeros{new(atomic.Int64)}, size)))
	if n, err := io.Copy(io.Discard, resp.Body); n != size || err != nil {
		c.t.Errorf("sent %d bytes, got %d back, error %v", size, n, err)
	}

	c.handleWebSocket(func(ctx context.Context, ws *websocket.Conn, _ string) {
		if kind, message, err := ws.Read(ctx); err == nil {
			_ = ws.Write(ctx, kind, message)
			_ = ws.Close(websocket.StatusNormalClosure, "")
		}
	})
	ws, _ := c.mustDialWebSocket("/socket")
	if err := ws.Write(timeoutContext(c.t), websocket.MessageText, []byte("hello")); err != nil {
		c.t.Error(err)
	}
	if _, message, err := ws.Read(timeoutContext(c.t)); string(message) != "hello" || err != nil {
		c.t.Errorf("sent \"hello\" over a WebSocket, got %q back, error %v", message, err)
	}
	_, _, _ = ws.Read(timeoutContext(c.t)) // the close
}
