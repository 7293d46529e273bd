package load

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net/http/httputil"
	"strconv"
)

// userAgent is an agent's; Byline pins it for a session.
const userAgent = "byline-bench/1"

// h1 speaks HTTP/1.1 on one connection, one exchange after the other.
type h1 struct {
	conn   *tls.Conn
	in     *bufio.Reader
	fields string // Host and what every request carries, up to the empty line
	page   []byte // the request for a small page
	buffer []byte // made by the first big body
}

func newH1(c *tls.Conn, in *bufio.Reader, a *Agent) *h1 {
	fields := "Host: " + a.authority() + "\r\nUser-Agent: " + userAgent + "\r\nAccept: text/html\r\nAccept-Language: en\r\n"
	if a.Cookies != "" {
		fields += "Cookie: " + a.Cookies + "\r\n"
	}
	return &h1{conn: c, in: in, fields: fields, page: []byte("GET /page/42 HTTP/1.1\r\n" + fields + "\r\n")}
}

func (h *h1) small() error {
	if _, err := h.conn.Write(h.page); err != nil {
		return fmt.Errorf("small page: %w", err)
	}
	return h.answer("small page", 1024)
}

func (h *h1) down(n int64) error {
	if _, err := fmt.Fprintf(h.conn, "GET /down?bytes=%d HTTP/1.1\r\n%s\r\n", n, h.fields); err != nil {
		return fmt.Errorf("down: %w", err)
	}
	h.grow()
	return h.answer("down", n)
}

func (h *h1) up(n int64) error {
	h.grow()
	if _, err := fmt.Fprintf(h.conn, "POST /up HTTP/1.1\r\n%sContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n", h.fields, n); err != nil {
		return fmt.Errorf("up: %w", err)
	}
	for left := n; left > 0; {
		sent, err := h.conn.Write(h.buffer[:min(left, int64(len(h.buffer)))])
		if err != nil {
			return fmt.Errorf("up: %w after %d bytes", err, n-left)
		}
		left -= int64(sent)
	}
	return h.answer("up", int64(len(strconv.FormatInt(n, 10)))) // the origin answers with the count
}

func (h *h1) grow() {
	if h.buffer == nil {
		h.buffer = make([]byte, 64<<10)
	}
}

// answer reads one answer and checks that it is 200 and as long as it must be.
func (h *h1) answer(what string, want int64) error {
	status, length, err := h.head()
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if status != 200 {
		text, _ := io.ReadAll(io.LimitReader(h.in, max(0, min(length, 2048)))) // to be shown; the connection is given up
		return fmt.Errorf("%s: status %d: %s", what, status, text)
	}
	got := length
	switch {
	case length < 0:
		got, err = h.chunked()
	case length <= int64(h.in.Size()):
		_, err = h.in.Discard(int(length))
	default:
		got, err = h.big(length)
	}
	if err == nil && got != want {
		err = fmt.Errorf("%d bytes came, not %d", got, want)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

func (h *h1) big(n int64) (int64, error) {
	h.grow()
	return io.CopyBuffer(struct{ io.Writer }{io.Discard}, io.LimitReader(h.in, n), h.buffer)
}

func (h *h1) chunked() (int64, error) {
	n, err := io.Copy(io.Discard, httputil.NewChunkedReader(h.in))
	if err != nil {
		return n, err
	}
	for { // the trailer section, RFC 9112 section 7.1.2
		line, err := h.in.ReadSlice('\n')
		if err != nil || len(bytes.TrimRight(line, "\r\n")) == 0 {
			return n, err
		}
	}
}

// head returns status and length of an answer; -1 is chunked.
func (h *h1) head() (status int, length int64, err error) {
	for {
		line, err := h.in.ReadSlice('\n')
		if err != nil {
			return 0, 0, fmt.Errorf("answer: %w", err)
		}
		if len(line) < 12 || !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) {
			return 0, 0, fmt.Errorf("status line %q", line)
		}
		if status, err = strconv.Atoi(string(line[9:12])); err != nil {
			return 0, 0, fmt.Errorf("status line %q", line)
		}
		if length, err = h.length(); err != nil || status >= 200 {
			return status, length, err
		}
	}
}

func (h *h1) length() (length int64, err error) {
	for {
		line, err := h.in.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			return length, nil
		}
		name, value, _ := bytes.Cut(line, []byte{':'})
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.ParseInt(string(bytes.TrimSpace(value)), 10, 64); err != nil {
				return 0, err
			}
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			length = -1
		}
	}
}
