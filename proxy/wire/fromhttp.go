package wire

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
)

// FromHTTP is a request in absolute form that net/http parsed from HTTP/1.1, in
// neutral form and under the checks that all of HTTP/1.1 gets. r must not be
// changed while the Request is used.
func FromHTTP(r *http.Request) (*Request, *Malformed) {
	in := &Request{Head: Head{Proto: "HTTP/1.1", Method: r.Method, Scheme: "http", Length: r.ContentLength}}
	if !isToken(r.Method) || len(r.Method) > 32 {
		return nil, Ambiguous("the method is not a token")
	}
	var bad *Malformed
	if in.Authority, bad = checkAuthority(r.Host); bad != nil {
		return nil, bad
	}
	if bad = in.targetOf(r); bad != nil {
		return nil, bad
	}
	if bad = in.fieldsOf(r); bad != nil {
		return nil, bad
	}
	if r.Body != nil && r.Body != http.NoBody && in.Length != 0 {
		in.Body = &declared{Reader: r.Body, ctx: r.Context(), left: in.Length}
		in.Trailers = func() []Field { return flatten(r.Trailer) }
	} else {
		in.Length = 0
	}
	for name := range r.Trailer {
		if !isToken(name) || forbiddenInTrailer(name) {
			return nil, Ambiguous("Trailer announces a field that may not come after the body (RFC 9110 section 6.5.1)")
		}
		in.Announced = addMember(in.Announced, name)
	}
	return in, nil
}

func (in *Request) targetOf(r *http.Request) *Malformed {
	scheme := in.Scheme
	named, bad := parseTarget(r.RequestURI, &in.Head, absoluteForm)
	if bad != nil {
		return bad
	}
	in.Scheme = scheme
	if named != "" {
		if !sameAuthority(named, in.Authority, scheme) {
			return Ambiguous("the target names another host than Host does")
		}
		in.Authority = named
	}
	return nil
}

func (in *Request) fieldsOf(r *http.Request) *Malformed {
	n := 0
	for _, values := range r.Header {
		n += len(values)
	}
	all := make([]Field, 0, n)
	for name, values := range r.Header {
		for _, v := range values {
			all = append(all, Field{Name: spelled(name), Value: v})
		}
	}
	// net/http keeps no order among names; a settled one keeps records and tests stable.
	sortByName(all)
	in.Fields = all[:0]
	typed := false
	for _, f := range all {
		if bad := checkField(f.Name, f.Value); bad != nil {
			return bad
		}
		if bad := checkAround(f.Name, f.Value); bad != nil {
			return bad
		}
		switch m := meaningOf(f.Name); m {
		case endToEnd:
			in.Fields = append(in.Fields, f)
		case isContentType:
			if typed {
				return Ambiguous("there is more than one Content-Type")
			}
			typed = true
			in.Fields = append(in.Fields, f)
		default:
			if bad := in.hop(r, m, f); bad != nil {
				return bad
			}
		}
	}
	if listed := strings.Join(r.Header["Connection"], ","); listed != "" {
		in.Fields = withoutListed(in.Fields, listed)
	}
	return nil
}

// hop judges a field of this hop alone.
func (in *Request) hop(r *http.Request, m meaning, f Field) *Malformed {
	switch m {
	case isHost:
		if !sameAuthority(strings.ToLower(f.Value), in.Authority, in.Scheme) {
			return Ambiguous("the target names another host than Host does")
		}
	case isTE:
		in.TakesTrailers = in.TakesTrailers || strings.EqualFold(f.Value, "trailers")
	case isContentLength:
		var n int64
		if !parseLength(f.Value, &n) || len(r.Header["Content-Length"]) > 1 || n != r.ContentLength && r.ContentLength >= 0 {
			return Ambiguous("Content-Length is not one number")
		}
	case isExpect:
		if !strings.EqualFold(f.Value, "100-continue") {
			return &Malformed{Code: CodeAmbiguous, Status: 417, Detail: "Expect is not exactly 100-continue"}
		}
	case isProxyAuthorization:
		in.ProxyAuthorization = f.Value
	case isH2Settings:
		return Ambiguous("HTTP2-Settings: an upgrade to h2c is not offered")
	case isUpgrade:
		if !strings.EqualFold(f.Value, "websocket") {
			return Ambiguous("only an upgrade to websocket is carried (h2c is not)")
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
	if err != nil && err != io.EOF && b.left > 0 && !isTimeout(err) && b.ctx.Err() == nil && BodyFault(err) == nil {
		err = errors.Join(io.ErrUnexpectedEOF, err)
	}
	return n, err
}
