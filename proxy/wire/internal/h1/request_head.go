package h1

import (
	"strings"

	"github.com/byline-proxy/byline/proxy/wire"
)

// maxMethod is the length of the longest method, in bytes.
const maxMethod = 32

// RequestHead is the head of a request with what only its connection needs.
type RequestHead struct {
	wire.Head

	// HTTP10 reports that the request's version is HTTP/1.0.
	HTTP10 bool
	// Close reports that no further request follows on the connection: Connection
	// lists close, or the version is HTTP/1.0.
	Close bool
	// Chunked reports that the body is chunked.
	Chunked bool

	// What the fields said, until checkTogether judges it.
	connection     string // the values of Connection, joined by commas
	upgrade        string // the value of Upgrade
	wantsUpgrade   bool   // Connection lists upgrade
	hasContentType bool
	hosts          int // fields named Host
	framings       int // fields that frame the body
}

// ParseRequestHead reads a head from its request line to its empty line into m. It
// accepts the origin form of a target, "*", and the allowed forms. Strings of m are
// parts of s; m reuses the memory of its Fields.
func ParseRequestHead(s string, m *RequestHead, allowed TargetForms, maxFields int) *wire.Malformed {
	*m = RequestHead{Head: wire.Head{Fields: m.Fields[:0]}}

	end := strings.IndexByte(s, '\r')
	if end < 0 || end+1 >= len(s) || s[end+1] != '\n' {
		return wire.Ambiguous("the request line does not end in CR LF")
	}
	target, bad := m.parseRequestLine(s[:end])
	if bad != nil {
		return bad
	}
	if m.Fields, bad = parseFields(s[end+2:], m.Fields, maxFields); bad != nil {
		return bad
	}

	named, bad := ParseTarget(target, &m.Head, allowed)
	if bad != nil {
		return bad
	}
	if bad := m.readFraming(); bad != nil {
		return bad
	}
	return m.checkTogether(named, allowed)
}

// parseRequestLine reads method and version, and returns the target.
func (m *RequestHead) parseRequestLine(line string) (target string, bad *wire.Malformed) {
	first, last := strings.IndexByte(line, ' '), strings.LastIndexByte(line, ' ')
	if first == last { // also if there is no space
		return "", wire.Ambiguous("the request line is not method, target and version")
	}

	m.Method = line[:first]
	if !IsMethod(m.Method) {
		return "", wire.Ambiguous("the method is not a token")
	}
	switch line[last+1:] {
	case "HTTP/1.1":
	case "HTTP/1.0":
		m.HTTP10, m.Close = true, true
	default:
		return "", wire.Ambiguous("the version is neither HTTP/1.1 nor HTTP/1.0")
	}
	m.Proto = "HTTP/1.1"
	return line[first+1 : last], nil
}

// IsMethod reports whether s is a token of a length that methods have.
func IsMethod(s string) bool { return IsToken(s) && len(s) <= maxMethod }

// readFraming removes from Fields the fields that frame and route the message or
// concern this hop, and notes what they say.
func (m *RequestHead) readFraming() *wire.Malformed {
	kept := m.Fields[:0]
	for _, f := range m.Fields {
		switch RoleOf(f.Name) {
		case RoleEndToEnd:
			kept = append(kept, f)

		case RoleContentType:
			if m.hasContentType {
				return wire.Ambiguous("there is more than one Content-Type")
			}
			m.hasContentType = true
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
			if m.connection == "" {
				m.connection = f.Value
			} else {
				m.connection += "," + f.Value
			}

		case RoleContentLength:
			m.framings++
			if !ParseLength(f.Value, &m.Length) {
				return wire.Ambiguous("Content-Length is not one number")
			}

		case RoleTransferEncoding:
			m.framings++
			if f.Value != "chunked" {
				return wire.Ambiguous("Transfer-Encoding is not exactly chunked")
			}
			m.Chunked, m.Length = true, -1

		case RoleTrailer:
			if m.AnnouncedTrailers != "" {
				return wire.Ambiguous("there is more than one Trailer")
			}
			m.AnnouncedTrailers = f.Value

		case RoleUpgrade:
			if m.upgrade != "" || f.Value == "" {
				return wire.Ambiguous("there is more than one Upgrade, or an empty one")
			}
			m.upgrade = f.Value

		case RoleTE:
			EachListMember(f.Value, func(coding string) bool {
				m.AcceptsTrailers = m.AcceptsTrailers || strings.EqualFold(coding, "trailers")
				return true
			})

		case RoleExpect:
			if m.ExpectContinue || !strings.EqualFold(f.Value, "100-continue") {
				return ExpectationFailed()
			}
			m.ExpectContinue = true

		case RoleProxyAuthorization:
			if m.ProxyAuthorization != "" {
				return wire.Ambiguous("there is more than one Proxy-Authorization")
			}
			m.ProxyAuthorization = f.Value

		case RoleHTTP2Settings: // of an offer that is not taken: see checkUpgrade
		}
	}

	clear(m.Fields[len(kept):])
	m.Fields = kept
	return nil
}

// ExpectationFailed returns the answer to an Expect that is not 100-continue (RFC
// 9110 section 10.1.1).
func ExpectationFailed() *wire.Malformed {
	return &wire.Malformed{Code: wire.CodeAmbiguous, Status: 417, Detail: "Expect is not exactly 100-continue"}
}

// checkTogether judges what the fields say together. named is the authority in the
// target, "" if there is none.
func (m *RequestHead) checkTogether(named string, allowed TargetForms) *wire.Malformed {
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
	case m.AnnouncedTrailers != "" && !m.Chunked:
		return wire.Ambiguous("Trailer is announced for a body that is not chunked")
	}

	if named != "" {
		m.Authority = named
	}
	if m.HTTP10 || m.Length == 0 {
		m.ExpectContinue = false // RFC 9110 section 10.1.1
	}
	if allowed&AbsoluteForm == 0 {
		m.ProxyAuthorization = ""
	}

	if m.connection != "" {
		if bad := m.obeyConnection(); bad != nil {
			return bad
		}
	}
	if bad := CheckAnnouncedTrailers(m.AnnouncedTrailers); bad != nil {
		return bad
	}
	return m.checkUpgrade(allowed)
}

// obeyConnection removes the fields that Connection lists (RFC 9110 section 7.6.1).
func (m *RequestHead) obeyConnection() (bad *wire.Malformed) {
	listsFields := false
	EachListMember(m.connection, func(option string) bool {
		switch {
		case strings.EqualFold(option, "close"):
			m.Close = true
		case strings.EqualFold(option, "keep-alive"):
		case strings.EqualFold(option, "upgrade"):
			m.wantsUpgrade = true
		case !IsToken(option):
			bad = wire.Ambiguous("Connection lists what is not a token")
		default:
			switch RoleOf(option) {
			case RoleHost, RoleContentLength, RoleTransferEncoding, RoleContentType:
				bad = wire.Ambiguous("Connection lists a field that frames or routes the message")
			}
			listsFields = true
		}
		return bad == nil
	})

	if bad == nil && listsFields {
		m.Fields = RemoveListed(m.Fields, m.connection)
	}
	return bad
}

// CheckAnnouncedTrailers refuses a Trailer value that lists a field which must not
// come after the body.
func CheckAnnouncedTrailers(list string) (bad *wire.Malformed) {
	EachListMember(list, func(name string) bool {
		if !IsToken(name) || ForbiddenInTrailer(name) {
			bad = wire.Ambiguous("Trailer announces a field that may not come after the body (RFC 9110 section 6.5.1)")
		}
		return bad == nil
	})
	return bad
}

// checkUpgrade accepts only the opening handshake of a WebSocket (RFC 6455 section
// 4.1). An offer of HTTP/2 in the clear is not taken, and the request served as it is (RFC
// 9110 section 7.8): curl and Java offer it for every http URL.
func (m *RequestHead) checkUpgrade(allowed TargetForms) *wire.Malformed {
	switch {
	case m.upgrade == "" && !m.wantsUpgrade:
		return nil
	case m.upgrade == "" || !m.wantsUpgrade:
		return wire.Ambiguous("Upgrade and Connection: upgrade do not come together")
	case m.upgrade == wire.ConnectionUpgrade && m.Path == "*" && allowed&AuthorityForm != 0 && m.Length == 0 && !m.HTTP10:
		m.Upgrade = m.upgrade
		return nil
	case strings.EqualFold(m.upgrade, "h2c"):
		return nil
	case !strings.EqualFold(m.upgrade, "websocket"):
		return wire.Ambiguous("only an upgrade to websocket is carried")
	case m.Method != "GET" || m.Length != 0 || m.HTTP10:
		return wire.Ambiguous("an upgrade is a GET without a body in HTTP/1.1")
	}
	m.Upgrade = "websocket"
	return nil
}

// Announces reports whether Trailer lists name.
func (m *RequestHead) Announces(name string) bool {
	announced := false
	EachListMember(m.AnnouncedTrailers, func(member string) bool {
		announced = strings.EqualFold(member, name)
		return !announced
	})
	return announced
}

// ParseLength reads a Content-Length: digits without a sign, a list or a leading
// zero, at most 18 of them. If it returns false, n is unchanged.
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
