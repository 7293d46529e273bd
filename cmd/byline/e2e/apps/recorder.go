package apps

import (
	"bytes"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"time"
)

const keptBody = 1 << 20

// Seen is one request as it reached the application.
type Seen struct {
	Time   time.Time
	Method string
	URI    string // path and query, as sent
	Host   string
	Header http.Header
	Body   []byte // its first MiB
	Status int    // 0 while there is no answer

	Aborted bool // whoever asked went away before the answer had ended
}

// Contains says whether the request carries text, unencoded, anywhere.
func (s Seen) Contains(text string) bool {
	var all bytes.Buffer
	all.WriteString(s.Method + " " + s.URI + "\n" + s.Host + "\n")
	s.Header.Write(&all)
	all.Write(s.Body)
	return bytes.Contains(all.Bytes(), []byte(text))
}

// recorder is a reverse proxy that keeps what passes.
type recorder struct {
	url, upstream string
	server        *http.Server

	mu       sync.Mutex // guards what follows
	seen     []*Seen
	sessions map[string]string // value of each cookie that the application ever set → its name
	slow     func(*http.Request) time.Duration
	look     func([]Seen) // at what is about to be forgotten
}

func record(upstream string, public *url.URL) (*recorder, error) {
	to, err := url.Parse(upstream)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &recorder{url: "http://" + l.Addr().String(), upstream: upstream, sessions: map[string]string{}}
	transport := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 32}
	proxy := &httputil.ReverseProxy{
		Transport: transport,
		ErrorLog:  log.New(io.Discard, "", 0),
		Rewrite: func(p *httputil.ProxyRequest) {
			p.Out.URL.Scheme, p.Out.URL.Host = to.Scheme, to.Host
			p.Out.Host = p.In.Host
			p.Out.Header.Set("X-Forwarded-Proto", public.Scheme)
		},
		ModifyResponse: r.noteCookies,
	}
	r.server = &http.Server{Handler: r.keep(proxy), ErrorLog: log.New(io.Discard, "", 0)}
	r.server.RegisterOnShutdown(transport.CloseIdleConnections)
	go r.server.Serve(l)
	return r, nil
}

func (r *recorder) keep(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		s := &Seen{Time: time.Now(), Method: q.Method, URI: q.RequestURI, Host: q.Host, Header: q.Header.Clone()}
		r.mu.Lock()
		r.seen = append(r.seen, s)
		r.mu.Unlock()
		q.Body = &tee{ReadCloser: q.Body, r: r, s: s}
		a := &answer{ResponseWriter: w, r: r, s: s}
		if slow := r.pace(); slow != nil {
			a.pause = slow(q)
		}
		defer func() {
			if q.Context().Err() != nil {
				r.mu.Lock()
				defer r.mu.Unlock()
				s.Aborted = true
			}
		}()
		next.ServeHTTP(a, q)
	})
}

func (r *recorder) pace() func(*http.Request) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.slow
}

// noteCookies keeps what the application set, also after forget.
func (r *recorder) noteCookies(a *http.Response) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range a.Cookies() {
		r.sessions[c.Value] = c.Name
	}
	return nil
}

func (r *recorder) cookies() (out []*http.Cookie) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for value, name := range r.sessions {
		out = append(out, &http.Cookie{Name: name, Value: value})
	}
	return out
}

func (r *recorder) all() []Seen {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]Seen, len(r.seen))
	for i, s := range r.seen {
		out[i] = *s
		out[i].Body = bytes.Clone(s.Body)
	}
	return out
}

func (r *recorder) forget() {
	all := r.all()
	r.mu.Lock()
	look := r.look
	r.seen = nil
	r.mu.Unlock()
	if look != nil {
		look(all)
	}
}

func (r *recorder) close() { r.server.Close() }

// tee keeps the beginning of a request's body while it passes.
type tee struct {
	io.ReadCloser
	r *recorder
	s *Seen
}

func (t *tee) Read(b []byte) (int, error) {
	n, err := t.ReadCloser.Read(b)
	t.r.mu.Lock()
	defer t.r.mu.Unlock()
	t.s.Body = append(t.s.Body, b[:min(n, keptBody-len(t.s.Body))]...)
	return n, err
}

// answer notes the status. With a pause it lets the body through in pieces
// of 512 bytes.
type answer struct {
	http.ResponseWriter
	r     *recorder
	s     *Seen
	pause time.Duration
}

func (a *answer) Write(b []byte) (n int, err error) {
	for a.pause > 0 && len(b) > 0 && err == nil {
		var m int
		m, err = a.ResponseWriter.Write(b[:min(len(b), 512)])
		n, b = n+m, b[m:]
		if err == nil {
			err = http.NewResponseController(a.ResponseWriter).Flush()
		}
		time.Sleep(a.pause)
	}
	if a.pause > 0 {
		return n, err
	}
	return a.ResponseWriter.Write(b)
}

func (a *answer) WriteHeader(status int) {
	a.r.mu.Lock()
	a.s.Status = status
	a.r.mu.Unlock()
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
