package h1

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/byline-proxy/byline/proxy/wire"
)

var errFieldSplits = errors.New("wire: a field has a line break in it")

// CheckRequest refuses to send a request that a receiver could read in two ways. The
// pipeline has built the request, and nothing checks it after CheckRequest.
func CheckRequest(out *wire.Request) error {
	if !IsToken(out.Method) || out.Method == "CONNECT" {
		return errors.New("the method cannot be sent")
	}
	if out.Path != "*" && (out.Path == "" || out.Path[0] != '/') || !hasOnly(out.Path, targetByte) || !hasOnly(out.Query, targetByte) {
		return errors.New("the path or query cannot be sent")
	}
	if (out.Length == 0) != (out.Body == nil) {
		return errors.New("the body and its length do not agree")
	}
	for i := range out.Fields {
		if bad := CheckField(out.Fields[i].Name, out.Fields[i].Value); bad != nil {
			return errors.New(bad.Detail)
		}
	}
	return nil
}

// AppendRequestHead appends the head of out for authority, exactly as the pipeline
// built it, with the fields that frame it.
func AppendRequestHead(b []byte, authority string, out *wire.Request) ([]byte, error) {
	b = append(b, out.Method...)
	b = append(b, ' ')
	b = append(b, out.Path...)
	if out.HasQuery || out.Query != "" {
		b = append(b, '?')
		b = append(b, out.Query...)
	}
	b = append(b, " HTTP/1.1\r\nHost: "...)
	b = append(b, authority...)
	b = append(b, '\r', '\n')

	b, err := appendFields(b, out.Fields)
	if err != nil {
		return nil, err
	}

	switch {
	case out.Upgrade != "":
		b = append(b, "Connection: Upgrade\r\nUpgrade: websocket\r\n"...)
		return append(b, '\r', '\n'), nil
	case out.Length > 0 || out.Length == 0 && methodExpectsBody(out.Method):
		b = appendContentLength(b, out.Length)
	case out.Length < 0:
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
		b = appendAnnouncedTrailers(b, out.AnnouncedTrailers)
	}
	if out.ExpectContinue && out.Body != nil {
		b = append(b, "Expect: 100-continue\r\n"...)
	}
	if out.AcceptsTrailers {
		b = append(b, "Connection: TE\r\nTE: trailers\r\n"...)
	}
	return append(b, '\r', '\n'), nil
}

// methodExpectsBody reports whether a request without a body must say so with
// Content-Length: 0 (RFC 9110 section 8.6).
func methodExpectsBody(method string) bool {
	return method == "POST" || method == "PUT" || method == "PATCH"
}

// AppendResponseHead appends the head of resp with the fields that frame it. chunked
// says that a chunked body follows, close that the connection ends after the
// response.
func AppendResponseHead(b []byte, resp *wire.Response, chunked, close bool) ([]byte, error) {
	if resp.Status < 100 || resp.Status > 999 {
		return nil, errors.New("wire: the response has no status")
	}
	b = append(b, "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(resp.Status), 10)
	b = append(b, ' ')
	b = append(b, http.StatusText(resp.Status)...)
	b = append(b, '\r', '\n')

	b, err := appendFields(b, resp.Fields)
	if err != nil {
		return nil, err
	}

	switch {
	case chunked:
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
		b = appendAnnouncedTrailers(b, resp.AnnouncedTrailers)
	case resp.Status == http.StatusSwitchingProtocols:
		b = append(b, "Connection: Upgrade\r\nUpgrade: websocket\r\n"...)
	case resp.Status < 200 || resp.Status == http.StatusNoContent:
		// No Content-Length (RFC 9110 section 8.6).
	case resp.Length > 0 || resp.Length == 0 && resp.Status != http.StatusNotModified:
		b = appendContentLength(b, resp.Length)
	}
	if close {
		b = append(b, "Connection: close\r\n"...)
	}
	return append(b, '\r', '\n'), nil
}

// appendContentLength appends the field Content-Length.
func appendContentLength(b []byte, n int64) []byte {
	b = append(b, "Content-Length: "...)
	b = strconv.AppendInt(b, n, 10)
	return append(b, '\r', '\n')
}

// appendAnnouncedTrailers appends the field Trailer with those names of list that
// may come after a body, or nothing if there are none.
func appendAnnouncedTrailers(b []byte, list string) []byte {
	allowed := ""
	EachListMember(list, func(name string) bool {
		if IsToken(name) && !ForbiddenInTrailer(name) {
			allowed = AppendListMember(allowed, name)
		}
		return true
	})
	if allowed == "" {
		return b
	}

	b = append(b, "Trailer: "...)
	b = append(b, allowed...)
	return append(b, '\r', '\n')
}

// appendFields appends fields as they are. It leaves out the fields that this
// package sets itself and that concern another hop.
func appendFields(b []byte, fields []wire.Field) ([]byte, error) {
	for i := range fields {
		f := &fields[i]
		if !passesOn(f.Name) {
			continue
		}
		if strings.IndexByte(f.Value, '\n') >= 0 || strings.IndexByte(f.Value, '\r') >= 0 || !IsToken(f.Name) {
			return nil, errFieldSplits
		}
		b = append(b, f.Name...)
		b = append(b, ':', ' ')
		b = append(b, f.Value...)
		b = append(b, '\r', '\n')
	}
	return b, nil
}

// passesOn reports whether the field with the given name is written. That includes
// Proxy-Authenticate, which comes from the pipeline itself.
func passesOn(name string) bool {
	role := RoleOf(name)
	return role == RoleEndToEnd || role == RoleContentType || strings.EqualFold(name, "proxy-authenticate")
}

// StatusAllowsBody reports whether a response with the given status may have a body.
func StatusAllowsBody(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}

const lastChunk = "0\r\n\r\n"

// The space that a chunk needs around its data.
const (
	chunkHeadSpace = len("7ff8\r\n")
	chunkTailSpace = len("\r\n") + len(lastChunk)
)

// ChunkPayload returns the part of buf for the data of a chunk. FrameChunk frames
// the data in place, and AppendLastChunk appends to it without allocating. buf must
// be shorter than 64 KiB.
func ChunkPayload(buf []byte) []byte { return buf[chunkHeadSpace : len(buf)-chunkTailSpace] }

// FrameChunk frames the first n bytes of ChunkPayload(buf) as a chunk (RFC 9112
// section 7.1) and returns it. The result is a part of buf. n must not be 0, which
// would end the body.
func FrameChunk(buf []byte, n int) []byte {
	const hex = "0123456789abcdef"

	start := chunkHeadSpace - 2
	buf[start], buf[start+1] = '\r', '\n'
	for size := n; size > 0; size >>= 4 {
		start--
		buf[start] = hex[size&15]
	}
	return append(buf[start:chunkHeadSpace+n], '\r', '\n')
}

// AppendLastChunk appends the last chunk and the trailer section. It leaves out
// fields that must not come after a body (RFC 9110 section 6.5.1). trailers may be
// nil.
func AppendLastChunk(b []byte, trailers func() []wire.Field) ([]byte, error) {
	b = append(b, "0\r\n"...)

	if trailers != nil {
		var allowed []wire.Field
		for _, f := range trailers() {
			if !ForbiddenInTrailer(f.Name) {
				allowed = append(allowed, f)
			}
		}
		var err error
		if b, err = appendFields(b, allowed); err != nil {
			return nil, err
		}
	}
	return append(b, '\r', '\n'), nil
}
