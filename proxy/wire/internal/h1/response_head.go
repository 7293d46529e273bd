package h1

import (
	"strings"

	"github.com/byline-proxy/byline/proxy/wire"
)

// answerHead is the head of the SaaS's answer, with its framing.
type ResponseHead struct {
	Status   int
	Fields   []wire.Field
	Length   int64 // -1 without Content-Length
	Chunked  bool
	Close    bool
	Upgrade  string
	Trailer  string
	listed   string
	framings int
}

// parseAnswerHead is as strict as the agents' side where the framing is in
// question: an answer that could be cut in two ways poisons a connection.
func ParseResponseHead(s string, m *ResponseHead, maxFields int) *wire.Malformed {
	m.Length = -1
	end := strings.IndexByte(s, '\r')
	if end < 12 || s[:7] != "HTTP/1." || s[7] != '0' && s[7] != '1' || s[8] != ' ' || end > 12 && s[12] != ' ' || !hasOnly(s[9:end], valueByte) {
		return wire.Ambiguous("the answer has no status line")
	}
	for _, c := range []byte(s[9:12]) {
		if c < '0' || c > '9' {
			return wire.Ambiguous("the answer's status is not a number")
		}
		m.Status = m.Status*10 + int(c-'0')
	}
	if m.Status < 100 || m.Status > 599 {
		return wire.Ambiguous("the answer's status is not from 100 to 599")
	}
	old := s[7] == '0'
	m.Close = old
	if end+2 > len(s) || s[end+1] != '\n' {
		return wire.Ambiguous("the answer's status line does not end in CR LF")
	}
	fields, bad := cutFields(s[end+2:], make([]wire.Field, 0, strings.Count(s[end+2:], "\n")), maxFields)
	if bad != nil {
		return bad
	}
	if bad := m.sift(fields); bad != nil {
		return bad
	}
	if m.framings > 1 || m.Chunked && old {
		return wire.Ambiguous("the answer's body is framed twice, or chunked in HTTP/1.0")
	}
	EachListMember(m.listed, func(option string) bool {
		switch {
		case strings.EqualFold(option, "close"):
			m.Close = true
		case old && strings.EqualFold(option, "keep-alive"):
			m.Close = false
		}
		return true
	})
	if m.listed != "" {
		m.Fields = RemoveListed(m.Fields, m.listed)
	}
	return nil
}

func (m *ResponseHead) sift(fields []wire.Field) *wire.Malformed {
	m.Fields = fields[:0]
	for _, f := range fields {
		switch RoleOf(f.Name) {
		case RoleContentLength:
			if m.framings++; !ParseLength(f.Value, &m.Length) {
				return wire.Ambiguous("the answer's Content-Length is not one number")
			}
		case RoleTransferEncoding:
			if m.framings++; !strings.EqualFold(f.Value, "chunked") {
				return wire.Ambiguous("the answer's Transfer-Encoding is not chunked")
			}
			m.Chunked = true
		case RoleConnection:
			m.listed += "," + f.Value
		case RoleUpgrade:
			m.Upgrade = f.Value
		case RoleTrailer:
			m.Trailer = f.Value
		case RoleHopByHop, RoleTE, RoleHost, RoleExpect, RoleHTTP2Settings, RoleProxyAuthorization:
		default:
			m.Fields = append(m.Fields, f)
		}
	}
	return nil
}
