package protocols

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/byline-proxy/byline/cmd/byline/e2e/testenv"
)

// origin is an application of the old kind: a login form, a cookie for those who
// filled it in, and nothing for anybody else. It may stand at several addresses,
// each of which speaks one protocol, over TLS under an authority of its own.
type origin struct {
	t      *testing.T
	house  *testenv.Env
	lent   string // what a person lent to the agent: it must not arrive
	issuer *issuer

	mu       sync.Mutex
	passing  map[string]string           // user → password
	sessions map[string]bool             // cookie
	routes   map[string]http.HandlerFunc // first element of the path → who answers
	seen     map[string]int              // path → requests that came with a session
	closed   map[string]bool             // connection, by the address it came from
}

func newOrigin(t *testing.T, h *testenv.Env, lent string) *origin {
	return &origin{t: t, house: h, lent: lent, issuer: newIssuer(t, h.Dir, "acme"), passing: map[string]string{}, sessions: map[string]bool{},
		routes: map[string]http.HandlerFunc{}, seen: map[string]int{}, closed: map[string]bool{}}
}

// listens opens an address of the origin and gives its URL. how may change the
// server before it starts; nil changes nothing.
func (o *origin) listens(protocol string, how func(*httptest.Server)) string {
	s := httptest.NewUnstartedServer(o.speaking(protocol))
	s.EnableHTTP2 = protocol == "h2"
	s.TLS = &tls.Config{Certificates: []tls.Certificate{o.issuer.leaf}}
	s.Config.ErrorLog = log.New(o, "", 0)
	s.Config.HTTP2 = &http.HTTP2Config{MaxReceiveBufferPerConnection: 1 << 26, MaxReceiveBufferPerStream: 1 << 20} // what stalls is not to be the origin
	s.Config.ConnState = func(c net.Conn, state http.ConnState) {
		if state == http.StateClosed || state == http.StateHijacked {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.closed[c.RemoteAddr().String()] = true
		}
	}
	if how != nil {
		how(s)
	}
	s.StartTLS()
	o.t.Cleanup(s.Close)
	return s.URL
}

// Write takes what the library has to say, which tests provoke.
func (o *origin) Write(line []byte) (int, error) { return len(line), nil }

func (o *origin) speaking(protocol string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(fmt.Sprint(r.Header, r.URL), o.lent) {
			o.t.Errorf("I2: a borrowed credential reached the origin: %s", r.URL.Path)
		}
		if want := map[string]int{"h1": 1, "h2": 2}[protocol]; r.ProtoMajor != want {
			o.t.Errorf("the origin is spoken to in %s, want %s", r.Proto, protocol)
		}
		if r.URL.Path == "/login" {
			o.login(w, r)
			return
		}
		answer := o.admit(r)
		if answer == nil {
			http.Redirect(w, r, "/login", http.StatusFound)
			return
		}
		answer(w, r)
	})
}

// admit finds who answers a request that has a session; nil: it has none.
func (o *origin) admit(r *http.Request) http.HandlerFunc {
	c, err := r.Cookie("sid")
	o.mu.Lock()
	defer o.mu.Unlock()
	if err != nil || !o.sessions[c.Value] {
		return nil
	}
	if r.URL.Path == "/logout" {
		delete(o.sessions, c.Value)
		return func(http.ResponseWriter, *http.Request) {}
	}
	o.seen[r.URL.Path]++
	if answer := o.routes[strings.Split(r.URL.Path, "/")[1]]; answer != nil {
		return answer
	}
	return http.NotFound
}

func (o *origin) login(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		fmt.Fprint(w, `<form method="post"><input name="user"><input name="pass" type="password"></form>`)
		return
	}
	user, pass := r.FormValue("user"), r.FormValue("pass")
	o.mu.Lock()
	defer o.mu.Unlock()
	if pass == "" || o.passing[user] != pass {
		http.Error(w, "wrong", http.StatusForbidden)
		return
	}
	sid := testenv.NewSecret()
	o.house.AddSecret("a session of "+user, sid)
	o.sessions[sid] = true
	http.SetCookie(w, &http.Cookie{Name: "sid", Value: sid, Path: "/", HttpOnly: true, Secure: true})
	http.Redirect(w, r, "/", http.StatusFound)
}

// enrol gives a user a password.
func (o *origin) enrol(user string) (password string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.passing[user] = testenv.NewSecret()
	return o.passing[user]
}

func (o *origin) hangsUp(from string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.closed[from]
}

// sessionOf is the value that must not get to an agent.
func sessionOf(r *http.Request) string {
	c, err := r.Cookie("sid")
	if err != nil {
		return ""
	}
	return c.Value
}

// masked is how a value looks to an agent.
func masked(value string) string { return strings.Repeat("*", len(value)) }

// issuer is a private authority with one certificate for all that tests name.
type issuer struct {
	file string // the authority, in PEM
	root *x509.Certificate
	key  *ecdsa.PrivateKey
	leaf tls.Certificate
}

var serial atomic.Int64

func newIssuer(t *testing.T, dir, name string) *issuer {
	t.Helper()
	i := &issuer{file: filepath.Join(dir, name+"-ca.pem")}
	i.root, i.key = i.issue(t, &x509.Certificate{Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	leaf, key := i.issue(t, &x509.Certificate{DNSNames: []string{"*.acme.test", "localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		Subject: pkix.Name{CommonName: name + " leaf"}, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}})
	i.leaf = tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key}
	writePEM(t, i.file, "CERTIFICATE", i.root.Raw)
	return i
}

// issue signs c; the first is the authority's own.
func (i *issuer) issue(t *testing.T, c *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c.SerialNumber, c.NotBefore, c.NotAfter = big.NewInt(serial.Add(1)), time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := i.root, i.key
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

// save writes the leaf for a program to show, and says where.
func (i *issuer) save(t *testing.T) (cert, key string) {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(i.leaf.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = strings.TrimSuffix(i.file, "-ca.pem")+".pem", strings.TrimSuffix(i.file, "-ca.pem")+".key"
	writePEM(t, cert, "CERTIFICATE", i.leaf.Certificate[0])
	writePEM(t, key, "PRIVATE KEY", der)
	return cert, key
}

func writePEM(t *testing.T, path, kind string, der []byte) {
	t.Helper()
	writeFile(t, path, string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})))
}
