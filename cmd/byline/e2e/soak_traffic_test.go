package e2e

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"github.com/byline-proxy/byline/cmd/byline/e2e/websockettest"
)

// soakAdapter is the ledger adapter with a WebSocket that returns messages.
const soakAdapter = ledgerAdapter + `  - {name: item.watch, match: {method: GET, path: "/socket/{id}"}, resource: "item/{id}", websocket: true}
`

const (
	// soakAccounts is the number of accounts: one for each task that lives at a time,
	// and some whose last session is being ended.
	soakAccounts = 12

	soakUpload   = 2 << 20 // bytes of an upload
	soakMessages = 20      // that a WebSocket carries each way

	// soakSessionEnds is the time between ends of all sessions. Shorter ones would make
	// Byline log in less often than they happen.
	soakSessionEnds = 90 * time.Second
)

// soakTraffic counts what the agents of a soak did. Each field is counted by one kind
// of agent.
type soakTraffic struct {
	uploads, sockets, failedSockets, messages, refused, badTokens, sessionsEnded atomic.Int64
	failures                                                                     sync.Map // what failed → its error; at most one of each kind
}

func (s *soakTraffic) fail(what string, err error) { s.failures.LoadOrStore(what, err) }

// every calls do at that pace until ctx is done.
func every(ctx context.Context, pace time.Duration, do func()) {
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			do()
		}
	}
}

// runSoakTraffic sends mixed traffic at a low rate until ctx is done: requests over
// HTTP/1.1 and HTTP/2, uploads, WebSockets over both, requests that are refused, two
// tasks a second that begin and end, and sessions that the application ends.
func (e *crashEnv) runSoakTraffic(ctx context.Context, counts *soakTraffic) {
	var agents sync.WaitGroup
	defer agents.Wait()
	for _, a := range e.long {
		requests, uploads := e.forkRand(), e.forkRand()
		agents.Go(func() { every(ctx, 200*time.Millisecond, func() { a.sendRandom(requests) }) })
		agents.Go(func() { every(ctx, 4*time.Second, func() { a.upload(counts, uploads) }) })
		agents.Go(func() { every(ctx, 3*time.Second, func() { a.useSocket(ctx, counts, false) }) })
		agents.Go(func() { every(ctx, 3*time.Second, func() { a.useSocket(ctx, counts, true) }) })
	}
	a := e.long[0]
	agents.Go(func() { every(ctx, 400*time.Millisecond, func() { a.sendRefused(counts) }) })
	agents.Go(func() { every(ctx, soakSessionEnds, func() { counts.sessionsEnded.Add(int64(e.app.endSessions())) }) })

	shortTasks := e.forkRand()
	agents.Go(func() {
		every(ctx, 500*time.Millisecond, func() { e.load.runShortTask(shortTasks) })
	})
}

// runShortTask creates a task, sends a few requests and ends it.
func (l *load) runShortTask(rng *rand.Rand) {
	a := l.createTask()
	if a == nil {
		return
	}
	for range 1 + rng.IntN(3) {
		a.sendRandom(rng)
	}
	a.client.CloseIdleConnections()
	l.endTask(a.task)
}

// upload sends a large body.
func (a *loadAgent) upload(counts *soakTraffic, rng *rand.Rand) {
	marker := fmt.Sprintf("%s-%d", a.task, a.lastMarker.Add(1))
	body := strings.NewReader(strings.Repeat("z", soakUpload/2+rng.IntN(soakUpload/2)))
	resp, err := a.client.Post("https://"+ledgerHost+itemPath+marker, "text/plain", body)
	if err != nil {
		counts.fail("upload", err)
		return
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if a.keepResult(marker, resp, text, err) == http.StatusOK {
		counts.uploads.Add(1)
	}
}

// sendRefused sends requests that Byline refuses: one without an action, one to a host
// without an adapter, and one with a wrong token.
func (a *loadAgent) sendRefused(counts *soakTraffic) {
	for _, target := range []string{"https://" + ledgerHost + "/admin", "https://other.acme.test/"} {
		resp, err := a.client.Get(target)
		if err == nil {
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			if resp.StatusCode < 400 {
				counts.fail("refusal", fmt.Errorf("GET %s: status %d, want a refusal", target, resp.StatusCode))
			}
		}
		counts.refused.Add(1)
	}

	stranger := a.newAgent(a.task, "not-its-token")
	defer stranger.client.CloseIdleConnections()
	resp, err := stranger.client.Get("https://" + ledgerHost + itemPath + "1")
	if err == nil {
		resp.Body.Close()
		counts.fail("wrong token", fmt.Errorf("a request with a wrong token: status %d, want no tunnel", resp.StatusCode))
	}
	counts.badTokens.Add(1)
}

// useSocket opens a WebSocket, sends messages that come back, and closes it.
func (a *loadAgent) useSocket(ctx context.Context, counts *soakTraffic, useHTTP2 bool) {
	what := "WebSocket over HTTP/1.1"
	transport := &http.Transport{Proxy: a.client.Transport.(*http.Transport).Proxy, TLSClientConfig: &tls.Config{RootCAs: a.roots}}
	defer transport.CloseIdleConnections()
	var by http.RoundTripper = transport
	if useHTTP2 {
		what = "WebSocket over HTTP/2"
		conn, err := a.openTLS("h2")
		if err != nil {
			counts.fail(what, err)
			return
		}
		defer conn.Close()
		by = websockettest.ExtendedConnect{Dial: func() net.Conn { return conn }}
	}

	marker := fmt.Sprintf("%s-%d", a.task, a.lastMarker.Add(1))
	ws, _, err := websockettest.Dial("https://"+ledgerHost+socketPath+marker, by, nil)
	if err != nil {
		counts.failedSockets.Add(1) // right after the application ended the session
		return
	}
	defer ws.CloseNow()
	ctx, stop := context.WithTimeout(ctx, 10*time.Second)
	defer stop()
	for i := range soakMessages {
		message := fmt.Sprintf("message %d", i)
		err := ws.Write(ctx, websocket.MessageText, []byte(message))
		if err == nil {
			var text []byte
			_, text, err = ws.Read(ctx)
			if err == nil && string(text) != message {
				err = fmt.Errorf("%q came back as %q", message, text)
			}
		}
		if err != nil {
			if ctx.Err() == nil && i == 0 {
				counts.fail(what, err)
			}
			return
		}
		counts.messages.Add(1)
	}
	_ = ws.Close(websocket.StatusNormalClosure, "")
	counts.sockets.Add(1)
}

// openTLS opens a tunnel to the ledger and does the TLS handshake for that protocol.
func (a *loadAgent) openTLS(protocol string) (*tls.Conn, error) {
	proxy, err := a.client.Transport.(*http.Transport).Proxy(&http.Request{URL: &url.URL{Scheme: "https", Host: ledgerHost}})
	if err != nil {
		return nil, err
	}
	raw, err := net.DialTimeout("tcp", proxy.Host, 5*time.Second)
	if err != nil {
		return nil, err
	}

	// net/http sends the CONNECT and nothing else over a connection that it is given.
	password, _ := proxy.User.Password()
	connect := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: ledgerHost + ":443"}, Host: ledgerHost + ":443", Header: http.Header{}}
	credentials := &http.Request{Header: http.Header{}}
	credentials.SetBasicAuth(proxy.User.Username(), password)
	connect.Header.Set("Proxy-Authorization", credentials.Header.Get("Authorization"))
	if err := connect.Write(raw); err != nil {
		raw.Close()
		return nil, err
	}
	status := make([]byte, 4096)
	n, err := raw.Read(status)
	if err != nil || !strings.HasPrefix(string(status[:n]), "HTTP/1.1 200") {
		raw.Close()
		return nil, fmt.Errorf("CONNECT: %q, error %v", status[:n], err)
	}

	conn := tls.Client(raw, &tls.Config{RootCAs: a.roots, ServerName: ledgerHost, NextProtos: []string{protocol}})
	if err := conn.Handshake(); err != nil {
		raw.Close()
		return nil, err
	}
	return conn, nil
}
