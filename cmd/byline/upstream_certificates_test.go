package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/byline-proxy/byline/configs"
	"github.com/byline-proxy/byline/proxy/admin"
)

// authority is a private one, as an intranet has.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Acme intranet"}, NotBefore: time.Now().AddDate(-1, 0, 0),
		NotAfter: time.Now().AddDate(1, 0, 0), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	must(t, err)
	cert, err := x509.ParseCertificate(der)
	must(t, err)
	return &authority{cert, key}
}

func (a *authority) pem() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw}))
}

// signs is a certificate for name that ends at end; a nil a signs itself.
func (a *authority) signs(t *testing.T, name string, end time.Time) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	c := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, NotBefore: time.Now().AddDate(0, -1, 0), NotAfter: end}
	by := &authority{c, key}
	if a != nil {
		by = a
	}
	der, err := x509.CreateCertificate(rand.Reader, c, by.cert, key.Public(), by.key)
	must(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// TestUpstreamCertificatesAreVerifiedInEveryCase puts applications with good
// and bad certificates behind a real server. None but the good ones sees a
// request, and with it the account's password.
func TestUpstreamCertificatesAreVerifiedInEveryCase(t *testing.T) {
	h, cfg := serving(t)
	acme, other, next := newAuthority(t), newAuthority(t), time.Now().AddDate(0, 1, 0)
	cases := []struct {
		name string // of the adapter, and of the host below acme.example
		cert tls.Certificate
		ca   *authority // that the adapter names; nil: the system's are asked
		max  uint16     // version of TLS
		code string
	}{
		{"good", acme.signs(t, "good.acme.example", next), acme, 0, ""},
		{"good12", acme.signs(t, "good12.acme.example", next), acme, tls.VersionTLS12, ""},
		{"old11", acme.signs(t, "old11.acme.example", next), acme, tls.VersionTLS11, "upstream_tls"},
		{"selfsigned", (*authority)(nil).signs(t, "selfsigned.acme.example", next), nil, 0, "upstream_tls"},
		{"selfsigned2", (*authority)(nil).signs(t, "selfsigned2.acme.example", next), acme, 0, "upstream_tls"},
		{"unnamed", acme.signs(t, "unnamed.acme.example", next), nil, 0, "upstream_tls"},
		{"anothers", other.signs(t, "anothers.acme.example", next), acme, 0, "upstream_tls"},
		{"misnamed", acme.signs(t, "elsewhere.acme.example", next), acme, 0, "upstream_tls"},
		{"expired", acme.signs(t, "expired.acme.example", time.Now().Add(-time.Minute)), acme, 0, "upstream_tls"},
	}
	seen := make(chan string, len(cases))
	allow := []string{"task", "create", "--json", "--agent", "agent/test", "--sponsor", "alice", "--purpose", "INC-1"}
	for _, c := range cases {
		app := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen <- r.Host }))
		app.TLS = &tls.Config{Certificates: []tls.Certificate{c.cert}, MinVersion: tls.VersionTLS10, MaxVersion: c.max}
		app.Config.ErrorLog = log.New(io.Discard, "", 0)
		app.StartTLS()
		t.Cleanup(app.Close)
		ca := ""
		if c.ca != nil {
			h.write(t, c.name+".pem", c.ca.pem())
			ca = fmt.Sprintf(", ca: %q", h.Path(c.name+".pem"))
		}
		h.write(t, "adapters.d/"+c.name+".yaml", fmt.Sprintf(basicAdapter, c.name, app.URL, ca))
		if out, err := h.Run(t.Context(), "username=agent-01\npassword=canary\n", "vault", "put", c.name+"/agent-01"); err != nil {
			t.Fatal(err, out)
		}
		allow = append(allow, "--allow", c.name+":page.read")
	}
	h.reload(t, "INF reloaded")
	out, err := h.Run(t.Context(), "", allow...)
	must(t, err)
	var task admin.Task
	fromJSON(t, out, &task)
	agent := h.agent(t, cfg, &task)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			res, err := agent.Get("https://" + c.name + ".acme.example/page")
			must(t, err)
			defer res.Body.Close()
			var p struct{ Code, Detail string }
			if c.code != "" {
				must(t, json.NewDecoder(res.Body).Decode(&p))
			}
			if p.Code != c.code {
				t.Errorf("got %d %q %s, want %q", res.StatusCode, p.Code, p.Detail, c.code)
			}
			select {
			case host := <-seen:
				if c.code != "" {
					t.Errorf("the request reached %s", host)
				}
			default:
				if c.code == "" {
					t.Error("the request did not reach the application")
				}
			}
		})
	}
}

const basicAdapter = `name: %[1]s
interim: {reason: test, owner: secops@acme.example, review_by: 2099-12-31}
hosts: [%[1]s.acme.example]
upstream: {url: "%[2]s"%[3]s}
login: {kind: basic}
actions: [{name: page.read, match: {method: GET, path: /page}, resource: page}]
`

// agent is an HTTP client in a task of the server.
func (h *installation) agent(t *testing.T, cfg *configs.Config, task *admin.Task) *http.Client {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(h.read(t, "data/certs/root.crt")))
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots},
		Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: cfg.Listen, User: url.UserPassword(task.ID, task.Token)})}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: time.Minute}
}

// TestPrivateAddressesAreNotDialled takes leave to dial loopback away, where
// Tickets listens: it must not even see a connection.
func TestPrivateAddressesAreNotDialled(t *testing.T) {
	h, cfg := servingAfter(t, replacing("byline.yaml", "allow: [127.0.0.0/8]", "allow: []"))
	h.App.TakeLog()
	id, token := h.task(t)
	res, err := h.agent(t, cfg, &admin.Task{ID: id, Token: token}).Get("https://tickets.acme.example/tickets/7")
	must(t, err)
	defer res.Body.Close()
	var p struct{ Code, Detail string }
	must(t, json.NewDecoder(res.Body).Decode(&p))
	if p.Code != "upstream_unreachable" && p.Code != "login_failed" || !strings.Contains(p.Detail, "guard.allow") {
		t.Errorf("got %d %s: %s", res.StatusCode, p.Code, p.Detail)
	}
	if log := h.App.TakeLog(); len(log) > 0 {
		t.Errorf("the application saw %q", log)
	}
}
