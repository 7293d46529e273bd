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

// maxRecordedBody is how many bytes of a request's body are recorded.
const maxRecordedBody = 1 << 20

// Request is one request as it reached the application.
type Request struct {
	Time   time.Time
	Method string
	URI    string // path and query, as sent
	Host   string
	Header http.Header
	Body   []byte // at most its first MiB
	Status int    // of the answer; 0 while there is none

	Aborted bool // the client disconnected before the answer had ended
}

// Contains reports whether text occurs anywhere in the request, unencoded.
func (r Request) Contains(text string) bool {
	var all bytes.Buffer
	all.WriteString(r.Method + " " + r.URI + "\n" + r.Host + "\n")
	r.Header.Write(&all)
	all.Write(r.Body)
	return bytes.Contains(all.Bytes(), []byte(text))
}

// recorder is a reverse proxy that records the requests that it forwards.
type recorder struct {
	url, upstream string
	server        *http.Server

	mu       sync.Mutex // guards the fields below
	requests []*Request
	cookies  map[string]string // value → name of every cookie that the application set
	pause    func(*http.Request) time.Duration
	onForget func([]Request)
}

// startRecorder starts a recorder on a free loopback port.
func startRecorder(upstream string, public *url.URL) (*recorder, error) {
	target, err := url.Parse(upstream)
	if err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}

	discard := log.New(io.Discard, "", 0)
	r := &recorder{url: "http://" + ln.Addr().String(), upstream: upstream, cookies: map[string]string{}}
	transport := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 32}
	proxy := &httputil.ReverseProxy{
		Transport: transport,
		ErrorLog:  discard,
		Rewrite: func(p *httputil.ProxyRequest) {
			p.Out.URL.Scheme = target.Scheme
			p.Out.URL.Host = target.Host
			p.Out.Host = p.In.Host
			p.Out.Header.Set("X-Forwarded-Proto", public.Scheme)
		},
		ModifyResponse: r.recordCookies,
	}

	r.server = &http.Server{Handler: r.recordRequests(proxy), ErrorLog: discard}
	r.server.RegisterOnShutdown(transport.CloseIdleConnections)
	go r.server.Serve(ln)
	return r, nil
}

func (r *recorder) close() { r.server.Close() }

func (r *recorder) recordRequests(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, in *http.Request) {
		rec := &Request{Time: time.Now(), Method: in.Method, URI: in.RequestURI, Host: in.Host, Header: in.Header.Clone()}
		r.mu.Lock()
		r.requests = append(r.requests, rec)
		pause := r.pause
		r.mu.Unlock()

		in.Body = &recordedBody{ReadCloser: in.Body, recorder: r, request: rec}
		out := &recordedResponse{ResponseWriter: w, recorder: r, request: rec}
		if pause != nil {
			out.pause = pause(in)
		}

		defer func() {
			if in.Context().Err() != nil {
				r.mu.Lock()
				defer r.mu.Unlock()
				rec.Aborted = true
			}
		}()
		next.ServeHTTP(out, in)
	})
}

// recordCookies records the cookies of an answer.
func (r *recorder) recordCookies(resp *http.Response) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range resp.Cookies() {
		r.cookies[c.Value] = c.Name
	}
	return nil
}

func (r *recorder) cookiesSet() []*http.Cookie {
	r.mu.Lock()
	defer r.mu.Unlock()
	var cookies []*http.Cookie
	for value, name := range r.cookies {
		cookies = append(cookies, &http.Cookie{Name: name, Value: value})
	}
	return cookies
}

func (r *recorder) recordedRequests() []Request {
	r.mu.Lock()
	defer r.mu.Unlock()
	requests := make([]Request, len(r.requests))
	for i, rec := range r.requests {
		requests[i] = *rec
		requests[i].Body = bytes.Clone(rec.Body)
	}
	return requests
}

func (r *recorder) forgetRequests() {
	requests := r.recordedRequests()

	r.mu.Lock()
	onForget := r.onForget
	r.requests = nil
	r.mu.Unlock()

	if onForget != nil {
		onForget(requests)
	}
}

// recordedBody records the beginning of a request's body as it is read.
type recordedBody struct {
	io.ReadCloser
	recorder *recorder
	request  *Request
}

func (b *recordedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)

	b.recorder.mu.Lock()
	defer b.recorder.mu.Unlock()
	room := maxRecordedBody - len(b.request.Body)
	b.request.Body = append(b.request.Body, p[:min(n, room)]...)
	return n, err
}

// recordedResponse records the status of an answer. If pause is positive it
// sends the body in pieces of 512 bytes with a pause after each.
type recordedResponse struct {
	http.ResponseWriter
	recorder *recorder
	request  *Request
	pause    time.Duration
}

func (w *recordedResponse) Write(p []byte) (n int, err error) {
	if w.pause <= 0 {
		return w.ResponseWriter.Write(p)
	}
	for len(p) > 0 && err == nil {
		var written int
		written, err = w.ResponseWriter.Write(p[:min(len(p), 512)])
		n += written
		p = p[written:]
		if err == nil {
			err = http.NewResponseController(w.ResponseWriter).Flush()
		}
		time.Sleep(w.pause)
	}
	return n, err
}

func (w *recordedResponse) WriteHeader(status int) {
	w.recorder.mu.Lock()
	w.request.Status = status
	w.recorder.mu.Unlock()
	w.ResponseWriter.WriteHeader(status)
}

func (w *recordedResponse) Unwrap() http.ResponseWriter { return w.ResponseWriter }
