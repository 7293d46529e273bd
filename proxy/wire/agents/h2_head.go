package agents

import (
	"net/http"
	"strings"

	"golang.org/x/net/http2/hpack"

	"github.com/byline-proxy/byline/proxy/wire"
	"github.com/byline-proxy/byline/proxy/wire/internal/h1"
)

// head2 is the head of one stream as the agent sent it, and what is wrong with
// it: then the rest of it is of no use.
type h2Head struct {
	wire.Head
	bad      *wire.Malformed
	stream   uint32
	open     bool   // data follow, or trailers
	priority string // for the library, which sends answers in that order (RFC 9218)
}

// pseudo are a request's pseudo-header fields (RFC 9113 section 8.3.1).
type pseudo struct{ method, scheme, authority, path, protocol *string }

func (p *pseudo) place(name string) **string {
	switch name {
	case ":method":
		return &p.method
	case ":scheme":
		return &p.scheme
	case ":authority":
		return &p.authority
	case ":path":
		return &p.path
	case ":protocol":
		return &p.protocol
	}
	return nil
}

// headOf2 reads the fields of a header block that opens a stream, under the
// checks that HTTP/1.1 gets and those of RFC 9113 section 8. open says that the
// stream was not ended with it.
func headOf2(fields []hpack.HeaderField, open bool) *h2Head {
	h := &h2Head{Head: wire.Head{Proto: "HTTP/2.0", Length: -1}, open: open}
	h.bad = h.read(fields)
	return h
}

func (h *h2Head) read(fields []hpack.HeaderField) *wire.Malformed {
	var p pseudo
	for len(fields) > 0 && strings.HasPrefix(fields[0].Name, ":") {
		f := &fields[0]
		fields = fields[1:]
		switch at := p.place(f.Name); {
		case at == nil:
			return wire.Ambiguous("there is a pseudo-header field that no request has (RFC 9113 section 8.3)")
		case *at != nil:
			return wire.Ambiguous("there are two pseudo-header fields of one name (RFC 9113 section 8.3)")
		default:
			*at = &f.Value
		}
	}
	if p.method == nil || !h1.IsToken(*p.method) || len(*p.method) > 32 {
		return wire.Ambiguous("the method is missing or not a token")
	}
	h.Method = *p.method
	host, bad := h.sift(fields)
	if bad != nil {
		return bad
	}
	if bad := h.route(&p, host); bad != nil {
		return bad
	}
	return h.settle()
}

// sift keeps the fields of both ends and learns from those of this hop. host is
// the value of Host, nil without one.
func (h *h2Head) sift(fields []hpack.HeaderField) (host *string, bad *wire.Malformed) {
	h.Fields = make([]wire.Field, 0, len(fields))
	cookie, typed, lengths := -1, false, 0
	for i := range fields {
		name, value := fields[i].Name, fields[i].Value
		if bad := checkField2(name, value); bad != nil {
			return nil, bad
		}
		switch m := h1.RoleOf(name); m {
		case h1.RoleEndToEnd, h1.RoleContentType:
			if name == "cookie" && cookie >= 0 { // crumbs of one field (RFC 9113 section 8.2.3)
				h.Fields[cookie].Value += "; " + value
				continue
			}
			if name == "cookie" {
				cookie = len(h.Fields)
			}
			if name == "priority" {
				h.priority = value
			}
			if m == h1.RoleContentType && typed {
				return nil, wire.Ambiguous("there is more than one Content-Type")
			}
			typed = typed || m == h1.RoleContentType
			h.Fields = append(h.Fields, wire.Field{Name: spelled(name), Value: value})
		case h1.RoleHost:
			if host != nil {
				return nil, wire.Ambiguous("there is more than one Host")
			}
			host = &value
		case h1.RoleContentLength:
			if lengths++; lengths > 1 || !h1.ParseLength(value, &h.Length) {
				return nil, wire.Ambiguous("Content-Length is not one number")
			}
		default:
			if bad := h.hop(m, value); bad != nil {
				return nil, bad
			}
		}
	}
	return host, nil
}

// spelled is a name as HTTP/1.1 is used to it: there are applications that look for
// that spelling.
func spelled(name string) string {
	name = http.CanonicalHeaderKey(name)
	if rest, ok := strings.CutPrefix(name, "Sec-Websocket-"); ok {
		return "Sec-WebSocket-" + rest // RFC 6455 section 11.3
	}
	return name
}

func checkField2(name, value string) *wire.Malformed {
	for i := range len(name) {
		if c := name[i]; c >= 'A' && c <= 'Z' {
			return wire.Ambiguous("a field's name has upper case letters (RFC 9113 section 8.2.1)")
		}
	}
	if strings.HasPrefix(name, ":") {
		return wire.Ambiguous("a pseudo-header field stands behind others (RFC 9113 section 8.3)")
	}
	if bad := h1.CheckField(name, value); bad != nil {
		return bad
	}
	return h1.CheckSurroundingSpace(name, value)
}

// hop judges a field of one hop: HTTP/2 has next to none (RFC 9113 section 8.2.2).
func (h *h2Head) hop(m h1.Role, value string) (bad *wire.Malformed) {
	switch m {
	case h1.RoleTE:
		if !strings.EqualFold(value, "trailers") {
			return wire.Ambiguous("TE is not trailers (RFC 9113 section 8.2.2)")
		}
		h.AcceptsTrailers = true
	case h1.RoleExpect:
		if h.ExpectContinue || !strings.EqualFold(value, "100-continue") {
			return &wire.Malformed{Code: wire.CodeAmbiguous, Status: http.StatusExpectationFailed, Detail: "Expect is not exactly 100-continue"}
		}
		h.ExpectContinue = true
	case h1.RoleTrailer:
		h1.EachListMember(value, func(name string) bool {
			if !h1.IsToken(name) || h1.ForbiddenInTrailer(name) {
				bad = wire.Ambiguous("Trailer announces a field that may not come after the body (RFC 9110 section 6.5.1)")
			}
			h.AnnouncedTrailers = h1.AppendListMember(h.AnnouncedTrailers, http.CanonicalHeaderKey(name))
			return bad == nil
		})
	case h1.RoleProxyAuthorization: // it named the task when the tunnel was opened
	case h1.RoleHTTP2Settings:
		return wire.Ambiguous("HTTP2-Settings: an upgrade to h2c is not offered")
	default:
		return wire.Ambiguous("a field of one HTTP/1.1 hop has no place in HTTP/2 (RFC 9113 section 8.2.2)")
	}
	return bad
}

// route reads where the request goes.
func (h *h2Head) route(p *pseudo, host *string) (bad *wire.Malformed) {
	switch {
	case p.protocol != nil && (h.Method != http.MethodConnect || *p.protocol != "websocket"): // RFC 8441 section 4
		return wire.Ambiguous("only an upgrade to websocket is carried")
	case p.protocol != nil && h.Length > 0:
		return wire.Ambiguous("a CONNECT has no Content-Length")
	case p.protocol != nil:
		h.Method, h.Upgrade = http.MethodGet, "websocket"
	case h.Method == http.MethodConnect:
		return wire.Ambiguous("CONNECT is for the proxy, not for a host behind it")
	}
	switch {
	case p.scheme == nil || *p.scheme != "https" && *p.scheme != "http":
		return wire.Ambiguous("the scheme is missing or neither https nor http")
	case p.path == nil:
		return wire.Ambiguous("there is no :path")
	case p.authority == nil && host == nil:
		return wire.Ambiguous("there is neither :authority nor Host")
	case p.authority == nil:
		p.authority = host
	}
	if h.Authority, bad = h1.CheckAuthority(*p.authority); bad != nil {
		return bad
	}
	if host != nil && !h1.SameAuthority(strings.ToLower(*host), h.Authority, *p.scheme) {
		return wire.Ambiguous(":authority and Host do not agree")
	}
	if _, bad = h1.ParseTarget(*p.path, &h.Head, 0); bad != nil {
		return bad
	}
	return nil
}

// settle judges the length by whether a body follows.
func (h *h2Head) settle() *wire.Malformed {
	switch {
	case h.Upgrade != "":
		if h.Length = 0; !h.open {
			return wire.Ambiguous("the stream of a CONNECT was ended with its head")
		}
	case h.open:
	case h.Length > 0:
		return wire.Ambiguous("Content-Length announces a body that does not come")
	default:
		h.Length = 0
	}
	h.ExpectContinue = h.ExpectContinue && h.Length != 0
	return nil
}

// trailers2 checks the fields of a header block behind a body.
func trailers2(fields []hpack.HeaderField) *wire.Malformed {
	for i := range fields {
		if bad := checkField2(fields[i].Name, fields[i].Value); bad != nil {
			return bad
		}
	}
	return nil
}

// request is what goes to the walk: the head, and the body as the library gives it.
// wrong is called when the body turns out malformed.
func (h *h2Head) request(r *http.Request, wrong func()) (*wire.Request, *wire.Malformed) {
	if h.bad != nil {
		return nil, h.bad
	}
	in := &wire.Request{Head: h.Head}
	switch {
	case !h.open || h.Upgrade != "":
		return in, nil
	case h.Length == 0: // whatever comes is too much
		return in, bodyless(&exact{body: r.Body, wrong: wrong})
	case h.Length > 0:
		in.Body = &exact{body: r.Body, left: h.Length, wrong: wrong}
	default:
		in.Body = r.Body
	}
	in.Trailers = func() []wire.Field { return h1.TrailerFields(r.Trailer) }
	return in, nil
}

func bodyless(b *exact) *wire.Malformed {
	_, err := b.Read(make([]byte, 1))
	return wire.BodyFault(err)
}
