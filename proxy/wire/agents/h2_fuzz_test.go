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

// FuzzHeadOf2: one request, said in HTTP/2 and in HTTP/1.1, is judged alike and
// read alike, as far as both can say it.
func FuzzHeadOf2(f *testing.F) {
	f.Add("GET", "/a?b", "a.example", "X-Name", "value", int64(0))
	f.Add("POST", "/a%2fb", "a.example:8443", "Content-Type", "text/plain", int64(3))
	f.Add("GET", "/", "u@a", "Cookie", "a=b", int64(0))
	f.Add("OPTIONS", "*", "a", "x_y", "\xff", int64(-1))
	f.Add("GET", "/#", "a", "Transfer_Encoding", "chunked", int64(0))
	f.Add("GET", "/", "a", "Te", "trailers", int64(0))
	f.Fuzz(func(t *testing.T, method, target, host, name, value string, length int64) {
		if length < -1 || method == http.MethodConnect || strings.ContainsAny(name+value+target+host+method, "\r\n") ||
			strings.Contains(name, ":") { // HTTP/1.1 cannot say it
			return
		}
		switch h1.RoleOf(name) {
		case h1.RoleEndToEnd, h1.RoleContentType, h1.RoleHTTP2Settings:
		default:
			return // the protocols have different words here
		}
		value, host = strings.Trim(value, " \t"), strings.Trim(host, " \t")
		lower := strings.ToLower(name)
		fields := []hpack.HeaderField{{Name: ":method", Value: method}, {Name: ":scheme", Value: "https"}, {Name: ":authority", Value: host},
			{Name: ":path", Value: target}, {Name: lower, Value: value}}
		raw := method + " " + target + " HTTP/1.1\r\nHost: " + host + "\r\n" + name + ": " + value + "\r\n"
		switch {
		case length > 0:
			fields = append(fields, hpack.HeaderField{Name: "content-length", Value: strconv.FormatInt(length, 10)})
			raw += "Content-Length: " + strconv.FormatInt(length, 10) + "\r\n"
		case length < 0:
			raw += "Transfer-Encoding: chunked\r\n"
		}
		in := headOf2(fields, length != 0)
		bad2 := in.bad
		var m h1.RequestHead
		bad1 := h1.ParseRequestHead(raw+"\r\n", &m, 0, 10)
		if (bad1 == nil) != (bad2 == nil) {
			t.Fatalf("HTTP/1.1: %v\nHTTP/2: %v\n%q", bad1, bad2, raw)
		}
		if bad1 != nil {
			return
		}
		if in.Method != m.Method || in.Path != m.Path || in.Query != m.Query || in.HasQuery != m.HasQuery || in.Authority != m.Authority ||
			in.Length != m.Length || len(in.Fields) != 1 || len(m.Fields) != 1 || in.Fields[0].Value != m.Fields[0].Value || !strings.EqualFold(in.Fields[0].Name, m.Fields[0].Name) {
			t.Fatalf("HTTP/1.1 %+v\nHTTP/2 %+v", m.Head, in.Head)
		}
	})
}

// FuzzH2Fields: whatever fields an agent puts into its frames, the stream is
// answered or reset, and what reaches the walk was sent, and can be sent on in
// one unambiguous form.
func FuzzH2Fields(f *testing.F) {
	f.Add("GET", "/", "a", "cookie", "a=b", "te", "trailers", []byte(nil))
	f.Add("POST", "/x?y", "a:443", "content-length", "3", "x-a", "\xff", []byte("abc"))
	f.Add("POST", "/x", "a", "transfer-encoding", "chunked", "host", "b", []byte("0\r\n\r\n"))
	f.Add("CONNECT", "/", "a", ":protocol", "websocket", ":path", "/b", []byte("x"))
	f.Add("GET / HTTP/1.1\r\nX: y", "/ HTTP/1.1", "a/b", "a\r\nb", "c\r\nd", "A", "", []byte("x"))
	server := NewServer(wire.Config{})
	var a *h2agent
	f.Cleanup(func() {
		if a != nil {
			a.conn.Close()
		}
	})
	f.Fuzz(func(t *testing.T, method, path, authority, n1, v1, n2, v2 string, data []byte) {
		if len(method)+len(path)+len(authority)+len(n1)+len(v1)+len(n2)+len(v2) > 8<<10 || len(data) > 4<<10 {
			return
		}
		if a == nil || a.gone || a.next > 1<<20 {
			if a != nil {
				a.conn.Close()
			}
			a = newH2Agent(server)
		}
		sent := [][2]string{{":method", method}, {":scheme", "https"}, {":authority", authority}, {":path", path}, {n1, v1}, {n2, v2}}
		in, err := a.ask(sent, data)
		if err != nil {
			t.Fatal(err)
		}
		if in == nil {
			return
		}
		judge(t, in)
		for _, got := range in.Fields {
			if !slices.ContainsFunc(sent[4:], func(p [2]string) bool {
				return strings.EqualFold(p[0], got.Name) && (p[1] == got.Value || got.Name == "Cookie" && strings.Contains(got.Value, p[1]))
			}) {
				t.Fatalf("the walk got %q, which was not sent: %q", got, sent)
			}
		}
	})
}

// h2agent speaks frames over a pipe, one stream at a time.
type h2agent struct {
	conn  net.Conn
	fr    *http2.Framer
	enc   *hpack.Encoder
	block bytes.Buffer
	next  uint32
	gone  bool
	walks chan *wire.Request
}

func newH2Agent(server *Server) *h2agent {
	conn, theirs := net.Pipe()
	a := &h2agent{conn: conn, next: 1, walks: make(chan *wire.Request, 1)}
	go func() {
		_ = server.Serve(context.Background(), theirs, "h2", "https", wire.Callbacks{
			Exchange: func(_ context.Context, in *wire.Request) *wire.Response {
				if in.Body != nil {
					_, _ = io.Copy(io.Discard, in.Body)
				}
				a.walks <- in
				return text(200, "ok")
			},
			Malformed: func(_ context.Context, m *wire.Malformed) *wire.Response { return text(m.Status, m.Detail) },
		})
	}()
	a.fr = http2.NewFramer(conn, bufio.NewReader(conn))
	a.fr.AllowIllegalWrites = true
	a.enc = hpack.NewEncoder(&a.block)
	greeted := make(chan struct{})
	go func() {
		defer close(greeted)
		_, _ = io.WriteString(conn, http2.ClientPreface)
		_ = a.fr.WriteSettings()
	}()
	for seen := 0; seen < 2 && !a.gone; seen++ { // theirs, and their acknowledgement
		if _, err := a.fr.ReadFrame(); err != nil {
			a.gone = true
			conn.Close()
		}
	}
	<-greeted
	return a
}

// ask gives what reached the walk, or nil.
func (a *h2agent) ask(fields [][2]string, data []byte) (*wire.Request, error) {
	id := a.next
	a.next += 2
	a.block.Reset()
	for _, f := range fields {
		_ = a.enc.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]})
	}
	_ = a.conn.SetDeadline(time.Now().Add(10 * time.Second))
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		_ = a.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: id, EndHeaders: true, EndStream: len(data) == 0, BlockFragment: a.block.Bytes()})
		if len(data) > 0 {
			_ = a.fr.WriteData(id, true, data)
		}
	}()
	defer func() {
		if a.gone {
			a.conn.Close()
		}
		<-sent
	}()
	for over := false; !over; {
		frame, err := a.fr.ReadFrame()
		if err != nil {
			a.gone = true
			if netconn.IsTimeout(err) {
				return nil, err
			}
			break
		}
		switch frame := frame.(type) {
		case *http2.RSTStreamFrame:
			over = frame.StreamID == id
		case *http2.GoAwayFrame:
			a.gone, over = true, true
		case *http2.PingFrame, *http2.SettingsFrame, *http2.WindowUpdateFrame:
		default:
			over = frame.Header().StreamID == id && frame.Header().Flags.Has(http2.FlagDataEndStream)
		}
	}
	select {
	case in := <-a.walks:
		return in, nil
	default:
		return nil, nil
	}
}

// judge asks whether the request could be sent on.
func judge(t *testing.T, in *wire.Request) {
	t.Helper()
	if in.Body != nil {
		in.Body = bytes.NewReader(nil)
	}
	if err := h1.CheckRequest(in); err != nil {
		t.Fatalf("given to the walk and not sent on: %v", err)
	}
	b, err := h1.AppendRequestHead(nil, in.Authority, in)
	if err != nil {
		t.Fatalf("given to the walk and not written: %v", err)
	}
	if _, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(b))); err != nil {
		t.Fatalf("net/http refuses what we would send: %v\n%q", err, b)
	}
}
