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

// h1Conn serves HTTP/1.1 on one connection. It does without net/http because the
// origin shares its core with the agents: CPU time that the origin uses is
// missing there. It accepts well-formed requests and closes the connection on
// everything else.
type h1Conn struct {
	sessions     *sessions
	conn         *tls.Conn
	in           *bufio.Reader
	pageResponse []byte // head and body of a small page, sent with one write
	buffer       []byte // for uploads; allocated by the first large one

	// The result of the last lookup: an agent repeats its Cookie field on every
	// request of a connection.
	lastCookies string
	lastHolder  holder
}

// request is what the origin needs to know of a request head.
type request struct {
	method, path, query string
	cookies             string
	length              int64 // of the body; -1 if it is chunked
	expectContinue      bool
}

func newH1Conn(s *sessions, conn *tls.Conn) *h1Conn {
	response := fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nCache-Control: private\r\nContent-Length: %d\r\n\r\n%s", len(page), page)
	return &h1Conn{sessions: s, conn: conn, in: bufio.NewReaderSize(conn, 4<<10), pageResponse: response}
}

// serve answers requests until the connection ends or a request is malformed.
func (c *h1Conn) serve() {
	for {
		r, err := c.readHead()
		if err == nil {
			err = c.answer(r)
		}
		if err != nil {
			_ = c.conn.SetDeadline(time.Now().Add(time.Second))
			_ = c.conn.CloseWrite() // fails if the other side has closed the connection
			return
		}
	}
}

// readHead reads the head of the next request.
func (c *h1Conn) readHead() (request, error) {
	line, err := c.in.ReadSlice('\n')
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
		line, err := c.in.ReadSlice('\n')
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
			r.length, err = strconv.ParseInt(string(value), 10, 64)
			if err != nil {
				return r, err
			}
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			r.length = -1
		case bytes.EqualFold(name, []byte("Expect")):
			r.expectContinue = true
		}
	}
}

func (c *h1Conn) answer(r request) error {
	if r.expectContinue {
		if _, err := io.WriteString(c.conn, "HTTP/1.1 100 Continue\r\n\r\n"); err != nil {
			return err
		}
	}
	switch r.path {
	case "/login":
		return c.logIn(r)
	case "/logout":
		c.sessions.logOut(r.cookies)
		return c.writeText("200 OK", "bye")
	}

	if c.countRequest(r) == nobody {
		if _, err := c.readBody(r, io.Discard); err != nil {
			return err
		}
		return c.writeText("401 Unauthorized", "log in")
	}
	switch {
	case strings.HasPrefix(r.path, "/page/"):
		_, err := c.conn.Write(c.pageResponse)
		return err
	case r.path == "/down":
		return c.writeLarge(r)
	case r.path == "/up":
		n, err := c.readBody(r, io.Discard)
		if err != nil {
			return err
		}
		return c.writeText("200 OK", strconv.FormatInt(n, 10))
	}
	return c.writeText("404 Not Found", "no such page")
}

// countRequest finds the holder of the session that the request carries, and
// counts the request under it. Only a person's session is remembered: it never
// ends, where an account can log out on another connection.
func (c *h1Conn) countRequest(r request) holder {
	if r.cookies != c.lastCookies || c.lastHolder != person {
		c.lastCookies = r.cookies
		c.lastHolder = c.sessions.holderOf(r.cookies)
	}
	c.sessions.requests[c.lastHolder].Add(1)
	return c.lastHolder
}

func (c *h1Conn) logIn(r request) error {
	if r.method == "GET" {
		return c.writeText("200 OK", loginPage(c.sessions.newFormToken()))
	}
	var body strings.Builder
	if _, err := c.readBody(r, &body); err != nil {
		return err
	}
	form, err := url.ParseQuery(body.String())
	if err != nil {
		return c.writeText("400 Bad Request", "not a form")
	}
	id, ok := c.sessions.logIn(form.Get("user"), form.Get("password"), form.Get("token"))
	if !ok {
		return c.writeText("200 OK", loginPage(c.sessions.newFormToken()))
	}
	return c.writeText("302 Found", "", "Location: /page/home", "Set-Cookie: "+CookieName+"="+id+"; Path=/; Secure; HttpOnly")
}

func loginPage(token string) string {
	return `<form method="post"><input type="hidden" name="token" value="` + token +
		`"><input name="user"><input type="password" name="password"></form>`
}

// writeText sends a response with an HTML body and, besides the usual ones, the
// given header fields.
func (c *h1Conn) writeText(status, body string, fields ...string) error {
	extra := ""
	for _, field := range fields {
		extra += field + "\r\n"
	}
	_, err := fmt.Fprintf(c.conn, "HTTP/1.1 %s\r\nContent-Type: text/html; charset=utf-8\r\n%sContent-Length: %d\r\n\r\n%s", status, extra, len(body), body)
	return err
}

// writeLarge sends a body of as many bytes as the query asks for.
func (c *h1Conn) writeLarge(r request) error {
	n, err := strconv.ParseInt(strings.TrimPrefix(r.query, "bytes="), 10, 64)
	if err != nil || n < 0 {
		return c.writeText("400 Bad Request", "bytes=N")
	}
	_, err = fmt.Fprintf(c.conn, "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n", n)
	if err != nil {
		return err
	}
	for n > 0 {
		sent, err := c.conn.Write(largeBlock[:min(n, int64(len(largeBlock)))])
		if err != nil {
			return err
		}
		n -= int64(sent)
	}
	return nil
}

// readBody copies the body of r to w and returns its length. The wrapper around w
// hides its ReadFrom method, which would use other buffers than c.buffer.
func (c *h1Conn) readBody(r request, w io.Writer) (int64, error) {
	if r.length >= 0 {
		if c.buffer == nil && r.length > 64<<10 {
			c.buffer = make([]byte, 64<<10)
		}
		return io.CopyBuffer(struct{ io.Writer }{w}, io.LimitReader(c.in, r.length), c.buffer)
	}

	n, err := io.Copy(w, httputil.NewChunkedReader(c.in))
	if err != nil {
		return n, err
	}
	for { // the chunked reader stops before the trailer section (RFC 9112, Section 7.1.2)
		line, err := c.in.ReadSlice('\n')
		if err != nil || len(bytes.TrimRight(line, "\r\n")) == 0 {
			return n, err
		}
	}
}
