package wire

import (
	"net/http"
	"strings"

	"golang.org/x/net/http2/hpack"
)

// head2 is the head of one stream as the agent sent it, and what is wrong with
// it: then the rest of it is of no use.
type head2 struct {
	Head
	bad      *Malformed
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
func headOf2(fields []hpack.HeaderField, open bool) *head2 {
	h := &head2{Head: Head{Proto: "HTTP/2.0", Length: -1}, open: open}
	h.bad = h.read(fields)
	return h
}

func (h *head2) read(fields []hpack.HeaderField) *Malformed {
	var p pseudo
	for len(fields) > 0 && strings.HasPrefix(fields[0].Name, ":") {
		f := &fields[0]
		fields = fields[1:]
		switch at := p.place(f.Name); {
		case at == nil:
			return Ambiguous("there is a pseudo-header field that no request has (RFC 9113 section 8.3)")
		case *at != nil:
			return Ambiguous("there are two pseudo-header fields of one name (RFC 9113 section 8.3)")
		default:
			*at = &f.Value
		}
	}
	if p.method == nil || !isToken(*p.method) || len(*p.method) > 32 {
		return Ambiguous("the method is missing or not a token")
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
func (h *head2) sift(fields []hpack.HeaderField) (host *string, bad *Malformed) {
	h.Fields = make([]Field, 0, len(fields))
	cookie, typed, lengths := -1, false, 0
	for i := range fields {
		name, value := fields[i].Name, fields[i].Value
		if bad := checkField2(name, value); bad != nil {
			return nil, bad
		}
		switch m := meaningOf(name); m {
		case endToEnd, isContentType:
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
			if m == isContentType && typed {
				return nil, Ambiguous("there is more than one Content-Type")
			}
			typed = typed || m == isContentType
			h.Fields = append(h.Fields, Field{Name: spelled(name), Value: value})
		case isHost:
			if host != nil {
				return nil, Ambiguous("there is more than one Host")
			}
			host = &value
		case isContentLength:
			if lengths++; lengths > 1 || !parseLength(value, &h.Length) {
				return nil, Ambiguous("Content-Length is not one number")
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

func checkField2(name, value string) *Malformed {
	for i := range len(name) {
		if c := name[i]; c >= 'A' && c <= 'Z' {
			return Ambiguous("a field's name has upper case letters (RFC 9113 section 8.2.1)")
		}
	}
	if strings.HasPrefix(name, ":") {
		return Ambiguous("a pseudo-header field stands behind others (RFC 9113 section 8.3)")
	}
	if bad := checkField(name, value); bad != nil {
		return bad
	}
	return checkAround(name, value)
}

// hop judges a field of one hop: HTTP/2 has next to none (RFC 9113 section 8.2.2).
func (h *head2) hop(m meaning, value string) (bad *Malformed) {
	switch m {
	case isTE:
		if !strings.EqualFold(value, "trailers") {
			return Ambiguous("TE is not trailers (RFC 9113 section 8.2.2)")
		}
		h.TakesTrailers = true
	case isExpect:
		if h.Expect || !strings.EqualFold(value, "100-continue") {
			return &Malformed{Code: CodeAmbiguous, Status: http.StatusExpectationFailed, Detail: "Expect is not exactly 100-continue"}
		}
		h.Expect = true
	case isTrailer:
		eachListed(value, func(name string) bool {
			if !isToken(name) || forbiddenInTrailer(name) {
				bad = Ambiguous("Trailer announces a field that may not come after the body (RFC 9110 section 6.5.1)")
			}
			h.Announced = addMember(h.Announced, http.CanonicalHeaderKey(name))
			return bad == nil
		})
	case isProxyAuthorization: // it named the task when the tunnel was opened
	case isH2Settings:
		return Ambiguous("HTTP2-Settings: an upgrade to h2c is not offered")
	default:
		return Ambiguous("a field of one HTTP/1.1 hop has no place in HTTP/2 (RFC 9113 section 8.2.2)")
	}
	return bad
}

// route reads where the request goes.
func (h *head2) route(p *pseudo, host *string) (bad *Malformed) {
	switch {
	case p.protocol != nil && (h.Method != http.MethodConnect || *p.protocol != "websocket"): // RFC 8441 section 4
		return Ambiguous("only an upgrade to websocket is carried")
	case p.protocol != nil && h.Length > 0:
		return Ambiguous("a CONNECT has no Content-Length")
	case p.protocol != nil:
		h.Method, h.Upgrade = http.MethodGet, "websocket"
	case h.Method == http.MethodConnect:
		return Ambiguous("CONNECT is for the proxy, not for a host behind it")
	}
	switch {
	case p.scheme == nil || *p.scheme != "https" && *p.scheme != "http":
		return Ambiguous("the scheme is missing or neither https nor http")
	case p.path == nil:
		return Ambiguous("there is no :path")
	case p.authority == nil && host == nil:
		return Ambiguous("there is neither :authority nor Host")
	case p.authority == nil:
		p.authority = host
	}
	if h.Authority, bad = checkAuthority(*p.authority); bad != nil {
		return bad
	}
	if host != nil && !sameAuthority(strings.ToLower(*host), h.Authority, *p.scheme) {
		return Ambiguous(":authority and Host do not agree")
	}
	if _, bad = parseTarget(*p.path, &h.Head, 0); bad != nil {
		return bad
	}
	return nil
}

// settle judges the length by whether a body follows.
func (h *head2) settle() *Malformed {
	switch {
	case h.Upgrade != "":
		if h.Length = 0; !h.open {
			return Ambiguous("the stream of a CONNECT was ended with its head")
		}
	case h.open:
	case h.Length > 0:
		return Ambiguous("Content-Length announces a body that does not come")
	default:
		h.Length = 0
	}
	h.Expect = h.Expect && h.Length != 0
	return nil
}

// trailers2 checks the fields of a header block behind a body.
func trailers2(fields []hpack.HeaderField) *Malformed {
	for i := range fields {
		if bad := checkField2(fields[i].Name, fields[i].Value); bad != nil {
			return bad
		}
	}
	return nil
}

// request is what goes to the walk: the head, and the body as the library gives it.
// wrong is called when the body turns out malformed.
func (h *head2) request(r *http.Request, wrong func()) (*Request, *Malformed) {
	if h.bad != nil {
		return nil, h.bad
	}
	in := &Request{Head: h.Head}
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
	in.Trailers = func() []Field { return flatten(r.Trailer) }
	return in, nil
}

func bodyless(b *exact) *Malformed {
	_, err := b.Read(make([]byte, 1))
	return BodyFault(err)
}
