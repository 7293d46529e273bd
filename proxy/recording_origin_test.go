package proxy

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/byline-proxy/byline/cmd/byline/e2e/websockettest"
)

// recordingOrigin is an application that keeps every byte it receives. It parses
// strictly by RFC 9112, with no code of the wire package, and corrects nothing.
type recordingOrigin struct {
	ln      net.Listener
	session string // the cookie that it sets at login

	// faults has what it does instead of answering, by path. Then it closes
	// the connection. It is not changed after the first request.
	faults map[string]func(net.Conn)

	mu       sync.Mutex   // guards the fields below
	requests bytes.Buffer // see receivedBytes, likewise the next two
	broken   bytes.Buffer
	all      bytes.Buffer
	partial  int // connections with a request that is not complete
	wg       sync.WaitGroup
}

// receivedBytes is what a recordingOrigin received since the last takeReceived.
type receivedBytes struct {
	requests string // complete requests but logins and logouts
	broken   string // requests that broke off or cannot be parsed
	all      string
}

func newRecordingOrigin(t testing.TB) *recordingOrigin {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o := &recordingOrigin{ln: ln, session: canarySession}
	o.wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			o.wg.Go(func() { o.serve(conn) })
		}
	})
	t.Cleanup(func() { ln.Close() })
	return o
}

// takeReceived waits until no request is partly received, and returns what was
// received since the last call.
func (o *recordingOrigin) takeReceived() receivedBytes {
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		o.mu.Lock()
		if o.partial == 0 || time.Now().After(deadline) {
			break
		}
		o.mu.Unlock()
	}
	defer o.mu.Unlock()
	received := receivedBytes{o.requests.String(), o.broken.String(), o.all.String()}
	o.requests.Reset()
	o.broken.Reset()
	o.all.Reset()
	return received
}

// waitForBrokenRequest waits until a request breaks off.
func (o *recordingOrigin) waitForBrokenRequest(t testing.TB) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		o.mu.Lock()
		found := o.broken.Len() > 0
		o.mu.Unlock()
		if found {
			return
		}
		if time.Now().After(deadline) {
			t.Error("the application received no request that breaks off within 5 seconds")
			return
		}
	}
}

// recordingReader records the bytes of one connection.
type recordingReader struct {
	io.Reader
	origin *recordingOrigin
	unread bytes.Buffer // bytes after the last complete request; guarded by origin.mu
}

func (r *recordingReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)

	r.origin.mu.Lock()
	defer r.origin.mu.Unlock()
	r.origin.all.Write(p[:n])
	if r.unread.Len() == 0 && n > 0 {
		r.origin.partial++
	}
	r.unread.Write(p[:n])
	return n, err
}

// discard forgets the bytes after the last complete request, as the connection
// ends or changes its protocol.
func (r *recordingReader) discard() {
	r.origin.mu.Lock()
	defer r.origin.mu.Unlock()
	if r.unread.Len() > 0 {
		r.origin.partial--
	}
	r.unread.Reset()
}

// recordRequest records the request that was just read, of which buffered bytes
// belong to the next.
func (r *recordingReader) recordRequest(head string, complete bool, buffered int) {
	r.origin.mu.Lock()
	defer r.origin.mu.Unlock()

	request := r.unread.Bytes()
	request = request[:len(request)-buffered]
	isSessionRequest := strings.HasPrefix(head, "POST /login ") || strings.HasPrefix(head, "GET /logout ")
	switch {
	case !complete:
		r.origin.broken.Write(request)
	case !isSessionRequest:
		r.origin.requests.Write(request)
	}

	if r.unread.Next(len(request)); len(request) > 0 && r.unread.Len() == 0 {
		r.origin.partial--
	}
}

func (o *recordingOrigin) serve(conn net.Conn) {
	defer conn.Close()
	recorder := &recordingReader{Reader: conn, origin: o}
	in := bufio.NewReader(recorder)
	for {
		head, ok := readStrictRequest(in, conn)
		recorder.recordRequest(head, ok, in.Buffered())
		if !ok || !o.answer(conn, in, head) {
			recorder.discard()
			return
		}
	}
}

// answer answers a request and reports whether the connection can be used for
// another.
func (o *recordingOrigin) answer(conn net.Conn, in *bufio.Reader, head string) bool {
	_, rest, _ := strings.Cut(head, " ")
	path, _, _ := strings.Cut(rest, " ")
	fault := o.faults[path]
	switch {
	case strings.HasPrefix(head, "POST /login "):
		fmt.Fprintf(conn, "HTTP/1.1 302 Found\r\nLocation: /home\r\nSet-Cookie: sid=%s; Path=/\r\nContent-Length: 0\r\n\r\n", o.session)

	case strings.Contains(head, "\r\nSec-WebSocket-Version: 1337\r\n"):
		io.WriteString(conn, "HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Version: 13\r\nContent-Length: 0\r\n\r\n")

	case strings.Contains(strings.ToLower(head), "\r\nupgrade: websocket\r\n"):
		_, rest, _ := strings.Cut(head, "\r\nSec-WebSocket-Key: ")
		key, _, _ := strings.Cut(rest, "\r\n")
		fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: %s\r\n\r\n", websockettest.AcceptKey(key))
		io.Copy(conn, in)
		return false

	case fault != nil:
		fault(conn)
		return false

	default:
		body := "ok"
		if strings.HasPrefix(head, "HEAD ") {
			body = ""
		}
		io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n"+body)
	}
	return true
}

// readStrictRequest reads one request: lines that end in CR LF, and a body with
// at most one framing. It writes a 100 to w if the request expects one. ok is
// false if the request is not valid or breaks off.
func readStrictRequest(in *bufio.Reader, w io.Writer) (head string, ok bool) {
	length, chunked, framings := 0, false, 0
	for n := 0; ; n++ {
		line, err := in.ReadString('\n')
		if err != nil || !strings.HasSuffix(line, "\r\n") || strings.ContainsAny(line[:len(line)-2], "\r\x00") {
			return head, false
		}
		head += line
		if line == "\r\n" {
			break
		}

		name, value, _ := strings.Cut(line, ":")
		if n > 0 && (name != strings.TrimSpace(name) || name == "") {
			return head, false
		}
		value = strings.TrimSpace(value)
		switch strings.ToLower(name) {
		case "content-length":
			framings++
			if length, err = strconv.Atoi(value); err != nil {
				return head, false
			}
		case "transfer-encoding":
			framings++
			chunked = value == "chunked"
			if !chunked {
				return head, false
			}
		}
	}
	if framings > 1 {
		return head, false
	}

	if strings.Contains(head, "\r\nExpect: 100-continue\r\n") {
		io.WriteString(w, "HTTP/1.1 100 Continue\r\n\r\n")
	}
	if chunked {
		return head, skipStrictChunks(in)
	}
	_, err := in.Discard(length)
	return head, err == nil
}

// skipStrictChunks skips a chunked body with its trailers and reports whether it
// is valid.
func skipStrictChunks(in *bufio.Reader) bool {
	for {
		line, err := in.ReadString('\n')
		if err != nil || !strings.HasSuffix(line, "\r\n") {
			return false
		}
		size, err := strconv.ParseUint(line[:len(line)-2], 16, 31)
		if err != nil {
			return false
		}
		if size == 0 {
			break
		}
		if _, err := in.Discard(int(size)); err != nil {
			return false
		}
		if line, err := in.ReadString('\n'); err != nil || line != "\r\n" {
			return false
		}
	}

	for { // trailers
		line, err := in.ReadString('\n')
		if err != nil || !strings.HasSuffix(line, "\r\n") {
			return false
		}
		if line == "\r\n" {
			return true
		}
	}
}
