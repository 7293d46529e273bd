// Command bulktransfer is both ends of very large bodies: an application that
// serves them, and an agent that moves them through a proxy. It is a program so
// that it runs without the race detector, which tests use and which would
// inspect every byte.
//
// It reads JSON values from standard input and prints a JSON value for each:
// first an [Application], answered by [Addresses], then any number of [Transfer]
// values, each answered by a [Result]. It exits at the end of its input.
package main

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
)

// Application configures the application.
type Application struct {
	Cert, Key      string // PEM files
	User, Password string // for the login form
}

// Addresses are the addresses of the application, one for each protocol.
type Addresses struct{ H1, H2 string }

// Transfer describes the transfer of one body.
type Transfer struct {
	Proxy    string // URL with the task's credentials
	Roots    string // PEM file of the authorities that the agent trusts
	URL      string
	Borrowed string // Cookie header that must not arrive
	HTTP2    bool   // the agent speaks HTTP/2
	Up       bool   // the agent sends the body
	Type     string // media type of the body
	Size     int64  // in bytes
}

// Result is the result of a Transfer.
type Result struct {
	Bytes int64  // that arrived at the other end
	Error string // empty if the body was complete
}

func main() {
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)

	var a Application
	if err := in.Decode(&a); err != nil {
		log.Fatal(err)
	}
	addresses, err := a.start()
	if err != nil {
		log.Fatal(err)
	}
	if err := out.Encode(addresses); err != nil {
		return
	}

	for {
		var t Transfer
		if err := in.Decode(&t); err != nil {
			return
		}
		var result Result
		result.Bytes, err = t.run()
		if err != nil {
			result.Error = err.Error()
		}
		if err := out.Encode(result); err != nil {
			return
		}
	}
}

// start starts the application at two addresses, until the process ends.
func (a *Application) start() (Addresses, error) {
	certificate, err := tls.LoadX509KeyPair(a.Cert, a.Key)
	if err != nil {
		return Addresses{}, err
	}

	session := rand.Text()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /login", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("user") != a.User || r.FormValue("pass") != a.Password {
			http.Error(w, "wrong", http.StatusForbidden)
			return
		}
		http.SetCookie(w, &http.Cookie{Name: "sid", Value: session, Path: "/", Secure: true})
		http.Redirect(w, r, "/", http.StatusFound)
	})
	mux.HandleFunc("/{path...}", func(w http.ResponseWriter, r *http.Request) {
		if c, err := r.Cookie("sid"); err != nil || c.Value != session {
			http.Redirect(w, r, "/login", http.StatusFound)
			return
		}
		if r.Method == http.MethodPost {
			receiveBody(w, r)
		} else {
			sendBody(w, r)
		}
	})

	var addresses Addresses
	for _, s := range []struct {
		addr  *string
		http2 bool
	}{{&addresses.H1, false}, {&addresses.H2, true}} {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return Addresses{}, err
		}
		*s.addr = ln.Addr().String()
		server := &http.Server{
			Handler:   mux,
			TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}},
			Protocols: onlyProtocol(s.http2),
			HTTP2:     largeFrames,
			ErrorLog:  log.New(io.Discard, "", 0),
		}
		go server.ServeTLS(ln, "", "")
	}
	return addresses, nil
}

// largeFrames makes HTTP/2 fast at both ends, which are not what is measured.
var largeFrames = &http.HTTP2Config{
	MaxReadFrameSize:              256 << 10,
	MaxReceiveBufferPerConnection: 8 << 20,
	MaxReceiveBufferPerStream:     4 << 20,
}

func onlyProtocol(http2 bool) *http.Protocols {
	var p http.Protocols
	p.SetHTTP1(!http2)
	p.SetHTTP2(http2)
	return &p
}

// receiveBody reads the request's body and answers with its size.
func receiveBody(w http.ResponseWriter, r *http.Request) {
	if n, err := countBytes(r.Body); err == nil {
		fmt.Fprint(w, n)
	}
}

// sendBody answers with n bytes of a media type, both from the query. A text has
// no Content-Length.
func sendBody(w http.ResponseWriter, r *http.Request) {
	n, _ := strconv.ParseInt(r.URL.Query().Get("n"), 10, 64)
	mediaType := r.URL.Query().Get("type")
	w.Header().Set("Content-Type", mediaType)
	if mediaType != "text/plain" {
		w.Header().Set("Content-Length", fmt.Sprint(n))
	}
	for piece := make([]byte, 256<<10); n > 0; n -= int64(len(piece)) {
		piece = piece[:min(n, int64(len(piece)))]
		if _, err := w.Write(piece); err != nil {
			return
		}
	}
}

// run moves the body over a new connection and returns how many bytes arrived.
func (t *Transfer) run() (int64, error) {
	proxy, err := url.Parse(t.Proxy)
	if err != nil {
		return 0, err
	}
	pem, err := os.ReadFile(t.Roots)
	if err != nil {
		return 0, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	transport := &http.Transport{
		Proxy:              http.ProxyURL(proxy),
		TLSClientConfig:    &tls.Config{RootCAs: roots},
		Protocols:          onlyProtocol(t.HTTP2),
		HTTP2:              largeFrames,
		DisableCompression: true,
		WriteBufferSize:    64 << 10,
		ReadBufferSize:     64 << 10,
	}
	defer transport.CloseIdleConnections()

	req, err := t.newRequest()
	if err != nil {
		return 0, err
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return 0, errors.New(resp.Status)
	}

	if !t.Up {
		return countBytes(resp.Body)
	}
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(string(text), 10, 64)
}

func (t *Transfer) newRequest() (*http.Request, error) {
	method, target, body := http.MethodGet, fmt.Sprintf("%s?n=%d&type=%s", t.URL, t.Size, url.QueryEscape(t.Type)), io.Reader(nil)
	if t.Up {
		method, target, body = http.MethodPost, t.URL, io.LimitReader(zeros{}, t.Size)
	}
	req, err := http.NewRequest(method, target, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Cookie", t.Borrowed)
	if t.Up {
		req.Header.Set("Content-Type", t.Type)
	}
	return req, nil
}

// zeros is an endless body.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// countBytes reads r to its end with large reads.
func countBytes(r io.Reader) (int64, error) {
	var total int64
	for buf := make([]byte, 256<<10); ; {
		n, err := r.Read(buf)
		total += int64(n)
		if errors.Is(err, io.EOF) {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}
