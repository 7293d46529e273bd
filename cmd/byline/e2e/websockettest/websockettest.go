// Package websockettest opens and accepts WebSockets over HTTP/1.1 and, by
// extended CONNECT, over HTTP/2 (RFC 8441), for tests of both sides of a proxy.
// The WebSocket library underneath supports only HTTP/1.1.
package websockettest

import (
	"bufio"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/coder/websocket"
	"golang.org/x/net/http2"

	_ "github.com/byline-proxy/byline/proxy/wire/agents" // enables extended CONNECT in this process
)

// Subprotocol is the subprotocol that [Dial] offers and [Accept] chooses.
const Subprotocol = "chat"

// MaxMessage is the largest message that can be read, in bytes.
const MaxMessage = 4 << 20

// Accept accepts a WebSocket as an application does. It returns an error that
// says what is wrong if the request is not one that a proxy may send.
func Accept(w http.ResponseWriter, r *http.Request) (*websocket.Conn, error) {
	if r.ProtoMajor == 2 {
		if r.Method != http.MethodConnect || r.Header.Get(":protocol") != "websocket" || r.Header.Get("Sec-WebSocket-Key") != "" {
			return nil, fmt.Errorf("not an extended CONNECT for a WebSocket: %s %v", r.Method, r.Header)
		}
		w, r = asUpgrade(w, r)
	}
	if version := r.Header.Get("Sec-WebSocket-Version"); version != "13" {
		return nil, fmt.Errorf("Sec-WebSocket-Version is %q, want 13", version)
	}

	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		Subprotocols:       []string{Subprotocol},
		InsecureSkipVerify: true,
		CompressionMode:    websocket.CompressionContextTakeover,
	})
	if err != nil {
		return nil, err
	}
	ws.SetReadLimit(MaxMessage)
	return ws, nil
}

// Dial opens a WebSocket at url. transport sends the request: an
// [http.Transport] for an upgrade, an [ExtendedConnect] for HTTP/2.
func Dial(url string, transport http.RoundTripper, header http.Header) (*websocket.Conn, *http.Response, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()

	ws, resp, err := websocket.Dial(ctx, url, &websocket.DialOptions{
		HTTPClient:      &http.Client{Transport: transport},
		HTTPHeader:      header,
		Subprotocols:    []string{Subprotocol},
		CompressionMode: websocket.CompressionContextTakeover,
	})
	if ws != nil {
		ws.SetReadLimit(MaxMessage)
	}
	return ws, resp, err
}

// asUpgrade makes an extended CONNECT look like an upgrade of HTTP/1.1. What the
// library then writes and reads is the stream's.
func asUpgrade(w http.ResponseWriter, r *http.Request) (http.ResponseWriter, *http.Request) {
	r = r.Clone(r.Context())
	r.Method = http.MethodGet
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Upgrade", "websocket")
	r.Header.Set("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA==")
	return &streamResponseWriter{w, r}, r
}

// streamResponseWriter turns a 101 into a 200, and Hijack into the stream.
type streamResponseWriter struct {
	http.ResponseWriter
	r *http.Request
}

func (w *streamResponseWriter) WriteHeader(status int) {
	if status == http.StatusSwitchingProtocols {
		w.Header().Del("Connection")
		w.Header().Del("Upgrade")
		status = http.StatusOK
	}
	w.ResponseWriter.WriteHeader(status)
	w.ResponseWriter.(http.Flusher).Flush()
}

func (w *streamResponseWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn := &streamConn{r: w.r.Body, w: w.ResponseWriter}
	return conn, bufio.NewReadWriter(bufio.NewReader(conn), bufio.NewWriter(conn)), nil
}

// streamConn is a stream as a connection. It ignores deadlines.
type streamConn struct {
	net.Conn
	r io.ReadCloser
	w io.Writer
}

func (c *streamConn) Read(p []byte) (int, error)  { return c.r.Read(p) }
func (c *streamConn) Close() error                { return c.r.Close() }
func (c *streamConn) SetDeadline(time.Time) error { return nil }

func (c *streamConn) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	if f, ok := c.w.(http.Flusher); ok {
		f.Flush()
	}
	return n, err
}

// ExtendedConnect is a transport that sends the library's upgrade as an
// extended CONNECT.
type ExtendedConnect struct {
	Dial func() net.Conn // returns a connection for HTTP/2, after the handshake
}

// RoundTrip returns a 200 to the CONNECT as the 101 that the library expects.
func (t ExtendedConnect) RoundTrip(r *http.Request) (*http.Response, error) {
	cc, err := (&http2.Transport{}).NewClientConn(t.Dial())
	if err != nil {
		return nil, err
	}

	key := r.Header.Get("Sec-WebSocket-Key")
	body, up := io.Pipe()
	r = r.Clone(context.WithoutCancel(r.Context())) // the library's context ends with the handshake
	for _, name := range []string{"Connection", "Upgrade", "Sec-WebSocket-Key"} {
		r.Header.Del(name)
	}
	r.Method = http.MethodConnect
	r.Body = body
	r.ContentLength = -1
	r.Header[":protocol"] = []string{"websocket"}

	resp, err := cc.RoundTrip(r)
	if err != nil || resp.StatusCode != http.StatusOK {
		return resp, err
	}
	if resp.Header.Get("Sec-WebSocket-Accept") != "" {
		return nil, errors.New("the answer to an extended CONNECT has a Sec-WebSocket-Accept")
	}

	resp.StatusCode = http.StatusSwitchingProtocols
	resp.Header.Set("Connection", "Upgrade")
	resp.Header.Set("Upgrade", "websocket")
	resp.Header.Set("Sec-WebSocket-Accept", AcceptKey(key))
	resp.Body = &streamBody{Reader: resp.Body, Writer: up, closers: []io.Closer{up, resp.Body}}
	return resp, nil
}

// AcceptKey returns the Sec-WebSocket-Accept for a Sec-WebSocket-Key (RFC 6455,
// Section 4.2.2).
func AcceptKey(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// streamBody is both directions of a stream as the body of a 101.
type streamBody struct {
	io.Reader
	io.Writer
	closers []io.Closer
}

// Close closes both directions. It returns the error of the last.
func (b *streamBody) Close() error {
	var err error
	for _, c := range b.closers {
		err = c.Close()
	}
	return err
}
