// Package websockettest opens and accepts WebSockets over HTTP/1.1 and, by extended
// CONNECT, over HTTP/2 (RFC 8441), with a library that knows the former alone. It
// is for tests of either side of a proxy.
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

	_ "github.com/byline-proxy/byline/proxy/wire/agents" // turns on extended CONNECT in this process
)

// Subprotocol is the one that [Accept] speaks.
const Subprotocol = "chat"

// Largest is how many bytes a message may have.
const Largest = 4 << 20

// Accept is an application's side of a WebSocket, over either protocol. It says
// what is wrong with an upgrade that a proxy must not have sent.
func Accept(w http.ResponseWriter, r *http.Request) (*websocket.Conn, error) {
	if r.ProtoMajor == 2 {
		if r.Method != http.MethodConnect || r.Header.Get(":protocol") != "websocket" || r.Header.Get("Sec-WebSocket-Key") != "" {
			return nil, fmt.Errorf("no extended CONNECT: %s %v", r.Method, r.Header)
		}
		r = r.Clone(r.Context())
		r.Method = http.MethodGet
		for k, v := range map[string]string{"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA=="} {
			r.Header.Set(k, v)
		}
		w = &overStream{w, r}
	}
	if r.Header.Get("Sec-WebSocket-Version") != "13" {
		return nil, errors.New("the version did not arrive")
	}
	c, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{Subprotocol}, InsecureSkipVerify: true, CompressionMode: websocket.CompressionContextTakeover})
	if err != nil {
		return nil, err
	}
	c.SetReadLimit(Largest)
	return c, nil
}

// Dial opens a WebSocket at url with an agent's way of carrying requests: an
// http.Transport for the upgrade, a [Connector] for the extended CONNECT.
func Dial(url string, way http.RoundTripper, h http.Header) (*websocket.Conn, *http.Response, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c, resp, err := websocket.Dial(ctx, url, &websocket.DialOptions{HTTPClient: &http.Client{Transport: way}, HTTPHeader: h,
		Subprotocols: []string{Subprotocol}, CompressionMode: websocket.CompressionContextTakeover})
	if c != nil {
		c.SetReadLimit(Largest)
	}
	return c, resp, err
}

// overStream lets a library that knows the upgrade of HTTP/1.1 accept an extended
// CONNECT: what it writes and reads is the stream's.
type overStream struct {
	http.ResponseWriter
	r *http.Request
}

func (o *overStream) WriteHeader(status int) {
	if status == http.StatusSwitchingProtocols {
		o.Header().Del("Connection")
		o.Header().Del("Upgrade")
		status = http.StatusOK
	}
	o.ResponseWriter.WriteHeader(status)
	o.ResponseWriter.(http.Flusher).Flush()
}

func (o *overStream) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c := &streamConn{r: o.r.Body, w: o.ResponseWriter}
	return c, bufio.NewReadWriter(bufio.NewReader(c), bufio.NewWriter(c)), nil
}

// streamConn is a stream in the form of a connection, without deadlines.
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

// Connector turns the upgrade of a library into an extended CONNECT.
type Connector struct {
	Secured func() net.Conn // a connection that is to carry HTTP/2
}

// RoundTrip makes the CONNECT look to the library like the 101 that it expects.
func (c Connector) RoundTrip(r *http.Request) (*http.Response, error) {
	cc, err := (&http2.Transport{}).NewClientConn(c.Secured())
	if err != nil {
		return nil, err
	}
	key := r.Header.Get("Sec-WebSocket-Key")
	r = r.Clone(context.WithoutCancel(r.Context())) // the library's ends with the handshake
	for _, name := range []string{"Connection", "Upgrade", "Sec-WebSocket-Key"} {
		r.Header.Del(name)
	}
	body, up := io.Pipe()
	r.Method, r.Body, r.ContentLength = http.MethodConnect, body, -1
	r.Header[":protocol"] = []string{"websocket"}
	resp, err := cc.RoundTrip(r)
	if err != nil || resp.StatusCode != http.StatusOK {
		return resp, err
	}
	if resp.Header.Get("Sec-WebSocket-Accept") != "" {
		return nil, errors.New("an extended CONNECT was answered with an accepted key")
	}
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	resp.StatusCode = http.StatusSwitchingProtocols
	resp.Header.Set("Connection", "Upgrade")
	resp.Header.Set("Upgrade", "websocket")
	resp.Header.Set("Sec-WebSocket-Accept", base64.StdEncoding.EncodeToString(sum[:]))
	down := resp.Body
	resp.Body = struct {
		io.ReadCloser
		io.Writer
	}{struct {
		io.Reader
		io.Closer
	}{down, closers{up, down}}, up}
	return resp, nil
}

type closers []io.Closer

func (all closers) Close() (err error) {
	for _, c := range all {
		err = c.Close()
	}
	return err
}
