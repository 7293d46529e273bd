package h1

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/byline-proxy/byline/proxy/wire"
)

var errSplit = errors.New("wire: a field of the answer has a line break in it")

// appendRequest writes the head exactly as the walk built it, and the framing.
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
	case out.Length > 0 || out.Length == 0 && (out.Method == "POST" || out.Method == "PUT" || out.Method == "PATCH"):
		b = append(b, "Content-Length: "...)
		b = strconv.AppendInt(b, out.Length, 10)
		b = append(b, '\r', '\n')
	case out.Length < 0:
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
		b = appendAnnounced(b, out.AnnouncedTrailers)
	}
	if out.ExpectContinue && out.Body != nil {
		b = append(b, "Expect: 100-continue\r\n"...)
	}
	if out.AcceptsTrailers {
		b = append(b, "Connection: TE\r\nTE: trailers\r\n"...)
	}
	return append(b, '\r', '\n'), nil
}

// checkOut refuses to send what could be read in two ways: the walk built it,
// and this is the last door.
func CheckRequest(out *wire.Request) error {
	if !IsToken(out.Method) || out.Method == "CONNECT" {
		return errors.New("the method cannot be sent")
	}
	if out.Path != "*" && (out.Path == "" || out.Path[0] != '/') || !hasOnly(out.Path, TargetByte) || !hasOnly(out.Query, TargetByte) {
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

// appendAnswerHead writes the fields the walk gave, and the framing.
func AppendResponseHead(b []byte, resp *wire.Response, chunked, close bool) ([]byte, error) {
	if resp.Status < 100 || resp.Status > 999 {
		return nil, errors.New("wire: the answer has no status")
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
		b = appendAnnounced(b, resp.AnnouncedTrailers)
	case resp.Status == http.StatusSwitchingProtocols:
		b = append(b, "Connection: Upgrade\r\nUpgrade: websocket\r\n"...)
	case resp.Status < 200 || resp.Status == http.StatusNoContent: // RFC 9110 section 8.6
	case resp.Length >= 0 && (resp.Length > 0 || resp.Status != http.StatusNotModified):
		b = append(b, "Content-Length: "...)
		b = strconv.AppendInt(b, resp.Length, 10)
		b = append(b, '\r', '\n')
	}
	if close {
		b = append(b, "Connection: close\r\n"...)
	}
	return append(b, '\r', '\n'), nil
}

// appendAnnounced writes Trailer with the names that may come after a body.
func appendAnnounced(b []byte, names string) []byte {
	list := ""
	EachListMember(names, func(name string) bool {
		if IsToken(name) && !ForbiddenInTrailer(name) {
			list = AppendListMember(list, name)
		}
		return true
	})
	if list == "" {
		return b
	}
	b = append(b, "Trailer: "...)
	b = append(b, list...)
	return append(b, '\r', '\n')
}

// addMember appends a member to a comma-separated list.
func AppendListMember(list, member string) string {
	if list == "" {
		return member
	}
	return list + ", " + member
}

// appendFields writes fields as they are, without those that the wire sets.
func appendFields(b []byte, fields []wire.Field) ([]byte, error) {
	for i := range fields {
		f := &fields[i]
		if m := RoleOf(f.Name); m != RoleEndToEnd && m != RoleContentType && !strings.EqualFold(f.Name, "proxy-authenticate") {
			continue
		}
		if strings.IndexByte(f.Value, '\n') >= 0 || strings.IndexByte(f.Value, '\r') >= 0 || !IsToken(f.Name) {
			return nil, errSplit
		}
		b = append(b, f.Name...)
		b = append(b, ':', ' ')
		b = append(b, f.Value...)
		b = append(b, '\r', '\n')
	}
	return b, nil
}

const lastChunk = "0\r\n\r\n"

// The space that a chunk in place needs around its data.
const (
	chunkHeadSpace = len("7ff8\r\n")
	chunkTailSpace = len("\r\n") + len(lastChunk)
)

// ChunkPayload returns the part of buf for the data of a chunk. FrameChunk frames
// the data in place and AppendLastChunk appends to it without allocating. buf must
// be shorter than 64 KiB.
func ChunkPayload(buf []byte) []byte { return buf[chunkHeadSpace : len(buf)-chunkTailSpace] }

// FrameChunk frames the first n bytes of ChunkPayload(buf) as a chunk (RFC 9112
// section 7.1) and returns it. The result is a part of buf. n must not be 0, which
// would end the body.
func FrameChunk(buf []byte, n int) []byte {
	const hex = "0123456789abcdef"
	end := chunkHeadSpace + n
	at := chunkHeadSpace - 2
	buf[at], buf[at+1] = '\r', '\n'
	for size := n; size > 0; size >>= 4 {
		at--
		buf[at] = hex[size&15]
	}
	return append(buf[at:end], '\r', '\n')
}

// appendLast writes the last chunk and the trailer. What may not come after a
// body is left out, as RFC 9110 section 6.5.1 has it.
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

func StatusAllowsBody(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}
