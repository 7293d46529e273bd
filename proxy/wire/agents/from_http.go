package agents

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/byline-proxy/byline/proxy/wire"
	"github.com/byline-proxy/byline/proxy/wire/internal/h1"
	"github.com/byline-proxy/byline/proxy/wire/internal/netconn"
)

// FromHTTP is a request in absolute form that net/http parsed from HTTP/1.1, in
// neutral form and under the checks that all of HTTP/1.1 gets. r must not be
// changed while the Request is used.
func fromHTTP(r *http.Request) (*wire.Request, *wire.Malformed) {
	in := &wire.Request{Head: wire.Head{Proto: "HTTP/1.1", Method: r.Method, Scheme: "http", Length: r.ContentLength}}
	if !h1.IsToken(r.Method) || len(r.Method) > 32 {
		return nil, wire.Ambiguous("the method is not a token")
	}
	var bad *wire.Malformed
	if in.Authority, bad = h1.CheckAuthority(r.Host); bad != nil {
		return nil, bad
	}
	if bad = readTarget(in, r); bad != nil {
		return nil, bad
	}
	if bad = readFields(in, r); bad != nil {
		return nil, bad
	}
	if r.Body != nil && r.Body != http.NoBody && in.Length != 0 {
		in.Body = &declared{Reader: r.Body, ctx: r.Context(), left: in.Length}
		in.Trailers = func() []wire.Field { return h1.TrailerFields(r.Trailer) }
	} else {
		in.Length = 0
	}
	for name := range r.Trailer {
		if !h1.IsToken(name) || h1.ForbiddenInTrailer(name) {
			return nil, wire.Ambiguous("Trailer announces a field that may not come after the body (RFC 9110 section 6.5.1)")
		}
		in.AnnouncedTrailers = h1.AppendListMember(in.AnnouncedTrailers, name)
	}
	return in, nil
}

func readTarget(in *wire.Request, r *http.Request) *wire.Malformed {
	scheme := in.Scheme
	named, bad := h1.ParseTarget(r.RequestURI, &in.Head, h1.AbsoluteForm)
	if bad != nil {
		return bad
	}
	in.Scheme = scheme
	if named != "" {
		if !h1.SameAuthority(named, in.Authority, scheme) {
			return wire.Ambiguous("the target names another host than Host does")
		}
		in.Authority = named
	}
	return nil
}

func readFields(in *wire.Request, r *http.Request) *wire.Malformed {
	n := 0
	for _, values := range r.Header {
		n += len(values)
	}
	all := make([]wire.Field, 0, n)
	for name, values := range r.Header {
		for _, v := range values {
			all = append(all, wire.Field{Name: spelled(name), Value: v})
		}
	}
	// net/http keeps no order among names; a settled one keeps records and tests stable.
	h1.SortFields(all)
	in.Fields = all[:0]
	typed := false
	for _, f := range all {
		if bad := h1.CheckField(f.Name, f.Value); bad != nil {
			return bad
		}
		if bad := h1.CheckSurroundingSpace(f.Name, f.Value); bad != nil {
			return bad
		}
		switch m := h1.RoleOf(f.Name); m {
		case h1.RoleEndToEnd:
			in.Fields = append(in.Fields, f)
		case h1.RoleContentType:
			if typed {
				return wire.Ambiguous("there is more than one Content-Type")
			}
			typed = true
			in.Fields = append(in.Fields, f)
		default:
			if bad := readHopField(in, r, m, f); bad != nil {
				return bad
			}
		}
	}
	if listed := strings.Join(r.Header["Connection"], ","); listed != "" {
		in.Fields = h1.RemoveListed(in.Fields, listed)
	}
	return nil
}

// readHopField judges a field of this hop alone.
func readHopField(in *wire.Request, r *http.Request, m h1.Role, f wire.Field) *wire.Malformed {
	switch m {
	case h1.RoleHost:
		if !h1.SameAuthority(strings.ToLower(f.Value), in.Authority, in.Scheme) {
			return wire.Ambiguous("the target names another host than Host does")
		}
	case h1.RoleTE:
		in.AcceptsTrailers = in.AcceptsTrailers || strings.EqualFold(f.Value, "trailers")
	case h1.RoleContentLength:
		var n int64
		if !h1.ParseLength(f.Value, &n) || len(r.Header["Content-Length"]) > 1 || n != r.ContentLength && r.ContentLength >= 0 {
			return wire.Ambiguous("Content-Length is not one number")
		}
	case h1.RoleExpect:
		if !strings.EqualFold(f.Value, "100-continue") {
			return &wire.Malformed{Code: wire.CodeAmbiguous, Status: 417, Detail: "Expect is not exactly 100-continue"}
		}
	case h1.RoleProxyAuthorization:
		in.ProxyAuthorization = f.Value
	case h1.RoleHTTP2Settings:
		return wire.Ambiguous("HTTP2-Settings: an upgrade to h2c is not offered")
	case h1.RoleUpgrade:
		if !strings.EqualFold(f.Value, "websocket") {
			return wire.Ambiguous("only an upgrade to websocket is carried (h2c is not)")
		}
		in.Upgrade = "websocket"
	}
	return nil
}

// declared is a body whose length was declared. The library ends one that turns
// out shorter or longer with an error without a type; one that the agent cut ends
// with its context.
type declared struct {
	io.Reader
	ctx  context.Context
	left int64 // less than 0 if no length was declared
}

func (b *declared) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if b.left >= 0 {
		b.left -= int64(n)
	}
	if err != nil && err != io.EOF && b.left > 0 && !netconn.IsTimeout(err) && b.ctx.Err() == nil && wire.BodyFault(err) == nil {
		err = errors.Join(io.ErrUnexpectedEOF, err)
	}
	return n, err
}
