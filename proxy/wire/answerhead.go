package wire

import "strings"

// answerHead is the head of the SaaS's answer, with its framing.
type answerHead struct {
	status   int
	fields   []Field
	length   int64 // -1 without Content-Length
	chunked  bool
	close    bool
	upgrade  string
	trailer  string
	listed   string
	framings int
}

// parseAnswerHead is as strict as the agents' side where the framing is in
// question: an answer that could be cut in two ways poisons a connection.
func parseAnswerHead(s string, m *answerHead, maxFields int) *Malformed {
	m.length = -1
	end := strings.IndexByte(s, '\r')
	if end < 12 || s[:7] != "HTTP/1." || s[7] != '0' && s[7] != '1' || s[8] != ' ' || end > 12 && s[12] != ' ' || !all(s[9:end], valueByte) {
		return Ambiguous("the answer has no status line")
	}
	for _, c := range []byte(s[9:12]) {
		if c < '0' || c > '9' {
			return Ambiguous("the answer's status is not a number")
		}
		m.status = m.status*10 + int(c-'0')
	}
	if m.status < 100 || m.status > 599 {
		return Ambiguous("the answer's status is not from 100 to 599")
	}
	old := s[7] == '0'
	m.close = old
	if end+2 > len(s) || s[end+1] != '\n' {
		return Ambiguous("the answer's status line does not end in CR LF")
	}
	fields, bad := cutFields(s[end+2:], make([]Field, 0, strings.Count(s[end+2:], "\n")), maxFields)
	if bad != nil {
		return bad
	}
	if bad := m.sift(fields); bad != nil {
		return bad
	}
	if m.framings > 1 || m.chunked && old {
		return Ambiguous("the answer's body is framed twice, or chunked in HTTP/1.0")
	}
	eachListed(m.listed, func(option string) bool {
		switch {
		case strings.EqualFold(option, "close"):
			m.close = true
		case old && strings.EqualFold(option, "keep-alive"):
			m.close = false
		}
		return true
	})
	if m.listed != "" {
		m.fields = withoutListed(m.fields, m.listed)
	}
	return nil
}

func (m *answerHead) sift(fields []Field) *Malformed {
	m.fields = fields[:0]
	for _, f := range fields {
		switch meaningOf(f.Name) {
		case isContentLength:
			if m.framings++; !parseLength(f.Value, &m.length) {
				return Ambiguous("the answer's Content-Length is not one number")
			}
		case isTransferEncoding:
			if m.framings++; !strings.EqualFold(f.Value, "chunked") {
				return Ambiguous("the answer's Transfer-Encoding is not chunked")
			}
			m.chunked = true
		case isConnection:
			m.listed += "," + f.Value
		case isUpgrade:
			m.upgrade = f.Value
		case isTrailer:
			m.trailer = f.Value
		case isHop, isTE, isHost, isExpect, isH2Settings, isProxyAuthorization:
		default:
			m.fields = append(m.fields, f)
		}
	}
	return nil
}
