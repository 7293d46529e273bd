package agents

import (
	"net/http"
	"strings"

	"golang.org/x/net/http2/hpack"

	"github.com/byline-proxy/byline/proxy/wire"
	"github.com/byline-proxy/byline/proxy/wire/internal/h1"
)

// h2Head is the head of one stream as the agent sent it.
type h2Head struct {
	wire.Head
	malformed *wire.Malformed // if it is not nil, Head is incomplete
	stream    uint32
	open      bool   // data or trailers follow
	priority  string // for the library, which orders responses by it (RFC 9218)
}

// pseudoFields are the pseudo-header fields of a request (RFC 9113 section 8.3.1). A
// field that is missing is nil.
type pseudoFields struct{ method, scheme, authority, path, protocol *string }

// maxPseudoFields is the number of fields in pseudoFields.
const maxPseudoFields = 5

// place returns where the value of the named field is kept, nil for a name that is
// not defined.
func (p *pseudoFields) place(name string) **string {
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

// newH2Head reads the fields of a header block that opens a stream, under the checks
// of HTTP/1.1 and those of RFC 9113 section 8. open says that the stream did not end
// with the block.
func newH2Head(fields []hpack.HeaderField, open bool) *h2Head {
	h := &h2Head{Head: wire.Head{Proto: "HTTP/2.0", Length: -1}, open: open}
	h.malformed = h.read(fields)
	return h
}

func (h *h2Head) read(fields []hpack.HeaderField) *wire.Malformed {
	var pseudo pseudoFields
	for len(fields) > 0 && strings.HasPrefix(fields[0].Name, ":") {
		place := pseudo.place(fields[0].Name)
		if place == nil {
			return wire.Ambiguous("there is a pseudo-header field that no request has (RFC 9113 section 8.3)")
		}
		if *place != nil {
			return wire.Ambiguous("there are two pseudo-header fields of one name (RFC 9113 section 8.3)")
		}
		*place = &fields[0].Value
		fields = fields[1:]
	}
	if pseudo.method == nil || !h1.IsMethod(*pseudo.method) {
		return wire.Ambiguous("the method is missing or not a token")
	}
	h.Method = *pseudo.method

	host, bad := h.readFields(fields)
	if bad != nil {
		return bad
	}
	if bad := h.readRouting(&pseudo, host); bad != nil {
		return bad
	}
	return h.checkLength()
}

// readFields keeps the fields that are passed on and notes what the others say. host
// is the value of Host, nil without one.
func (h *h2Head) readFields(fields []hpack.HeaderField) (host *string, bad *wire.Malformed) {
	h.Fields = make([]wire.Field, 0, len(fields))
	cookie := -1 // index of the Cookie field
	hasContentType := false
	lengths := 0

	for i := range fields {
		name, value := fields[i].Name, fields[i].Value
		if bad := checkH2Field(name, value); bad != nil {
			return nil, bad
		}
		switch role := h1.RoleOf(name); role {
		case h1.RoleEndToEnd, h1.RoleContentType:
			if name == "cookie" && cookie >= 0 { // one field in parts (RFC 9113 section 8.2.3)
				h.Fields[cookie].Value += "; " + value
				continue
			}
			if name == "cookie" {
				cookie = len(h.Fields)
			}
			if name == "priority" {
				h.priority = value
			}
			if role == h1.RoleContentType {
				if hasContentType {
					return nil, wire.Ambiguous("there is more than one Content-Type")
				}
				hasContentType = true
			}
			h.Fields = append(h.Fields, wire.Field{Name: canonicalName(name), Value: value})

		case h1.RoleHost:
			if host != nil {
				return nil, wire.Ambiguous("there is more than one Host")
			}
			host = &fields[i].Value // and not of a copy, which would be allocated for each field

		case h1.RoleContentLength:
			if lengths++; lengths > 1 || !h1.ParseLength(value, &h.Length) {
				return nil, wire.Ambiguous("Content-Length is not one number")
			}

		default:
			if bad := h.readHopField(role, value); bad != nil {
				return nil, bad
			}
		}
	}
	return host, nil
}

// checkH2Field refuses a field that is malformed in HTTP/2, or in all versions.
func checkH2Field(name, value string) *wire.Malformed {
	for i := range len(name) {
		if c := name[i]; c >= 'A' && c <= 'Z' {
			return wire.Ambiguous("a field's name has upper case letters (RFC 9113 section 8.2.1)")
		}
	}
	if strings.HasPrefix(name, ":") {
		return wire.Ambiguous("a pseudo-header field comes after other fields (RFC 9113 section 8.3)")
	}
	if bad := h1.CheckField(name, value); bad != nil {
		return bad
	}
	return h1.CheckSurroundingSpace(name, value)
}

// readHopField reads a field that concerns one hop. HTTP/2 has very few of them (RFC
// 9113 section 8.2.2).
func (h *h2Head) readHopField(role h1.Role, value string) *wire.Malformed {
	switch role {
	case h1.RoleTE:
		if !strings.EqualFold(value, "trailers") {
			return wire.Ambiguous("TE is not trailers (RFC 9113 section 8.2.2)")
		}
		h.AcceptsTrailers = true

	case h1.RoleExpect:
		if h.ExpectContinue || !strings.EqualFold(value, "100-continue") {
			return h1.ExpectationFailed()
		}
		h.ExpectContinue = true

	case h1.RoleTrailer:
		if bad := h1.CheckAnnouncedTrailers(value); bad != nil {
			return bad
		}
		h1.EachListMember(value, func(name string) bool {
			h.AnnouncedTrailers = h1.AppendListMember(h.AnnouncedTrailers, http.CanonicalHeaderKey(name))
			return true
		})

	case h1.RoleProxyAuthorization:
		// It named the task when the tunnel was opened.

	case h1.RoleHTTP2Settings:
		return wire.Ambiguous("HTTP2-Settings: an upgrade to h2c is not offered")

	default:
		return wire.Ambiguous("a field of one HTTP/1.1 hop has no place in HTTP/2 (RFC 9113 section 8.2.2)")
	}
	return nil
}

// readRouting reads where the request goes.
func (h *h2Head) readRouting(p *pseudoFields, host *string) (bad *wire.Malformed) {
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
	_, bad = h1.ParseTarget(*p.path, &h.Head, 0)
	return bad
}

// checkLength judges Length by whether a body follows.
func (h *h2Head) checkLength() *wire.Malformed {
	switch {
	case h.Upgrade != "":
		if !h.open {
			return wire.Ambiguous("the stream of a CONNECT was ended with its head")
		}
		h.Length = 0
	case h.open:
	case h.Length > 0:
		return wire.Ambiguous("Content-Length announces a body that does not come")
	default:
		h.Length = 0
	}
	h.ExpectContinue = h.ExpectContinue && h.Length != 0
	return nil
}

// checkH2Trailers checks the fields of a header block that follows a body.
func checkH2Trailers(fields []hpack.HeaderField) *wire.Malformed {
	for i := range fields {
		if bad := checkH2Field(fields[i].Name, fields[i].Value); bad != nil {
			return bad
		}
	}
	return nil
}

// request returns the request with its body as the library reads it. c learns if the
// body turns out to have another length than declared.
func (h *h2Head) request(r *http.Request, c *h2Conn) (*wire.Request, *wire.Malformed) {
	if h.malformed != nil {
		return nil, h.malformed
	}

	in := &wire.Request{Head: h.Head}
	if !h.open || h.Upgrade != "" {
		return in, nil
	}

	wrongLength := func() { c.noteMalformedBody(h.stream) }
	switch {
	case h.Length == 0:
		return in, checkEmptyBody(&exactBody{body: r.Body, wrongLength: wrongLength})
	case h.Length > 0:
		in.Body = &exactBody{body: r.Body, left: h.Length, wrongLength: wrongLength}
	default:
		in.Body = r.Body
	}
	in.Trailers = func() []wire.Field { return h1.TrailerFields(r.Trailer) }
	return in, nil
}

// checkEmptyBody waits for the end of a body whose declared length is 0.
func checkEmptyBody(b *exactBody) *wire.Malformed {
	_, err := b.Read(make([]byte, 1))
	return wire.BodyFault(err)
}
