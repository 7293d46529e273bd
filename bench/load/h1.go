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

// userAgent identifies the agents. It is constant because Byline pins it for the
// lifetime of a session.
const userAgent = "byline-bench/1"

// h1 speaks HTTP/1.1 on one connection, one request after the other.
type h1 struct {
	conn        *tls.Conn
	in          *bufio.Reader
	fields      string // Host and all other fields that every request carries
	pageRequest []byte // the complete request for a small page
	buffer      []byte // for large bodies; allocated by the first one
}

func newH1(conn *tls.Conn, in *bufio.Reader, a *Agent) *h1 {
	fields := "Host: " + a.authority() + "\r\nUser-Agent: " + userAgent + "\r\nAccept: text/html\r\nAccept-Language: en\r\n"
	if a.Cookies != "" {
		fields += "Cookie: " + a.Cookies + "\r\n"
	}
	return &h1{conn: conn, in: in, fields: fields, pageRequest: []byte("GET /page/42 HTTP/1.1\r\n" + fields + "\r\n")}
}

func (h *h1) getPage() error {
	if _, err := h.conn.Write(h.pageRequest); err != nil {
		return fmt.Errorf("small page: %w", err)
	}
	return h.readResponse("small page", 1024)
}

func (h *h1) download(n int64) error {
	if _, err := fmt.Fprintf(h.conn, "GET /down?bytes=%d HTTP/1.1\r\n%s\r\n", n, h.fields); err != nil {
		return fmt.Errorf("down: %w", err)
	}
	h.allocateBuffer()
	return h.readResponse("down", n)
}

func (h *h1) upload(n int64) error {
	h.allocateBuffer()
	_, err := fmt.Fprintf(h.conn, "POST /up HTTP/1.1\r\n%sContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n", h.fields, n)
	if err != nil {
		return fmt.Errorf("up: %w", err)
	}
	for left := n; left > 0; {
		sent, err := h.conn.Write(h.buffer[:min(left, int64(len(h.buffer)))])
		if err != nil {
			return fmt.Errorf("up: %w after %d bytes", err, n-left)
		}
		left -= int64(sent)
	}
	// The origin answers with the number of bytes that it received.
	return h.readResponse("up", int64(len(strconv.FormatInt(n, 10))))
}

func (h *h1) allocateBuffer() {
	if h.buffer == nil {
		h.buffer = make([]byte, 64<<10)
	}
}

// readResponse reads one response, and fails if its status is not 200 or its
// body is not want bytes long.
func (h *h1) readResponse(what string, want int64) error {
	status, length, err := h.readHead()
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if status != 200 {
		// The connection is not used again, so the rest of the body may stay unread.
		body, _ := io.ReadAll(io.LimitReader(h.in, max(0, min(length, 2048))))
		return fmt.Errorf("%s: status %d: %s", what, status, body)
	}

	got := length
	switch {
	case length < 0:
		got, err = h.discardChunked()
	case length <= int64(h.in.Size()):
		_, err = h.in.Discard(int(length))
	default:
		got, err = h.discardLarge(length)
	}
	if err == nil && got != want {
		err = fmt.Errorf("the body has %d bytes, not %d", got, want)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// discardLarge reads a body of n bytes. The wrapper hides the ReadFrom method of
// io.Discard, which would use smaller buffers than h.buffer.
func (h *h1) discardLarge(n int64) (int64, error) {
	h.allocateBuffer()
	return io.CopyBuffer(struct{ io.Writer }{io.Discard}, io.LimitReader(h.in, n), h.buffer)
}

// discardChunked reads a chunked body with its trailer section (RFC 9112, Section
// 7.1.2), which the chunked reader leaves on the connection.
func (h *h1) discardChunked() (int64, error) {
	n, err := io.Copy(io.Discard, httputil.NewChunkedReader(h.in))
	if err != nil {
		return n, err
	}
	for {
		line, err := h.in.ReadSlice('\n')
		if err != nil || len(bytes.TrimRight(line, "\r\n")) == 0 {
			return n, err
		}
	}
}

// readHead returns the status and the length of the body of the next final
// response. The length is -1 if the body is chunked. Interim responses are
// skipped.
func (h *h1) readHead() (status int, length int64, err error) {
	for {
		line, err := h.in.ReadSlice('\n')
		if err != nil {
			return 0, 0, fmt.Errorf("response: %w", err)
		}
		if len(line) < 12 || !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) {
			return 0, 0, fmt.Errorf("status line %q", line)
		}
		status, err = strconv.Atoi(string(line[9:12]))
		if err != nil {
			return 0, 0, fmt.Errorf("status line %q", line)
		}
		length, err = h.readFields()
		if err != nil || status >= 200 {
			return status, length, err
		}
	}
}

// readFields reads the header fields and returns the length of the body, or -1
// if it is chunked.
func (h *h1) readFields() (length int64, err error) {
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
			length, err = strconv.ParseInt(string(bytes.TrimSpace(value)), 10, 64)
			if err != nil {
				return 0, err
			}
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			length = -1
		}
	}
}
