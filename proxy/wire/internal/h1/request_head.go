package h1

import (
	"strings"

	"github.com/byline-proxy/byline/proxy/wire"
)

// forms are the forms of a request target that a reader takes besides the
// origin form and "*" (RFC 9112 section 3.2).
type TargetForms uint8

const (
	AbsoluteForm  TargetForms = 1 << iota // http://host/path: a proxy's own port
	AuthorityForm                         // CONNECT host:port: likewise
)

// message is a head with what only framing needs.
type RequestHead struct {
	wire.Head
	HTTP10   bool
	Close    bool // the agent wants, or HTTP/1.0 demands, no further message
	Chunked  bool
	listed   string // what Connection lists, or ""
	Trailer  string // what Trailer announces, or ""
	typed    bool
	upgrade  bool // Connection lists it
	framings int
	hosts    int
	offered  string // the value of Upgrade
}

// parseHead reads one request's head, from its request line to its empty line.
// s is kept: every string of the message is a part of it.
func ParseRequestHead(s string, m *RequestHead, allowed TargetForms, maxFields int) *wire.Malformed {
	*m = RequestHead{Head: wire.Head{Fields: m.Fields[:0]}}
	end := strings.IndexByte(s, '\r')
	if end < 0 || end+1 >= len(s) || s[end+1] != '\n' {
		return wire.Ambiguous("the request line does not end in CR LF")
	}
	line := s[:end]
	method := strings.IndexByte(line, ' ')
	if method < 0 {
		return wire.Ambiguous("the request line is not method, target and version")
	}
	last := strings.LastIndexByte(line, ' ')
	if last == method {
		return wire.Ambiguous("the request line is not method, target and version")
	}
	m.Method = line[:method]
	if !IsToken(m.Method) || len(m.Method) > 32 {
		return wire.Ambiguous("the method is not a token")
	}
	switch line[last+1:] {
	case "HTTP/1.1":
	case "HTTP/1.0":
		m.HTTP10, m.Close = true, true
	default:
		return wire.Ambiguous("the version is neither HTTP/1.1 nor HTTP/1.0")
	}
	m.Proto = "HTTP/1.1"
	var bad *wire.Malformed
	if m.Fields, bad = cutFields(s[end+2:], m.Fields, maxFields); bad != nil {
		return bad
	}
	named, bad := ParseTarget(line[method+1:last], &m.Head, allowed)
	if bad != nil {
		return bad
	}
	if bad := m.sift(); bad != nil {
		return bad
	}
	return m.settle(named, allowed)
}

// sift takes the fields of this hop out of Fields and learns from them.
func (m *RequestHead) sift() *wire.Malformed {
	kept := m.Fields[:0]
	for _, f := range m.Fields {
		switch RoleOf(f.Name) {
		case RoleEndToEnd:
			kept = append(kept, f)
		case RoleContentType:
			if m.typed {
				return wire.Ambiguous("there is more than one Content-Type")
			}
			m.typed = true
			kept = append(kept, f)
		case RoleHost:
			if m.hosts++; m.hosts > 1 {
				return wire.Ambiguous("there is more than one Host")
			}
			authority, bad := CheckAuthority(f.Value)
			if bad != nil {
				return bad
			}
			m.Authority = authority
		case RoleConnection:
			if m.listed == "" {
				m.listed = f.Value
			} else {
				m.listed += "," + f.Value
			}
		case RoleContentLength:
			if m.framings++; !ParseLength(f.Value, &m.Length) {
				return wire.Ambiguous("Content-Length is not one number")
			}
		case RoleTransferEncoding:
			if m.framings++; f.Value != "chunked" {
				return wire.Ambiguous("Transfer-Encoding is not exactly chunked")
			}
			m.Chunked, m.Length = true, -1
		case RoleTrailer:
			if m.Trailer != "" {
				return wire.Ambiguous("there is more than one Trailer")
			}
			m.Trailer = f.Value
		case RoleUpgrade:
			if m.offered != "" || f.Value == "" {
				return wire.Ambiguous("there is more than one Upgrade, or an empty one")
			}
			m.offered = f.Value
		case RoleTE:
			EachListMember(f.Value, func(coding string) bool {
				m.AcceptsTrailers = m.AcceptsTrailers || strings.EqualFold(coding, "trailers")
				return true
			})
		case RoleExpect:
			if m.ExpectContinue || !strings.EqualFold(f.Value, "100-continue") {
				return &wire.Malformed{Code: wire.CodeAmbiguous, Status: 417, Detail: "Expect is not exactly 100-continue"}
			}
			m.ExpectContinue = true
		case RoleProxyAuthorization:
			if m.ProxyAuthorization != "" {
				return wire.Ambiguous("there is more than one Proxy-Authorization")
			}
			m.ProxyAuthorization = f.Value
		case RoleHTTP2Settings:
			return wire.Ambiguous("HTTP2-Settings: an upgrade to h2c is not offered")
		}
	}
	clear(m.Fields[len(kept):])
	m.Fields = kept
	return nil
}

// settle judges the fields together, once all were seen.
func (m *RequestHead) settle(named string, allowed TargetForms) *wire.Malformed {
	switch {
	case m.framings > 1:
		return wire.Ambiguous("the body is framed twice (Content-Length, Transfer-Encoding)")
	case m.Chunked && m.HTTP10:
		return wire.Ambiguous("HTTP/1.0 has no Transfer-Encoding")
	case m.hosts == 0 && !m.HTTP10:
		return wire.Ambiguous("there is no Host")
	case named != "" && m.hosts == 1 && !SameAuthority(named, m.Authority, m.Scheme):
		return wire.Ambiguous("the target names another host than Host does")
	case m.Method == "CONNECT" && m.framings > 0:
		return wire.Ambiguous("CONNECT has no body")
	case m.Trailer != "" && !m.Chunked:
		return wire.Ambiguous("Trailer is announced for a body that is not chunked")
	}
	if named != "" {
		m.Authority = named
	}
	if m.HTTP10 || m.Length == 0 {
		m.ExpectContinue = false
	}
	if allowed&AbsoluteForm == 0 {
		m.ProxyAuthorization = ""
	}
	if m.listed != "" {
		if bad := m.obeyConnection(); bad != nil {
			return bad
		}
	}
	if bad := m.checkTrailerNames(); bad != nil {
		return bad
	}
	return m.checkUpgrade()
}

// obeyConnection drops what Connection lists (RFC 9110 section 7.6.1).
func (m *RequestHead) obeyConnection() (bad *wire.Malformed) {
	drop := false
	EachListMember(m.listed, func(option string) bool {
		switch {
		case strings.EqualFold(option, "close"):
			m.Close = true
		case strings.EqualFold(option, "keep-alive"):
		case strings.EqualFold(option, "upgrade"):
			m.upgrade = true
		case !IsToken(option):
			bad = wire.Ambiguous("Connection lists what is not a token")
		default:
			switch RoleOf(option) {
			case RoleHost, RoleContentLength, RoleTransferEncoding, RoleContentType:
				bad = wire.Ambiguous("Connection lists a field that frames or routes the message")
			}
			drop = true
		}
		return bad == nil
	})
	if bad == nil && drop {
		m.Fields = RemoveListed(m.Fields, m.listed)
	}
	return bad
}

// withoutListed drops, in place, the fields whose names list holds.
func RemoveListed(fields []wire.Field, list string) []wire.Field {
	kept := fields[:0]
	for _, f := range fields {
		listed := false
		EachListMember(list, func(option string) bool {
			listed = strings.EqualFold(option, f.Name)
			return !listed
		})
		if !listed {
			kept = append(kept, f)
		}
	}
	clear(fields[len(kept):])
	return kept
}

func (m *RequestHead) checkTrailerNames() (bad *wire.Malformed) {
	EachListMember(m.Trailer, func(name string) bool {
		if !IsToken(name) || ForbiddenInTrailer(name) {
			bad = wire.Ambiguous("Trailer announces a field that may not come after the body (RFC 9110 section 6.5.1)")
		}
		return bad == nil
	})
	return bad
}

// checkUpgrade lets only an opening handshake of a WebSocket through (RFC 6455
// section 4.1).
func (m *RequestHead) checkUpgrade() *wire.Malformed {
	switch {
	case m.offered == "" && !m.upgrade:
		return nil
	case m.offered == "" || !m.upgrade:
		return wire.Ambiguous("Upgrade and Connection: upgrade do not come together")
	case !strings.EqualFold(m.offered, "websocket"):
		return wire.Ambiguous("only an upgrade to websocket is carried (h2c is not)")
	case m.Method != "GET" || m.Length != 0 || m.HTTP10:
		return wire.Ambiguous("an upgrade is a GET without a body in HTTP/1.1")
	}
	m.Upgrade = "websocket"
	return nil
}

// announced says whether Trailer named name.
func (m *RequestHead) Announces(name string) (is bool) {
	EachListMember(m.Trailer, func(member string) bool {
		is = strings.EqualFold(member, name)
		return !is
	})
	return is
}

// parseLength takes digits without a sign, a list or a leading zero.
func ParseLength(s string, n *int64) bool {
	if s == "" || len(s) > 18 || s[0] == '0' && len(s) > 1 {
		return false
	}
	var v int64
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
		v = v*10 + int64(s[i]-'0')
	}
	*n = v
	return true
}
