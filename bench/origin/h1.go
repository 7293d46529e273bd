package origin

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// loop serves HTTP/1.1 on one connection, without net/http: the origin shares
// its core with the generator, and what it uses is missing there. It is meant
// for well-formed requests and hangs up on others.
type loop struct {
	sessions *sessions
	conn     *tls.Conn
	in       *bufio.Reader
	small    []byte // head and page, written at once
	sink     []byte // made by the first upload

	lastCookies string // a kept-alive agent repeats its cookies
	lastHolder  holder
}

// request is what the loop needs of a head.
type request struct {
	method, path, query string
	cookies             string
	length              int64 // -1: chunked
	proceed             bool  // the sender waits for 100 Continue
}

func newLoop(s *sessions, c *tls.Conn) *loop {
	small := fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nCache-Control: private\r\nContent-Length: %d\r\n\r\n%s", len(page), page)
	return &loop{sessions: s, conn: c, in: bufio.NewReaderSize(c, 4<<10), small: small}
}

func (l *loop) serve() {
	for {
		r, err := l.head()
		if err == nil {
			err = l.answer(r)
		}
		if err != nil {
			_ = l.conn.SetDeadline(time.Now().Add(time.Second))
			_ = l.conn.CloseWrite() // fails when the other side went first
			return
		}
	}
}

// head reads one request head. The error ends the connection.
func (l *loop) head() (request, error) {
	line, err := l.in.ReadSlice('\n')
	if err != nil {
		return request{}, err
	}
	method, rest, _ := bytes.Cut(line, []byte{' '})
	target, _, ok := bytes.Cut(rest, []byte{' '})
	if !ok {
		return request{}, fmt.Errorf("request line %q", line)
	}
	r := request{method: string(method)}
	r.path, r.query, _ = strings.Cut(string(target), "?")
	var cookies []byte
	for {
		line, err := l.in.ReadSlice('\n')
		if err != nil {
			return r, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			r.cookies = string(cookies)
			return r, nil
		}
		name, value, _ := bytes.Cut(line, []byte{':'})
		value = bytes.TrimSpace(value)
		switch {
		case bytes.EqualFold(name, []byte("Cookie")):
			cookies = append(append(cookies, "; "...), value...)
		case bytes.EqualFold(name, []byte("Content-Length")):
			if r.length, err = strconv.ParseInt(string(value), 10, 64); err != nil {
				return r, err
			}
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			r.length = -1
		case bytes.EqualFold(name, []byte("Expect")):
			r.proceed = true
		}
	}
}

func (l *loop) answer(r request) error {
	if r.proceed {
		if _, err := io.WriteString(l.conn, "HTTP/1.1 100 Continue\r\n\r\n"); err != nil {
			return err
		}
	}
	switch {
	case r.path == "/login":
		return l.login(r)
	case r.path == "/logout":
		l.sessions.logout(r.cookies)
		return l.text("200 OK", "bye")
	}
	if l.holder(r) == nobody {
		if _, err := l.body(r, io.Discard); err != nil {
			return err
		}
		return l.text("401 Unauthorized", "log in")
	}
	switch {
	case strings.HasPrefix(r.path, "/page/"):
		_, err := l.conn.Write(l.small)
		return err
	case r.path == "/down":
		return l.down(r)
	case r.path == "/up":
		n, err := l.body(r, io.Discard)
		if err != nil {
			return err
		}
		return l.text("200 OK", strconv.FormatInt(n, 10))
	}
	return l.text("404 Not Found", "no such page")
}

// holder counts the request under whose session it carries.
func (l *loop) holder(r request) holder {
	if r.cookies != l.lastCookies || l.lastHolder != person {
		l.lastCookies, l.lastHolder = r.cookies, l.sessions.who(r.cookies)
	}
	l.sessions.requests[l.lastHolder].Add(1)
	return l.lastHolder
}

func (l *loop) login(r request) error {
	if r.method == "GET" {
		return l.text("200 OK", loginPage(l.sessions.form()))
	}
	var b strings.Builder
	if _, err := l.body(r, &b); err != nil {
		return err
	}
	form, err := url.ParseQuery(b.String())
	if err != nil {
		return l.text("400 Bad Request", "no form")
	}
	id, ok := l.sessions.login(form.Get("user"), form.Get("password"), form.Get("token"))
	if !ok {
		return l.text("200 OK", loginPage(l.sessions.form()))
	}
	return l.text("302 Found", "", "Location: /page/home", "Set-Cookie: "+CookieName+"="+id+"; Path=/; Secure; HttpOnly")
}

func loginPage(token string) string {
	return `<form method="post"><input type="hidden" name="token" value="` + token +
		`"><input name="user"><input type="password" name="password"></form>`
}

func (l *loop) text(status, body string, fields ...string) error {
	more := ""
	for _, f := range fields {
		more += f + "\r\n"
	}
	_, err := fmt.Fprintf(l.conn, "HTTP/1.1 %s\r\nContent-Type: text/html; charset=utf-8\r\n%sContent-Length: %d\r\n\r\n%s", status, more, len(body), body)
	return err
}

// down answers with as many bytes as the query asks for.
func (l *loop) down(r request) error {
	n, err := strconv.ParseInt(strings.TrimPrefix(r.query, "bytes="), 10, 64)
	if err != nil || n < 0 {
		return l.text("400 Bad Request", "bytes=N")
	}
	if _, err := fmt.Fprintf(l.conn, "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n", n); err != nil {
		return err
	}
	for n > 0 {
		sent, err := l.conn.Write(block[:min(n, int64(len(block)))])
		if err != nil {
			return err
		}
		n -= int64(sent)
	}
	return nil
}

// body reads the request's body and returns its length.
func (l *loop) body(r request, to io.Writer) (int64, error) {
	if r.length >= 0 {
		if l.sink == nil && r.length > 64<<10 {
			l.sink = make([]byte, 64<<10)
		}
		return io.CopyBuffer(struct{ io.Writer }{to}, io.LimitReader(l.in, r.length), l.sink)
	}
	n, err := io.Copy(to, httputil.NewChunkedReader(l.in))
	if err != nil {
		return n, err
	}
	for { // NewChunkedReader stops before the trailer section, RFC 9112 section 7.1.2
		line, err := l.in.ReadSlice('\n')
		if err != nil || len(bytes.TrimRight(line, "\r\n")) == 0 {
			return n, err
		}
	}
}
