package proxy

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/byline-proxy/byline/adapters"
)

// newCertificate makes a certificate as appliances do: signed by itself, with a common name
// and no other name.
func newCertificate(t *testing.T, until time.Time) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "appliance"}, NotBefore: until.AddDate(-1, 0, 0), NotAfter: until}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key}
}

// startAppliance starts an application with that certificate, which counts its requests.
func startAppliance(t *testing.T, cert tls.Certificate, requests *int) *httptest.Server {
	t.Helper()
	app := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*requests++
		if r.URL.Path == "/login" {
			http.SetCookie(w, &http.Cookie{Name: "sid", Value: "the-session-of-agent-01", Path: "/"})
			http.Redirect(w, r, "/home", http.StatusFound)
		}
	}))
	app.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	app.StartTLS()
	t.Cleanup(app.Close)
	return app
}

// TestAPinnedCertificateIsAcceptedByItsFingerprintAlone: an appliance whose certificate no
// authority signed and in which no name stands is reached by the fingerprint, and by no other.
func TestAPinnedCertificateIsAcceptedByItsFingerprintAlone(t *testing.T) {
	cert := newCertificate(t, time.Now().AddDate(1, 0, 0))
	expired := newCertificate(t, time.Now().AddDate(0, 0, -1))
	fingerprint := func(c tls.Certificate) string { return fmt.Sprintf("%x", sha256.Sum256(c.Certificate[0])) }
	withColons := strings.ToUpper(strings.TrimSuffix(fmt.Sprintf("% x", sha256.Sum256(cert.Certificate[0])), " "))
	withColons = strings.ReplaceAll(withColons, " ", ":")

	for _, c := range []struct {
		name   string
		cert   tls.Certificate
		pins   string
		status int
	}{
		{"its fingerprint", cert, `"` + fingerprint(cert) + `"`, 200},
		{"as openssl prints it", cert, `"` + withColons + `"`, 200},
		{"one of two", cert, `["` + fingerprint(expired) + `", "` + fingerprint(cert) + `"]`, 200},
		{"another one", cert, `"` + fingerprint(expired) + `"`, 502},
		{"one that has expired", expired, `"` + fingerprint(expired) + `"`, 502},
		{"none", cert, "", 502},
	} {
		t.Run(c.name, func(t *testing.T) {
			requests := 0
			app := startAppliance(t, c.cert, &requests)
			upstream := fmt.Sprintf("upstream: {url: %q}", app.URL)
			if c.pins != "" {
				upstream = fmt.Sprintf("upstream: {url: %q, pin: {certificate: %s, because: test}}", app.URL, c.pins)
			}
			adapter := strings.ReplaceAll(legacyAdapter, `upstream: {url: "%s", ca: "%s"}`, upstream)
			s := startServer(t, t.TempDir(), loadRules(t, adapter), nil)
			agent, _ := s.newAgent(t, pagesSpec)

			resp, err := agent.Get("https://example.com/page/1")
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != c.status || c.status != 200 && requests > 0 {
				t.Errorf("status %d, and %d requests reached the application; want %d", resp.StatusCode, requests, c.status)
			}
		})
	}
}

// TestExceptionsAreListedWithTheirReason: an assessor reads what is allowed and why.
func TestExceptionsAreListedWithTheirReason(t *testing.T) {
	pin := strings.Repeat("ab", 32)
	adapter := strings.ReplaceAll(legacyAdapter, `upstream: {url: "%s", ca: "%s"}`, fmt.Sprintf("upstream: {pin: {certificate: %s, because: old appliance}, renegotiate: {because: IIS}}", pin))
	got := fmt.Sprint(loadRules(t, adapter).Adapters.All()[0].Exceptions())
	if want := fmt.Sprint([]adapters.Exception{{Key: "upstream.pin", Because: "old appliance"}, {Key: "upstream.renegotiate", Because: "IIS"}}); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for _, bad := range []string{"pin: {certificate: abcd, because: x}", "pin: {certificate: " + pin + "}", "pin: {because: x}", "renegotiate: {}", "pin: {certificate: [], because: x}"} {
		text := strings.ReplaceAll(legacyAdapter, `upstream: {url: "%s", ca: "%s"}`, "upstream: {"+bad+"}")
		if _, err := adapters.Load([]adapters.Source{{Name: "a.yaml", Text: []byte(text)}}); err == nil {
			t.Errorf("%s is accepted", bad)
		}
	}
}
