package proxy

import (
	"bufio"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"strings"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/proxy/wire"
)

// errCoding: a text came in a coding that cannot be undone.
var errCoding = errors.New("the content coding cannot be undone")

// decode takes the content coding off a text that came in one although none was
// asked for. What was said of the coded form no longer fits and is not said: the
// length, digests, ranges; a strong ETag becomes a weak one (RFC 9110 section
// 8.8.3.3), so that nobody takes it for byte by byte the same. Anything that is
// no text stays as it is.
func decode(resp *wire.Response) error {
	coding := fieldValue(resp.Fields, "Content-Encoding")
	if coding == "" || strings.EqualFold(coding, "identity") || !adapters.Maskable(fieldValue(resp.Fields, "Content-Type")) || resp.Status == 304 {
		return nil
	}
	var undo func(*bufio.Reader) (io.Reader, error)
	switch strings.ToLower(coding) {
	case "gzip", "x-gzip":
		undo = func(r *bufio.Reader) (io.Reader, error) { return gzip.NewReader(r) }
	case "deflate":
		undo = inflate
	}
	if undo == nil || resp.Status == 206 {
		closeBody(resp)
		return errCoding
	}
	kept := make([]wire.Field, 0, len(resp.Fields))
	for _, f := range resp.Fields {
		switch strings.ToLower(f.Name) {
		case "content-encoding", "accept-ranges", "content-md5", "digest", "content-digest", "repr-digest":
			continue
		case "etag":
			if !strings.HasPrefix(f.Value, "W/") {
				f.Value = "W/" + f.Value
			}
		}
		kept = append(kept, f)
	}
	resp.Fields, resp.Length = kept, -1
	if resp.Body != nil {
		resp.Body = &undone{from: resp.Body, undo: undo}
	}
	return nil
}

// inflate reads what goes by the name of deflate: zlib as RFC 9110 section
// 8.4.1.2 has it, or the bare stream that some applications send.
func inflate(r *bufio.Reader) (io.Reader, error) {
	head, err := r.Peek(2)
	if err != nil {
		return nil, err
	}
	if head[0]&0x0f == 8 && (uint(head[0])<<8|uint(head[1]))%31 == 0 { // RFC 1950 section 2.2
		return zlib.NewReader(r)
	}
	return flate.NewReader(r), nil
}

// undone is a body without its coding. It reads nothing before it is read, so an
// answer is not held up by a body that has yet to begin.
type undone struct {
	from io.ReadCloser
	undo func(*bufio.Reader) (io.Reader, error)
	in   *bufio.Reader
	out  io.Reader
}

func (u *undone) Read(p []byte) (int, error) {
	if u.out == nil {
		u.in = bufio.NewReader(u.from)
		out, err := u.undo(u.in)
		if err == io.EOF { // nothing at all
			return 0, io.EOF
		}
		if err != nil {
			return 0, badCoding(err)
		}
		u.out = out
	}
	n, err := u.out.Read(p)
	if err == io.EOF {
		if _, rest := u.in.Peek(1); rest != io.EOF { // only the end of the body brings its trailers
			err = errors.New("bytes follow the coded text")
		}
	}
	if err != nil && err != io.EOF {
		err = badCoding(err)
	}
	return n, err
}

func (u *undone) Close() error { return u.from.Close() }

// badCoding blames the SaaS.
func badCoding(err error) error {
	var already *wire.Error
	if errors.As(err, &already) {
		return err
	}
	return &wire.Error{Stage: wire.StageBody, Sent: true, Err: err}
}
