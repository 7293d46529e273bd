package testenv

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/byline-proxy/byline/cmd/byline/e2e/apps"
)

// Agent is a program that sends requests through the proxy within one task. Its
// methods may be called concurrently. Every answer that it receives is searched
// for secrets when the test ends.
type Agent struct {
	BaseURL string         // put before a path: https://wiki.acme.test
	Cookies []*http.Cookie // lent by a person; sent with every request
	Header  http.Header    // sent with every request

	t          testing.TB
	client     *http.Client
	transcript *transcript // nil: answers are not kept
}

// NewAgent returns an agent of the task for one application. cookies are those
// that a person lent to it; no application may receive them.
func (e *Env) NewAgent(task *Task, app *apps.App, cookies []*http.Cookie) *Agent {
	e.t.Helper()
	e.AddBorrowed(cookies)

	proxy := &url.URL{Scheme: "http", Host: e.Listen, User: url.UserPassword(task.ID, task.Token)}
	a := newAgent(e.t, proxy, e.Roots(), &e.transcript)
	a.BaseURL = app.PublicURL
	a.Cookies = cookies
	e.t.Cleanup(a.client.CloseIdleConnections)
	return a
}

func newAgent(t testing.TB, proxy *url.URL, roots *x509.CertPool, tr *transcript) *Agent {
	transport := &http.Transport{
		Proxy:                 http.ProxyURL(proxy),
		TLSClientConfig:       &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		DisableCompression:    true,
		MaxIdleConnsPerHost:   64,
		ExpectContinueTimeout: timeout,
		OnProxyConnectResponse: func(_ context.Context, _ *url.URL, _ *http.Request, resp *http.Response) error {
			tr.addHead(resp)
			if resp.StatusCode == http.StatusOK {
				return nil
			}
			resp.Body = tr.keepBody(resp.Body)
			return &tunnelRefusedError{readAnswer(resp, tr)}
		},
	}

	client := &http.Client{
		Transport:     transport,
		Timeout:       timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return &Agent{t: t, transcript: tr, client: client, Header: http.Header{"User-Agent": {"triage/1.0"}}}
}

// tunnelRefusedError is the error for a CONNECT that was refused.
type tunnelRefusedError struct{ answer Answer }

func (e *tunnelRefusedError) Error() string { return "CONNECT was refused: " + e.answer.Code }

// WithHTTP2 returns the same agent with connections that speak HTTP/2.
func (a *Agent) WithHTTP2() *Agent {
	transport := a.Transport().Clone()
	transport.ForceAttemptHTTP2 = true
	a.t.Cleanup(transport.CloseIdleConnections)

	own := *a
	own.client = &http.Client{Transport: transport, Timeout: a.client.Timeout, CheckRedirect: a.client.CheckRedirect}
	return &own
}

// WithHeader returns the same agent with header in place of its Header.
func (a *Agent) WithHeader(header http.Header) *Agent {
	own := *a
	own.Header = header
	return &own
}

// WithoutTranscript returns the same agent with answers that are not kept, not
// searched for secrets, and have no timeout: for bodies of gigabytes.
func (a *Agent) WithoutTranscript() *Agent {
	client := *a.client
	client.Timeout = 0

	own := *a
	own.client = &client
	own.transcript = nil
	return &own
}

// Transport returns the transport that sends the agent's requests through the
// proxy, for libraries that need one.
func (a *Agent) Transport() *http.Transport { return a.client.Transport.(*http.Transport) }

// Get sends a GET and reads the answer to its end.
func (a *Agent) Get(path string) Answer { return a.SendForm("GET", path, nil) }

// Post sends a form and reads the answer to its end.
func (a *Agent) Post(path string, form url.Values) Answer { return a.SendForm("POST", path, form) }

// SendForm sends a form, or no body if form is nil, and reads the answer to its
// end.
func (a *Agent) SendForm(method, path string, form url.Values) Answer {
	return a.readAnswer(a.Open(context.Background(), method, path, form))
}

// SendJSON sends a JSON body and reads the answer to its end.
func (a *Agent) SendJSON(method, path, body string) Answer {
	return a.readAnswer(a.sendBody(context.Background(), method, path, "application/json", strings.NewReader(body)))
}

// Open sends a form, or no body if form is nil, and returns the answer with its
// body unread.
func (a *Agent) Open(ctx context.Context, method, path string, form url.Values) (*http.Response, error) {
	if form == nil {
		return a.sendBody(ctx, method, path, "", nil)
	}
	return a.sendBody(ctx, method, path, "application/x-www-form-urlencoded", strings.NewReader(form.Encode()))
}

func (a *Agent) sendBody(ctx context.Context, method, path, contentType string, body io.Reader) (*http.Response, error) {
	if !strings.Contains(path, "://") {
		path = a.BaseURL + path
	}
	req, err := http.NewRequestWithContext(ctx, method, path, body)
	if err != nil {
		return nil, err
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	return a.Send(req)
}

// Do sends req like [Agent.Send] and reads the answer to its end.
func (a *Agent) Do(req *http.Request) Answer { return a.readAnswer(a.Send(req)) }

// Send sends req with the agent's cookies, the fields of its Header that req
// lacks, and a Referer. It returns the answer with its body unread.
func (a *Agent) Send(req *http.Request) (*http.Response, error) {
	for name, values := range a.Header {
		if _, ok := req.Header[name]; !ok {
			req.Header[name] = values
		}
	}
	if req.Header.Get("Referer") == "" {
		req.Header.Set("Referer", a.BaseURL+"/")
	}
	for _, c := range a.Cookies {
		req.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
	}

	resp, err := a.client.Do(req)
	if err != nil {
		return nil, err
	}
	if a.transcript != nil {
		a.transcript.addHead(resp)
		resp.Body = a.transcript.keepBody(resp.Body)
	}
	return resp, nil
}

// readAnswer reads the result of Send. The answer to a refused CONNECT counts
// as an answer.
func (a *Agent) readAnswer(resp *http.Response, err error) Answer {
	if refused, ok := errors.AsType[*tunnelRefusedError](err); ok {
		return refused.answer
	}
	if err != nil {
		return Answer{Err: err}
	}
	return readAnswer(resp, a.transcript)
}
