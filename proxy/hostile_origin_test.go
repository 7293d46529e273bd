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
)

// recorder is an application that keeps every byte it was sent. It reads as
// RFC 9112 says and mends nothing: what it cannot read it keeps as it came.
type recorder struct {
	ln      net.Listener
	session string // the cookie it gives at login
	mu      sync.Mutex
	seen    bytes.Buffer             // whole requests but the logins, one after the other
	broken  bytes.Buffer             // requests that broke off, or that it cannot read
	all     bytes.Buffer             // every byte
	answer  func(head string) string // nil: 200 and "ok"
	wg      sync.WaitGroup
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

// take gives what was seen since the last time.
func (r *recorder) take() (seen, broken, all string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	seen, broken, all = r.seen.String(), r.broken.String(), r.all.String()
	r.seen.Reset()
	r.broken.Reset()
	r.all.Reset()
	return seen, broken, all
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
	t.kept.Write(p[:n])
	return n, err
}

func (r *recorder) serve(conn net.Conn) {
	defer conn.Close()
	in := &tee{Reader: conn, r: r}
	br := bufio.NewReader(in)
	for {
		head, ok := readAsRFC(br)
		r.mu.Lock()
		whole := in.kept.Bytes()
		whole = whole[:len(whole)-br.Buffered()]
		switch {
		case !ok:
			r.broken.Write(whole)
		case !strings.HasPrefix(head, "POST /login ") && !strings.HasPrefix(head, "GET /logout "):
			r.seen.Write(whole)
		}
		in.kept.Next(len(whole))
		answer := r.answer
		r.mu.Unlock()
		if !ok {
			return
		}
		switch {
		case strings.HasPrefix(head, "POST /login "):
			fmt.Fprintf(conn, "HTTP/1.1 302 Found\r\nLocation: /home\r\nSet-Cookie: sid=%s; Path=/\r\nContent-Length: 0\r\n\r\n", r.session)
		case strings.Contains(strings.ToLower(head), "\r\nupgrade: websocket\r\n"):
			io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
			io.Copy(conn, br)
			return
		case answer != nil:
			if _, err := io.WriteString(conn, answer(head)); err != nil {
				return
			}
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
func readAsRFC(br *bufio.Reader) (head string, ok bool) {
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
