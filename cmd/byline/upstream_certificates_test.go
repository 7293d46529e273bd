package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// authority is a private certificate authority, as an intranet has.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "Acme intranet"},
		NotBefore:             time.Now().AddDate(-1, 0, 0),
		NotAfter:              time.Now().AddDate(1, 0, 0),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	cert, err := x509.ParseCertificate(der)
	must(t, err)
	return &authority{cert, key}
}

func (a *authority) pem() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw}))
}

// sign returns a certificate for name that is valid until end. That of a nil authority is
// self-signed.
func (a *authority) sign(t *testing.T, name string, end time.Time) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2),
		Subject:      pkix.Name{CommonName: name},
		DNSNames:     []string{name},
		NotBefore:    time.Now().AddDate(0, -1, 0),
		NotAfter:     end,
	}
	issuer := &authority{template, key}
	if a != nil {
		issuer = a
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer.cert, key.Public(), issuer.key)
	must(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

const basicAdapter = `name: %[1]s
interim: {reason: test, owner: secops@acme.example, review_by: 2099-12-31}
hosts: [%[1]s.acme.example]
upstream: {url: "%[2]s"%[3]s}
login: {kind: basic}
actions: [{name: page.read, match: {method: GET, path: /page}, resource: page}]
`

// TestUpstreamCertificatesAreVerifiedInEveryCase puts applications with good and bad
// certificates behind a real server. Only the good ones receive a request, and with it the
// account's password.
func TestUpstreamCertificatesAreVerifiedInEveryCase(t *testing.T) {
	h, cfg := serve(t)
	acme, other, next := newAuthority(t), newAuthority(t), time.Now().AddDate(0, 1, 0)
	var nobody *authority
	cases := []struct {
		name       string // of the adapter, and of the host below acme.example
		cert       tls.Certificate
		ca         *authority // named by the adapter; nil: the system's authorities apply
		maxVersion uint16     // of TLS; 0: the newest
		code       string     // of the refusal; "": the request is sent
	}{
		{"good", acme.sign(t, "good.acme.example", next), acme, 0, ""},
		{"good12", acme.sign(t, "good12.acme.example", next), acme, tls.VersionTLS12, ""},
		{"old11", acme.sign(t, "old11.acme.example", next), acme, tls.VersionTLS11, "upstream_tls"},
		{"selfsigned", nobody.sign(t, "selfsigned.acme.example", next), nil, 0, "upstream_tls"},
		{"selfsigned2", nobody.sign(t, "selfsigned2.acme.example", next), acme, 0, "upstream_tls"},
		{"unnamed", acme.sign(t, "unnamed.acme.example", next), nil, 0, "upstream_tls"},
		{"otherca", other.sign(t, "otherca.acme.example", next), acme, 0, "upstream_tls"},
		{"misnamed", acme.sign(t, "elsewhere.acme.example", next), acme, 0, "upstream_tls"},
		{"expired", acme.sign(t, "expired.acme.example", time.Now().Add(-time.Minute)), acme, 0, "upstream_tls"},
	}

	seen := make(chan string, len(cases))
	var allow []string
	for _, c := range cases {
		app := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen <- r.Host }))
		app.TLS = &tls.Config{Certificates: []tls.Certificate{c.cert}, MinVersion: tls.VersionTLS10, MaxVersion: c.maxVersion}
		app.Config.ErrorLog = log.New(io.Discard, "", 0)
		app.StartTLS()
		t.Cleanup(app.Close)

		ca := ""
		if c.ca != nil {
			h.write(t, c.name+".pem", c.ca.pem())
			ca = fmt.Sprintf(", ca: %q", h.Path(c.name+".pem"))
		}
		h.write(t, "adapters.d/"+c.name+".yaml", fmt.Sprintf(basicAdapter, c.name, app.URL, ca))
		h.run(t, "username=agent-01\npassword=canary-of-certificates\n", "vault", "put", c.name+"/agent-01")
		allow = append(allow, c.name+":page.read")
	}
	h.reload(t, "INF reloaded")
	agent := h.agent(t, cfg, h.createTaskFor(t, allow...))

	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			res, err := agent.Get("https://" + c.name + ".acme.example/page")
			must(t, err)
			if status, code, body := readProblem(t, res); code != c.code {
				t.Errorf("the agent gets %d %q, want %q: %s", status, code, c.code, body)
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

// TestPrivateAddressesAreNotDialled forbids connections to loopback, where Tickets listens.
// Tickets must not even see a connection.
func TestPrivateAddressesAreNotDialled(t *testing.T) {
	h, cfg := serveAfter(t, replace("byline.yaml", "allow: [127.0.0.0/8]", "allow: []"))
	h.App.TakeLog()

	res, err := h.agent(t, cfg, h.createTask(t)).Get("https://tickets.acme.example/tickets/7")
	must(t, err)
	status, code, body := readProblem(t, res)
	if code != "upstream_unreachable" && code != "login_failed" || !strings.Contains(body, "guard.allow") {
		t.Errorf("the agent gets %d %s, want upstream_unreachable or login_failed with guard.allow: %s", status, code, body)
	}
	if log := h.App.TakeLog(); len(log) > 0 {
		t.Errorf("the application saw %q", log)
	}
}
