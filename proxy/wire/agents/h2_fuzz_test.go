package agents

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/byline-proxy/byline/proxy/wire"
	"github.com/byline-proxy/byline/proxy/wire/internal/h1"
	"github.com/byline-proxy/byline/proxy/wire/internal/netconn"
)

// FuzzH2Head shows that a request is judged and read alike in HTTP/2 and in HTTP/1.1,
// as far as both can express it.
func FuzzH2Head(f *testing.F) {
	f.Add("GET", "/a?b", "a.example", "X-Name", "value", int64(0))
	f.Add("POST", "/a%2fb", "a.example:8443", "Content-Type", "text/plain", int64(3))
	f.Add("GET", "/", "u@a", "Cookie", "a=b", int64(0))
	f.Add("OPTIONS", "*", "a", "x_y", "\xff", int64(-1))
	f.Add("GET", "/#", "a", "Transfer_Encoding", "chunked", int64(0))
	f.Add("GET", "/", "a", "Te", "trailers", int64(0))
	f.Fuzz(func(t *testing.T, method, target, host, name, value string, length int64) {
		if length < -1 || method == http.MethodConnect || strings.Contains(name, ":") ||
			strings.ContainsAny(name+value+target+host+method, "\r\n") {
			return // HTTP/1.1 cannot express it
		}
		switch h1.RoleOf(name) {
		case h1.RoleEndToEnd, h1.RoleContentType, h1.RoleHTTP2Settings:
		default:
			return // the two protocols have different rules
		}
		value, host = strings.Trim(value, " \t"), strings.Trim(host, " \t")

		fields := []hpack.HeaderField{
			{Name: ":method", Value: method},
			{Name: ":scheme", Value: "https"},
			{Name: ":authority", Value: host},
			{Name: ":path", Value: target},
			{Name: strings.ToLower(name), Value: value},
		}
		raw := method + " " + target + " HTTP/1.1\r\nHost: " + host + "\r\n" + name + ": " + value + "\r\n"
		if length > 0 {
			digits := strconv.FormatInt(length, 10)
			fields = append(fields, hpack.HeaderField{Name: "content-length", Value: digits})
			raw += "Content-Length: " + digits + "\r\n"
		} else if length < 0 {
			raw += "Transfer-Encoding: chunked\r\n"
		}

		two := newH2Head(fields, length != 0)
		var one h1.RequestHead
		bad := h1.ParseRequestHead(raw+"\r\n", &one, 0, 10)
		if (bad == nil) != (two.malformed == nil) {
			t.Fatalf("HTTP/1.1: %v\nHTTP/2: %v\n%q", bad, two.malformed, raw)
		}
		if bad == nil {
			compareHeads(t, &one.Head, &two.Head)
		}
	})
}

// compareHeads compares two heads with one field.
func compareHeads(t *testing.T, one, two *wire.Head) {
	t.Helper()
	same := one.Method == two.Method && one.Path == two.Path && one.Query == two.Query && one.HasQuery == two.HasQuery &&
		one.Authority == two.Authority && one.Length == two.Length && len(one.Fields) == 1 && len(two.Fields) == 1
	if !same || one.Fields[0].Value != two.Fields[0].Value || !strings.EqualFold(one.Fields[0].Name, two.Fields[0].Name) {
		t.Fatalf("HTTP/1.1 %+v\nHTTP/2 %+v", one, two)
	}
}

// FuzzH2Fields shows that the stream is answered or reset whatever fields an agent
// sends. What reaches the exchange was sent, and can be sent on in one unambiguous
// form.
func FuzzH2Fields(f *testing.F) {
	f.Add("GET", "/", "a", "cookie", "a=b", "te", "trailers", []byte(nil))
	f.Add("POST", "/x?y", "a:443", "content-length", "3", "x-a", "\xff", []byte("abc"))
	f.Add("POST", "/x", "a", "transfer-encoding", "chunked", "host", "b", []byte("0\r\n\r\n"))
	f.Add("CONNECT", "/", "a", ":protocol", "websocket", ":path", "/b", []byte("x"))
	f.Add("GET / HTTP/1.1\r\nX: y", "/ HTTP/1.1", "a/b", "a\r\nb", "c\r\nd", "A", "", []byte("x"))
	server := NewServer(wire.Config{})
	var client *h2Client
	f.Cleanup(func() {
		if client != nil {
			client.conn.Close()
		}
	})
	f.Fuzz(func(t *testing.T, method, path, authority, name1, value1, name2, value2 string, data []byte) {
		fields := [][2]string{
			{":method", method}, {":scheme", "https"}, {":authority", authority}, {":path", path},
			{name1, value1}, {name2, value2},
		}
		size := 0
		for _, field := range fields {
			size += len(field[0]) + len(field[1])
		}
		if size > 8<<10 || len(data) > 4<<10 {
			return
		}
		if client == nil || client.ended || client.nextStream > 1<<20 {
			if client != nil {
				client.conn.Close()
			}
			client = newH2Client(server)
		}

		in, err := client.request(fields, data)
		if err != nil {
			t.Fatal(err)
		}
		if in == nil {
			return
		}
		checkCanBeSentOn(t, in)
		for _, got := range in.Fields {
			wasSent := slices.ContainsFunc(fields[4:], func(sent [2]string) bool {
				sameValue := sent[1] == got.Value || got.Name == "Cookie" && strings.Contains(got.Value, sent[1])
				return strings.EqualFold(sent[0], got.Name) && sameValue
			})
			if !wasSent {
				t.Fatalf("the exchange got %q, which was not sent: %q", got, fields)
			}
		}
	})
}

// h2Client sends frames over a pipe, one stream at a time.
type h2Client struct {
	conn       net.Conn
	framer     *http2.Framer
	encoder    *hpack.Encoder
	block      bytes.Buffer // what encoder has written
	nextStream uint32
	ended      bool // the connection is of no more use
	requests   chan *wire.Request
}

// newH2Client returns a client of a connection that server serves. Each request that
// reaches the exchange is sent to requests.
func newH2Client(server *Server) *h2Client {
	conn, served := net.Pipe()
	c := &h2Client{conn: conn, nextStream: 1, requests: make(chan *wire.Request, 1)}
	callbacks := respondText("ok")
	respond := callbacks.Exchange
	callbacks.Exchange = func(ctx context.Context, in *wire.Request) *wire.Response {
		resp := respond(ctx, in)
		c.requests <- in
		return resp
	}
	go func() { _ = server.Serve(context.Background(), served, "h2", "https", callbacks) }()

	c.framer = http2.NewFramer(conn, bufio.NewReader(conn))
	c.framer.AllowIllegalWrites = true
	c.encoder = hpack.NewEncoder(&c.block)
	greeted := make(chan struct{})
	go func() {
		defer close(greeted)
		_, _ = io.WriteString(conn, http2.ClientPreface)
		_ = c.framer.WriteSettings()
	}()
	for range 2 { // the server's settings, and its acknowledgement of ours
		if _, err := c.framer.ReadFrame(); err != nil {
			c.ended = true
			conn.Close()
			break
		}
	}
	<-greeted
	return c
}

// request sends a request and waits for the end of its stream. It returns what
// reached the exchange, or nil.
func (c *h2Client) request(fields [][2]string, data []byte) (*wire.Request, error) {
	stream := c.nextStream
	c.nextStream += 2
	c.block.Reset()
	for _, f := range fields {
		_ = c.encoder.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]})
	}

	_ = c.conn.SetDeadline(time.Now().Add(10 * time.Second))
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		_ = c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, EndHeaders: true, EndStream: len(data) == 0, BlockFragment: c.block.Bytes()})
		if len(data) > 0 {
			_ = c.framer.WriteData(stream, true, data)
		}
	}()
	err := c.waitForEnd(stream)
	if c.ended {
		c.conn.Close()
	}
	<-sent
	if err != nil {
		return nil, err
	}

	select {
	case in := <-c.requests:
		return in, nil
	default:
		return nil, nil
	}
}

// waitForEnd reads frames until the stream or the connection ends. It fails if
// neither does in time.
func (c *h2Client) waitForEnd(stream uint32) error {
	for {
		frame, err := c.framer.ReadFrame()
		if err != nil {
			c.ended = true
			if netconn.IsTimeout(err) {
				return err
			}
			return nil
		}

		h := frame.Header()
		switch h.Type {
		case http2.FrameGoAway:
			c.ended = true
			return nil
		case http2.FrameRSTStream:
			if h.StreamID == stream {
				return nil
			}
		case http2.FrameHeaders, http2.FrameData:
			if h.StreamID == stream && h.Flags.Has(http2.FlagDataEndStream) {
				return nil
			}
		}
	}
}

// checkCanBeSentOn fails the test if the request cannot be sent on in HTTP/1.1 so
// that net/http accepts it.
func checkCanBeSentOn(t *testing.T, in *wire.Request) {
	t.Helper()
	if in.Body != nil {
		in.Body = bytes.NewReader(nil)
	}
	if err := h1.CheckRequest(in); err != nil {
		t.Fatalf("given to the exchange and refused to the application: %v", err)
	}
	written, err := h1.AppendRequestHead(nil, in.Authority, in)
	if err != nil {
		t.Fatalf("given to the exchange and not written: %v", err)
	}
	if _, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(written))); err != nil {
		t.Fatalf("net/http refuses what we would send: %v\n%q", err, written)
	}
}
