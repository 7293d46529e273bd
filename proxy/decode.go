package proxy

import (
	"bufio"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/proxy/wire"
)

var errUnknownCoding = errors.New("the content coding cannot be undone")

// decode removes the content codings of an answer, whatever its type says: what
// follows from undoing a coding may be text. If a coding is unknown, or the answer is
// only a part, decode closes the body and returns errUnknownCoding.
func decode(resp *wire.Response) error {
	codings := contentCodings(resp.Fields)
	if len(codings) == 0 || resp.Status == http.StatusNotModified {
		return nil
	}
	if len(codings) > maxCodings || isPart(resp) {
		closeBody(resp)
		return errUnknownCoding
	}

	body := resp.Body
	for _, coding := range slices.Backward(codings) { // the last was applied last
		open := decoderFor(coding)
		if open == nil {
			closeBody(resp)
			return errUnknownCoding
		}
		if body != nil {
			body = &decodedBody{coded: body, open: open}
		}
	}
	resp.Fields, resp.Length, resp.Body = decodedFields(resp.Fields), -1, body
	return nil
}

// maxCodings bounds how many codings of one body are removed.
const maxCodings = 3

// contentCodings returns the codings of all Content-Encoding fields in the order in
// which they were applied, without identity.
func contentCodings(fields []wire.Field) (codings []string) {
	for _, f := range fields {
		if !wire.SameName(f.Name, "Content-Encoding") {
			continue
		}
		for coding := range strings.SplitSeq(f.Value, ",") {
			coding = strings.TrimSpace(coding)
			if coding != "" && !strings.EqualFold(coding, "identity") {
				codings = append(codings, coding)
			}
		}
	}
	return codings
}

// isText reports whether an answer's body may hold text, by any of its content
// types.
func isText(fields []wire.Field) bool {
	typed := false
	for i := range fields {
		if wire.SameName(fields[i].Name, "Content-Type") {
			if adapters.Maskable(fields[i].Value) {
				return true
			}
			typed = true
		}
	}
	return !typed
}

// decoderFor returns the function that opens a decoder, or nil.
func decoderFor(coding string) func(*bufio.Reader) (io.Reader, error) {
	switch strings.ToLower(coding) {
	case "gzip", "x-gzip":
		return func(r *bufio.Reader) (io.Reader, error) { return gzip.NewReader(r) }
	case "deflate":
		return inflate
	}
	return nil
}

// decodedFields returns the fields that also hold for the decoded text. Digests
// and ranges of the coded form do not. A strong ETag becomes a weak one (RFC 9110
// section 8.8.3.3), so that nobody takes the two forms for the same bytes.
func decodedFields(fields []wire.Field) []wire.Field {
	kept := make([]wire.Field, 0, len(fields))
	for _, f := range fields {
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
	return kept
}

// inflate decodes what is called deflate: zlib as in RFC 9110 section 8.4.1.2,
// or the bare deflate stream that some applications send.
func inflate(r *bufio.Reader) (io.Reader, error) {
	head, err := r.Peek(2)
	if err != nil {
		return nil, err
	}

	isZlib := head[0]&0x0f == 8 && (uint(head[0])<<8|uint(head[1]))%31 == 0 // RFC 1950 section 2.2
	if isZlib {
		return zlib.NewReader(r)
	}
	return flate.NewReader(r), nil
}

// decodedBody is a body without its coding. It opens the decoder at the first
// Read, so that an answer is not held up by a body that has yet to begin.
type decodedBody struct {
	coded  io.ReadCloser
	open   func(*bufio.Reader) (io.Reader, error)
	buffer *bufio.Reader
	plain  io.Reader // nil before the first Read
}

func (d *decodedBody) Read(p []byte) (int, error) {
	if d.plain == nil {
		d.buffer = bufio.NewReader(d.coded)
		plain, err := d.open(d.buffer)
		if err == io.EOF { // the body is empty
			return 0, io.EOF
		}
		if err != nil {
			return 0, brokenCoding(err)
		}
		d.plain = plain
	}

	n, err := d.plain.Read(p)
	if err == io.EOF {
		_, rest := d.buffer.Peek(1) // trailers come only with the end of the body
		if rest != io.EOF {
			err = errors.New("bytes follow the coded text")
		}
	}
	if err != nil && err != io.EOF {
		err = brokenCoding(err)
	}
	return n, err
}

func (d *decodedBody) Close() error { return d.coded.Close() }

// brokenCoding makes err an error of the application, unless it already is one.
func brokenCoding(err error) error {
	var already *wire.Error
	if errors.As(err, &already) {
		return err
	}
	return &wire.Error{Stage: wire.StageBody, Sent: true, Err: err}
}
