package h1

import (
	"strings"

	"github.com/byline-proxy/byline/proxy/wire"
)

// ResponseHead is the head of a response with its framing.
type ResponseHead struct {
	Status int
	Fields []wire.Field
	// Length is the Content-Length, -1 without one.
	Length int64
	// Chunked reports that the body is chunked.
	Chunked bool
	// Close reports that no further response follows on the connection.
	Close bool
	// Upgrade is the value of Upgrade, "" without one.
	Upgrade string
	// AnnouncedTrailers is the value of Trailer.
	AnnouncedTrailers string

	connection string // the values of Connection, each after a comma
	framings   int    // fields that frame the body
}

// ParseResponseHead reads a head from its status line to its empty line into m,
// which is zero. It is as strict about framing as ParseRequestHead: a response that
// could end in two places makes every later response on its connection uncertain.
func ParseResponseHead(s string, m *ResponseHead, maxFields int) *wire.Malformed {
	m.Length = -1

	end := strings.IndexByte(s, '\r')
	http10, bad := m.parseStatusLine(s, end)
	if bad != nil {
		return bad
	}
	m.Close = http10

	lines := s[end+2:]
	fields, bad := parseFields(lines, make([]wire.Field, 0, strings.Count(lines, "\n")), maxFields)
	if bad != nil {
		return bad
	}
	if bad := m.readFraming(fields); bad != nil {
		return bad
	}
	if m.framings > 1 || m.Chunked && http10 {
		return wire.Ambiguous("the response's body is framed twice, or chunked in HTTP/1.0")
	}

	if m.connection != "" {
		m.obeyConnection(http10)
	}
	return nil
}

// parseStatusLine reads the status line, which is s up to the CR at end.
func (m *ResponseHead) parseStatusLine(s string, end int) (http10 bool, bad *wire.Malformed) {
	const status = len("HTTP/1.1 ") // where the three digits are
	if end < status+3 || s[:7] != "HTTP/1." || s[7] != '0' && s[7] != '1' || s[8] != ' ' ||
		end > status+3 && s[status+3] != ' ' || !hasOnly(s[status:end], valueByte) {
		return false, wire.Ambiguous("the response has no status line")
	}

	for _, c := range []byte(s[status : status+3]) {
		if c < '0' || c > '9' {
			return false, wire.Ambiguous("the response's status is not a number")
		}
		m.Status = m.Status*10 + int(c-'0')
	}
	if m.Status < 100 { // 600 to 999 are passed on, and count as 5xx (RFC 9110 section 15)
		return false, wire.Ambiguous("the response's status is not from 100 to 999")
	}
	if end+2 > len(s) || s[end+1] != '\n' {
		return false, wire.Ambiguous("the response's status line does not end in CR LF")
	}
	return s[7] == '0', nil
}

// readFraming sets Fields to those of fields that are passed on, and notes what the
// others say.
func (m *ResponseHead) readFraming(fields []wire.Field) *wire.Malformed {
	m.Fields = fields[:0]
	for _, f := range fields {
		switch RoleOf(f.Name) {
		case RoleContentLength:
			m.framings++
			if !ParseLength(f.Value, &m.Length) {
				return wire.Ambiguous("the response's Content-Length is not one number")
			}
		case RoleTransferEncoding:
			m.framings++
			if !strings.EqualFold(f.Value, "chunked") {
				return wire.Ambiguous("the response's Transfer-Encoding is not chunked")
			}
			m.Chunked = true
		case RoleConnection:
			m.connection += "," + f.Value
		case RoleUpgrade:
			m.Upgrade = f.Value
		case RoleTrailer:
			m.AnnouncedTrailers = f.Value
		case RoleHopByHop, RoleTE, RoleHost, RoleExpect, RoleHTTP2Settings, RoleProxyAuthorization:
		default:
			m.Fields = append(m.Fields, f)
		}
	}
	return nil
}

// obeyConnection reads the options of Connection and removes the fields that it
// lists (RFC 9110 section 7.6.1).
func (m *ResponseHead) obeyConnection(http10 bool) {
	EachListMember(m.connection, func(option string) bool {
		switch {
		case strings.EqualFold(option, "close"):
			m.Close = true
		case http10 && strings.EqualFold(option, "keep-alive"):
			m.Close = false
		}
		return true
	})
	m.Fields = RemoveListed(m.Fields, m.connection)
}
