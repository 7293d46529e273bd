// Command bulktransfer is both ends of very large bodies: an application that has them,
// and an agent that moves them through a proxy. It is a program of its own so that
// the race detector, under which tests run, does not look at every byte.
//
// It reads one JSON value a line from its standard input and answers each with one:
// first [Application], then any number of [Move]. It ends with its input.
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

// Application is what the application is to have.
type Application struct {
	Cert, Key      string // PEM files
	User, Password string // of its login form
}

// Addresses are where it then listens: one for each protocol.
type Addresses struct{ H1, H2 string }

// Move is one body.
type Move struct {
	Proxy string // with the task's credentials
	Roots string // PEM file: whom the agent trusts
	URL   string
	Lent  string // a Cookie header that must not arrive
	HTTP2 bool
	Up    bool
	Type  string // what it is said to be
	Size  int64  // bytes
}

// Moved is how that went.
type Moved struct {
	Bytes int64  // that arrived at the other end
	Error string // "" if it was whole
}

func main() {
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	var a Application
	if err := in.Decode(&a); err != nil {
		log.Fatal(err)
	}
	at, err := a.serve()
	if err != nil {
		log.Fatal(err)
	}
	for answer := any(at); out.Encode(answer) == nil; {
		var m Move
		if err := in.Decode(&m); err != nil {
			return
		}
		n, err := m.do()
		moved := Moved{Bytes: n}
		if err != nil {
			moved.Error = err.Error()
		}
		answer = moved
	}
}

// serve listens at two addresses, for as long as the process lives.
func (a *Application) serve() (at Addresses, err error) {
	pair, err := tls.LoadX509KeyPair(a.Cert, a.Key)
	if err != nil {
		return at, err
	}
	session := rand.Text()
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("user") != a.User || r.FormValue("pass") != a.Password {
			http.Error(w, "wrong", http.StatusForbidden)
			return
		}
		http.SetCookie(w, &http.Cookie{Name: "sid", Value: session, Path: "/", Secure: true})
		http.Redirect(w, r, "/", http.StatusFound)
	})
	mux.HandleFunc("GET /login", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/{path...}", func(w http.ResponseWriter, r *http.Request) {
		if c, err := r.Cookie("sid"); err != nil || c.Value != session {
			http.Redirect(w, r, "/login", http.StatusFound)
			return
		}
		body(w, r)
	})
	for _, s := range []struct {
		addr  *string
		http2 bool
	}{{&at.H1, false}, {&at.H2, true}} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return at, err
		}
		*s.addr = l.Addr().String()
		server := &http.Server{Handler: mux, TLSConfig: &tls.Config{Certificates: []tls.Certificate{pair}}, Protocols: speaking(s.http2), HTTP2: largeFrames, ErrorLog: log.New(io.Discard, "", 0)}
		go server.ServeTLS(l, "", "")
	}
	return at, nil
}

// largeFrames make HTTP/2 cheap for both ends, which are not what is looked at.
var largeFrames = &http.HTTP2Config{MaxReadFrameSize: 256 << 10, MaxReceiveBufferPerConnection: 8 << 20, MaxReceiveBufferPerStream: 4 << 20}

func speaking(http2 bool) *http.Protocols {
	var p http.Protocols
	p.SetHTTP1(!http2)
	p.SetHTTP2(http2)
	return &p
}

// body takes what it is given, and gives as many bytes as are asked for. Those of a
// text come without their length.
func body(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost {
		n, err := drain(r.Body)
		if err == nil {
			fmt.Fprint(w, n)
		}
		return
	}
	n, _ := strconv.ParseInt(r.URL.Query().Get("n"), 10, 64)
	kind := r.URL.Query().Get("type")
	w.Header().Set("Content-Type", kind)
	if kind != "text/plain" {
		w.Header().Set("Content-Length", fmt.Sprint(n))
	}
	for piece := make([]byte, 256<<10); n > 0; n -= int64(len(piece)) {
		piece = piece[:min(n, int64(len(piece)))]
		if _, err := w.Write(piece); err != nil {
			return
		}
	}
}

// do moves one body over a connection of its own.
func (m *Move) do() (int64, error) {
	proxy, err := url.Parse(m.Proxy)
	if err != nil {
		return 0, err
	}
	pem, err := os.ReadFile(m.Roots)
	if err != nil {
		return 0, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	t := &http.Transport{Proxy: http.ProxyURL(proxy), TLSClientConfig: &tls.Config{RootCAs: roots}, Protocols: speaking(m.HTTP2), HTTP2: largeFrames,
		DisableCompression: true, WriteBufferSize: 64 << 10, ReadBufferSize: 64 << 10}
	defer t.CloseIdleConnections()
	r, err := m.request()
	if err != nil {
		return 0, err
	}
	a, err := t.RoundTrip(r)
	if err != nil {
		return 0, err
	}
	defer a.Body.Close()
	if a.StatusCode != http.StatusOK {
		return 0, errors.New(a.Status)
	}
	if !m.Up {
		return drain(a.Body)
	}
	text, err := io.ReadAll(a.Body)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(string(text), 10, 64)
}

func (m *Move) request() (*http.Request, error) {
	method, target, body := http.MethodGet, fmt.Sprintf("%s?n=%d&type=%s", m.URL, m.Size, url.QueryEscape(m.Type)), io.Reader(nil)
	if m.Up {
		method, target, body = http.MethodPost, m.URL, io.LimitReader(zeros{}, m.Size)
	}
	r, err := http.NewRequest(method, target, body)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Cookie", m.Lent)
	if m.Up {
		r.Header.Set("Content-Type", m.Type)
	}
	return r, nil
}

// zeros is a body without an end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// drain reads to the end, with as few calls as it can.
func drain(r io.Reader) (n int64, err error) {
	for piece := make([]byte, 256<<10); ; {
		got, err := r.Read(piece)
		n += int64(got)
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}
