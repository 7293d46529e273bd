package proxy

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/byline-proxy/byline/proxy/wire/upstream"
	"github.com/elazarl/goproxy"
)

// TestSessionsOfTLSAreResumed: in an agent's next tunnel, and by us in the next
// connection to the SaaS.
func TestSessionsOfTLSAreResumed(t *testing.T) {
	var full, resumed atomic.Int64
	saas := func(w http.ResponseWriter, r *http.Request) {
		if r.TLS.DidResume {
			resumed.Add(1)
		} else {
			full.Add(1)
		}
		w.Header().Set("Connection", "close") // of h1; on h2 the library says GOAWAY
		fmt.Fprint(w, "hello")
	}
	overWires(t, saas, func(w *wires) {
		full.Store(0)
		resumed.Store(0)
		config := w.agentTLS()
		config.ClientSessionCache = tls.NewLRUClientSessionCache(4)
		for i := range 4 {
			conn := tls.Client(w.tunnel(), config)
			if err := conn.Handshake(); err != nil {
				w.t.Fatal(err)
			}
			if got, want := conn.ConnectionState().DidResume, i > 0; got != want {
				w.t.Errorf("tunnel %d resumes: %v", i, got)
			}
			if got := conn.ConnectionState().NegotiatedProtocol; got != config.NextProtos[0] {
				w.t.Errorf("ALPN chose %q", got)
			}
			_ = conn.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
			_, _ = conn.Read(make([]byte, 1)) // the ticket comes behind the handshake
			conn.Close()
		}
		for range 4 {
			if b, err := io.ReadAll(w.get("/page").Body); string(b) != "hello" || err != nil {
				w.t.Fatalf("%q %v", b, err)
			}
		}
		if resumed.Load() < 3 { // the login's own connection was the first
			w.t.Errorf("%d connections to the SaaS were resumed, %d were not", resumed.Load(), full.Load())
		}
	})
}

// issue makes a certificate for name under parent, or of its own.
func issue(t *testing.T, name string, parent *x509.Certificate, signer *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		BasicConstraintsValid: true, IsCA: parent == nil, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}}
	if parent == nil {
		parent, signer = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return made, key
}

func TestTheSaaSMayAskForOurCertificate(t *testing.T) {
	root, rootKey := issue(t, "acme clients", nil, nil)
	leaf, key := issue(t, "byline", root, rootKey)
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	writeFile(t, dir+"/c.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Raw}))
	writeFile(t, dir+"/k.pem", pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}))
	clients := x509.NewCertPool()
	clients.AddCert(root)
	demand := func(s *httptest.Server) {
		s.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients}
	}
	saas := func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.TLS.PeerCertificates[0].Subject.CommonName)
	}
	for _, to := range []string{"h1", "h2"} {
		t.Run(to, func(t *testing.T) {
			w := newWires(t, "h1", to, saas, &wiring{server: demand, upstream: fmt.Sprintf(", client_cert: %s/c.pem, client_key: %s/k.pem", dir, dir)})
			if b, err := io.ReadAll(w.get("/who").Body); string(b) != "byline" || err != nil {
				t.Errorf("%q %v", b, err)
			}
			w = newWires(t, "h1", to, saas, &wiring{server: demand})
			if resp := w.get("/who"); resp.StatusCode != http.StatusBadGateway {
				t.Errorf("without a certificate: %d", resp.StatusCode)
			}
		})
	}
}

// TestTheWayLeadsThroughAProxy of somebody else's making, which an adapter names,
// or byline.yaml for all.
func TestTheWayLeadsThroughAProxy(t *testing.T) {
	var asked atomic.Pointer[string]
	p := goproxy.NewProxyHttpServer()
	p.Logger = silentLogger{}
	credentials := "Basic " + base64.StdEncoding.EncodeToString([]byte("byline:"+canaryPassword))
	p.OnRequest().HandleConnectFunc(func(host string, ctx *goproxy.ProxyCtx) (*goproxy.ConnectAction, string) {
		if ctx.Req.Header.Get("Proxy-Authorization") != credentials {
			return goproxy.RejectConnect, host
		}
		asked.Store(&host)
		return goproxy.OkConnect, host
	})
	via := httptest.NewServer(p)
	t.Cleanup(via.Close)
	secret := t.TempDir() + "/auth"
	writeFile(t, secret, []byte("byline:"+canaryPassword+"\n"))
	saas := func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "hello") }
	byDefault := func(o *Options) { o.Via = upstream.ProxyConfig{Proxy: via.URL, ProxyAuth: secret} }
	for _, to := range []string{"h1", "h2"} {
		for _, c := range []struct {
			name string
			how  wiring
			goes bool
			code int
		}{
			{"the adapter's", wiring{upstream: fmt.Sprintf(", proxy: %q, proxy_auth: %s", via.URL, secret)}, true, 200},
			{"the default", wiring{options: byDefault}, true, 200},
			{"direct in spite of it", wiring{options: byDefault, upstream: ", proxy: direct"}, false, 200},
			{"without its password", wiring{upstream: fmt.Sprintf(", proxy: %q", via.URL)}, false, 502},
		} {
			t.Run(to+"/"+c.name, func(t *testing.T) {
				asked.Store(nil)
				w := newWires(t, "h2", to, saas, &c.how)
				resp := w.get("/page")
				b, err := io.ReadAll(resp.Body)
				if resp.StatusCode != c.code || err != nil || strings.Contains(string(b), canaryPassword) {
					t.Fatalf("%d %s %v", resp.StatusCode, b, err)
				}
				switch host := asked.Load(); {
				case c.goes != (host != nil):
					t.Errorf("the proxy was asked for %v", host)
				case c.goes && *host != w.saas.Listener.Addr().String():
					t.Errorf("the proxy was asked for %s", *host)
				}
				if strings.Contains(w.log.String(), canaryPassword) {
					t.Error("I1: the operator's log holds the proxy's password")
				}
			})
		}
	}
}

func TestASaaSMayLiveAtAnIPv6Address(t *testing.T) {
	ln, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skipf("no IPv6: %v", err)
	}
	ln.Close()
	on6 := func(s *httptest.Server) {
		_ = s.Listener.Close()
		if s.Listener, err = net.Listen("tcp", "[::1]:0"); err != nil {
			t.Fatal(err)
		}
	}
	for _, to := range []string{"h1", "h2"} {
		w := newWires(t, "h1", to, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.RemoteAddr) },
			&wiring{server: on6, options: func(o *Options) { o.Guard = append(o.Guard, netip.MustParsePrefix("::1/128")) }})
		if b, err := io.ReadAll(w.get("/").Body); !strings.HasPrefix(string(b), "[::1]:") || err != nil {
			t.Errorf("%s: %q %v", to, b, err)
		}
		w = newWires(t, "h1", to, func(http.ResponseWriter, *http.Request) { t.Error("an address was dialled that is not allowed") }, &wiring{server: on6})
		if resp := w.get("/"); resp.StatusCode != http.StatusBadGateway {
			t.Errorf("%s: %d", to, resp.StatusCode)
		}
	}
}

// TestI10ATaskHasSoManyTunnels and no more; one that was closed makes room.
func TestI10ATaskHasSoManyTunnels(t *testing.T) {
	w := newWires(t, "h1", "h1", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "hello") },
		&wiring{options: func(o *Options) { o.Wire.MaxTunnels = 3 }})
	var open []net.Conn
	for range 3 {
		open = append(open, w.tunnel())
	}
	_, err := w.agent.Get("https://example.com/page")
	if err == nil || !strings.Contains(err.Error(), "Too Many Requests") {
		t.Fatalf("the fourth: %v", err)
	}
	open[0].Close()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		resp, err := w.agent.Get("https://example.com/page")
		if err == nil {
			resp.Body.Close()
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("a closed tunnel makes no room: %v", err)
		}
	}
}
