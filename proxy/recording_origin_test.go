package proxy

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// recorder is an application that keeps every byte it was sent. It reads as
// RFC 9112 says and mends nothing: what it cannot read it keeps as it came.
type recorder struct {
	ln       net.Listener
	session  string // the cookie it gives at login
	mu       sync.Mutex
	seen     bytes.Buffer              // whole requests but the logins, one after the other
	broken   bytes.Buffer              // requests that broke off, or that it cannot read
	all      bytes.Buffer              // every byte
	half     int                       // connections on which a request has begun
	troubles map[string]func(net.Conn) // by path: what it does instead of answering; then it closes
	wg       sync.WaitGroup
}

func newRecorder(t testing.TB) *recorder {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &recorder{ln: ln, session: "canary-session-0123456789abcdef"}
	r.wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			r.wg.Go(func() { r.serve(conn) })
		}
	})
	t.Cleanup(func() { ln.Close() })
	return r
}

// take gives what was seen since the last time, once nothing is half read.
func (r *recorder) take() (seen, broken, all string) {
	for until := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		r.mu.Lock()
		if r.half == 0 || time.Now().After(until) {
			break
		}
		r.mu.Unlock()
	}
	defer r.mu.Unlock()
	seen, broken, all = r.seen.String(), r.broken.String(), r.all.String()
	r.seen.Reset()
	r.broken.Reset()
	r.all.Reset()
	return seen, broken, all
}

// untilBroken waits for a request to break off.
func (r *recorder) untilBroken(t testing.TB) {
	t.Helper()
	for until := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		r.mu.Lock()
		n := r.broken.Len()
		r.mu.Unlock()
		if n > 0 {
			return
		}
		if time.Now().After(until) {
			t.Error("the application saw no request break off")
			return
		}
	}
}

// tee keeps what is read.
type tee struct {
	io.Reader
	r    *recorder
	kept bytes.Buffer // of this connection, not yet a whole request
}

func (t *tee) Read(p []byte) (int, error) {
	n, err := t.Reader.Read(p)
	t.r.mu.Lock()
	defer t.r.mu.Unlock()
	t.r.all.Write(p[:n])
	if t.kept.Len() == 0 && n > 0 {
		t.r.half++
	}
	t.kept.Write(p[:n])
	return n, err
}

// drop ends the connection's account.
func (t *tee) drop() {
	t.r.mu.Lock()
	defer t.r.mu.Unlock()
	if t.kept.Len() > 0 {
		t.r.half--
	}
	t.kept.Reset()
}

func (r *recorder) serve(conn net.Conn) {
	defer conn.Close()
	in := &tee{Reader: conn, r: r}
	br := bufio.NewReader(in)
	for {
		head, ok := readAsRFC(br, conn)
		r.mu.Lock()
		whole := in.kept.Bytes()
		whole = whole[:len(whole)-br.Buffered()]
		switch {
		case !ok:
			r.broken.Write(whole)
		case !strings.HasPrefix(head, "POST /login ") && !strings.HasPrefix(head, "GET /logout "):
			r.seen.Write(whole)
		}
		if in.kept.Next(len(whole)); len(whole) > 0 && in.kept.Len() == 0 {
			r.half--
		}
		r.mu.Unlock()
		_, path, _ := strings.Cut(head, " ")
		path, _, _ = strings.Cut(path, " ")
		trouble := r.troubles[path]
		if !ok {
			in.drop()
			return
		}
		switch {
		case strings.HasPrefix(head, "POST /login "):
			fmt.Fprintf(conn, "HTTP/1.1 302 Found\r\nLocation: /home\r\nSet-Cookie: sid=%s; Path=/\r\nContent-Length: 0\r\n\r\n", r.session)
		case strings.Contains(head, "\r\nSec-WebSocket-Version: 1337\r\n"):
			io.WriteString(conn, "HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Version: 13\r\nContent-Length: 0\r\n\r\n")
		case strings.Contains(strings.ToLower(head), "\r\nupgrade: websocket\r\n"):
			_, key, _ := strings.Cut(head, "\r\nSec-WebSocket-Key: ")
			key, _, _ = strings.Cut(key, "\r\n")
			proof := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) // RFC 6455 section 4.2.2
			fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: %s\r\n\r\n",
				base64.StdEncoding.EncodeToString(proof[:]))
			io.Copy(conn, br)
			in.drop()
			return
		case trouble != nil:
			trouble(conn)
			in.drop()
			return
		default:
			io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n"+bodyFor(head))
		}
	}
}

func bodyFor(head string) string {
	if strings.HasPrefix(head, "HEAD ") {
		return ""
	}
	return "ok"
}

// readAsRFC reads one request: lines that end in CR LF, a body framed once, in
// one of two ways. Its judgement is its own: no code of the wire is in it.
func readAsRFC(br *bufio.Reader, w io.Writer) (head string, ok bool) {
	length, chunked, framings := 0, false, 0
	for n := 0; ; n++ {
		line, err := br.ReadString('\n')
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
			if chunked = value == "chunked"; !chunked {
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
	if !chunked {
		_, err := br.Discard(length)
		return head, err == nil
	}
	return head, readChunksAsRFC(br)
}

func readChunksAsRFC(br *bufio.Reader) bool {
	for {
		line, err := br.ReadString('\n')
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
		if _, err := br.Discard(int(size)); err != nil {
			return false
		}
		if line, err := br.ReadString('\n'); err != nil || line != "\r\n" {
			return false
		}
	}
	for {
		line, err := br.ReadString('\n')
		if err != nil || !strings.HasSuffix(line, "\r\n") {
			return false
		}
		if line == "\r\n" {
			return true
		}
	}
}
