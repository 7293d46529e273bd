package wire

import (
	"strings"
)

// forms are the forms of a request target that a reader takes besides the
// origin form and "*" (RFC 9112 section 3.2).
type forms uint8

const (
	absoluteForm  forms = 1 << iota // http://host/path: a proxy's own port
	authorityForm                   // CONNECT host:port: likewise
)

// message is a head with what only framing needs.
type message struct {
	Head
	http10   bool
	close    bool // the agent wants, or HTTP/1.0 demands, no further message
	expect   bool // 100-continue
	chunked  bool
	listed   string // what Connection lists, or ""
	trailer  string // what Trailer announces, or ""
	typed    bool
	upgrade  bool // Connection lists it
	framings int
	hosts    int
	offered  string // the value of Upgrade
}

// parseHead reads one request's head, from its request line to its empty line.
// s is kept: every string of the message is a part of it.
func parseHead(s string, m *message, allowed forms, maxFields int) *Malformed {
	*m = message{Head: Head{Fields: m.Fields[:0]}}
	end := strings.IndexByte(s, '\r')
	if end < 0 || end+1 >= len(s) || s[end+1] != '\n' {
		return Ambiguous("the request line does not end in CR LF")
	}
	line := s[:end]
	method := strings.IndexByte(line, ' ')
	if method < 0 {
		return Ambiguous("the request line is not method, target and version")
	}
	last := strings.LastIndexByte(line, ' ')
	if last == method {
		return Ambiguous("the request line is not method, target and version")
	}
	m.Method = line[:method]
	if !isToken(m.Method) || len(m.Method) > 32 {
		return Ambiguous("the method is not a token")
	}
	switch line[last+1:] {
	case "HTTP/1.1":
	case "HTTP/1.0":
		m.http10, m.close = true, true
	default:
		return Ambiguous("the version is neither HTTP/1.1 nor HTTP/1.0")
	}
	m.Proto = "HTTP/1.1"
	var bad *Malformed
	if m.Fields, bad = cutFields(s[end+2:], m.Fields, maxFields); bad != nil {
		return bad
	}
	named, bad := parseTarget(line[method+1:last], &m.Head, allowed)
	if bad != nil {
		return bad
	}
	if bad := m.sift(); bad != nil {
		return bad
	}
	return m.settle(named, allowed)
}

// sift takes the fields of this hop out of Fields and learns from them.
func (m *message) sift() *Malformed {
	kept := m.Fields[:0]
	for _, f := range m.Fields {
		switch meaningOf(f.Name) {
		case endToEnd:
			kept = append(kept, f)
		case isContentType:
			if m.typed {
				return Ambiguous("there is more than one Content-Type")
			}
			m.typed = true
			kept = append(kept, f)
		case isHost:
			if m.hosts++; m.hosts > 1 {
				return Ambiguous("there is more than one Host")
			}
			authority, bad := checkAuthority(f.Value)
			if bad != nil {
				return bad
			}
			m.Authority = authority
		case isConnection:
			if m.listed == "" {
				m.listed = f.Value
			} else {
				m.listed += "," + f.Value
			}
		case isContentLength:
			if m.framings++; !parseLength(f.Value, &m.Length) {
				return Ambiguous("Content-Length is not one number")
			}
		case isTransferEncoding:
			if m.framings++; f.Value != "chunked" {
				return Ambiguous("Transfer-Encoding is not exactly chunked")
			}
			m.chunked, m.Length = true, -1
		case isTrailer:
			if m.trailer != "" {
				return Ambiguous("there is more than one Trailer")
			}
			m.trailer = f.Value
		case isUpgrade:
			if m.offered != "" || f.Value == "" {
				return Ambiguous("there is more than one Upgrade, or an empty one")
			}
			m.offered = f.Value
		case isTE:
			eachListed(f.Value, func(coding string) bool {
				m.TakesTrailers = m.TakesTrailers || strings.EqualFold(coding, "trailers")
				return true
			})
		case isExpect:
			if m.expect || !strings.EqualFold(f.Value, "100-continue") {
				return &Malformed{Code: CodeAmbiguous, Status: 417, Detail: "Expect is not exactly 100-continue"}
			}
			m.expect = true
		case isProxyAuthorization:
			if m.ProxyAuthorization != "" {
				return Ambiguous("there is more than one Proxy-Authorization")
			}
			m.ProxyAuthorization = f.Value
		case isH2Settings:
			return Ambiguous("HTTP2-Settings: an upgrade to h2c is not offered")
		}
	}
	clear(m.Fields[len(kept):])
	m.Fields = kept
	return nil
}

// settle judges the fields together, once all were seen.
func (m *message) settle(named string, allowed forms) *Malformed {
	switch {
	case m.framings > 1:
		return Ambiguous("the body is framed twice (Content-Length, Transfer-Encoding)")
	case m.chunked && m.http10:
		return Ambiguous("HTTP/1.0 has no Transfer-Encoding")
	case m.hosts == 0 && !m.http10:
		return Ambiguous("there is no Host")
	case named != "" && m.hosts == 1 && !sameAuthority(named, m.Authority, m.Scheme):
		return Ambiguous("the target names another host than Host does")
	case m.Method == "CONNECT" && m.framings > 0:
		return Ambiguous("CONNECT has no body")
	case m.trailer != "" && !m.chunked:
		return Ambiguous("Trailer is announced for a body that is not chunked")
	}
	if named != "" {
		m.Authority = named
	}
	if m.http10 || m.Length == 0 {
		m.expect = false
	}
	if allowed&absoluteForm == 0 {
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
func (m *message) obeyConnection() (bad *Malformed) {
	drop := false
	eachListed(m.listed, func(option string) bool {
		switch {
		case strings.EqualFold(option, "close"):
			m.close = true
		case strings.EqualFold(option, "keep-alive"):
		case strings.EqualFold(option, "upgrade"):
			m.upgrade = true
		case !isToken(option):
			bad = Ambiguous("Connection lists what is not a token")
		default:
			switch meaningOf(option) {
			case isHost, isContentLength, isTransferEncoding, isContentType:
				bad = Ambiguous("Connection lists a field that frames or routes the message")
			}
			drop = true
		}
		return bad == nil
	})
	if bad == nil && drop {
		m.Fields = withoutListed(m.Fields, m.listed)
	}
	return bad
}

// withoutListed drops, in place, the fields whose names list holds.
func withoutListed(fields []Field, list string) []Field {
	kept := fields[:0]
	for _, f := range fields {
		listed := false
		eachListed(list, func(option string) bool {
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

func (m *message) checkTrailerNames() (bad *Malformed) {
	eachListed(m.trailer, func(name string) bool {
		if !isToken(name) || forbiddenInTrailer(name) {
			bad = Ambiguous("Trailer announces a field that may not come after the body (RFC 9110 section 6.5.1)")
		}
		return bad == nil
	})
	return bad
}

// checkUpgrade lets only an opening handshake of a WebSocket through (RFC 6455
// section 4.1).
func (m *message) checkUpgrade() *Malformed {
	switch {
	case m.offered == "" && !m.upgrade:
		return nil
	case m.offered == "" || !m.upgrade:
		return Ambiguous("Upgrade and Connection: upgrade do not come together")
	case !strings.EqualFold(m.offered, "websocket"):
		return Ambiguous("only an upgrade to websocket is carried (h2c is not)")
	case m.Method != "GET" || m.Length != 0 || m.http10:
		return Ambiguous("an upgrade is a GET without a body in HTTP/1.1")
	}
	m.Upgrade = "websocket"
	return nil
}

// announced says whether Trailer named name.
func (m *message) announced(name string) (is bool) {
	eachListed(m.trailer, func(member string) bool {
		is = strings.EqualFold(member, name)
		return !is
	})
	return is
}

// parseLength takes digits without a sign, a list or a leading zero.
func parseLength(s string, n *int64) bool {
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
