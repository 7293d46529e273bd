package body

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// name reads a name with at most one prefix (Namespaces in XML 1.0, section 3).
func (p *xmlParser) name() (qname, prefix, local string, err error) {
	rest := p.src[p.at:]
	end, colon := 0, -1
	for end < len(rest) {
		c, size := rune(rest[end]), 1
		if c >= utf8.RuneSelf {
			c, size = utf8.DecodeRuneInString(rest[end:])
		}
		if c == ':' {
			if colon >= 0 || end == 0 {
				return "", "", "", errXMLNamespace
			}
			colon = end
		} else if begins := end == 0 || end == colon+1; !isXMLNameStart(c) && (begins || !isXMLNameInner(c)) {
			break
		}
		end += size
	}

	qname = rest[:end]
	if end == 0 || end == colon+1 {
		return "", "", "", errXML
	}
	p.at += end
	if colon < 0 {
		return qname, "", qname, nil
	}
	return qname, qname[:colon], qname[colon+1:], nil
}

// isXMLNameStart reports a character that begins a name (XML 1.0, fifth edition,
// production 4), but for the colon.
func isXMLNameStart(c rune) bool {
	if c < utf8.RuneSelf {
		return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
	}
	for _, r := range [...][2]rune{
		{0xc0, 0xd6}, {0xd8, 0xf6}, {0xf8, 0x2ff}, {0x370, 0x37d}, {0x37f, 0x1fff}, {0x200c, 0x200d}, {0x2070, 0x218f},
		{0x2c00, 0x2fef}, {0x3001, 0xd7ff}, {0xf900, 0xfdcf}, {0xfdf0, 0xfffd}, {0x10000, 0xeffff},
	} {
		if c >= r[0] && c <= r[1] {
			return true
		}
	}
	return false
}

// isXMLNameInner reports a character that a name may go on with besides those that
// begin one (production 4a).
func isXMLNameInner(c rune) bool {
	return c >= '0' && c <= '9' || c == '-' || c == '.' || c == 0xb7 || c >= 0x300 && c <= 0x36f || c >= 0x203f && c <= 0x2040
}

// isXMLChar reports a character that a document may hold (production 2).
func isXMLChar(c rune) bool {
	return c >= ' ' && c <= 0xd7ff || c == '\t' || c == '\n' || c == '\r' || c >= 0xe000 && c <= 0xfffd || c >= 0x10000 && c <= 0x10ffff
}

func isXMLSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

func trimXMLSpace(s string) string { return strings.Trim(s, " \t\r\n") }

// normalizeLineEnds makes CR LF and CR a LF (section 2.11).
func normalizeLineEnds(s string) string {
	if strings.IndexByte(s, '\r') < 0 {
		return s
	}
	return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
}

// appendXMLText appends character data or, with attribute, an attribute's value,
// decoded: line ends are normalized, references resolved, and white space in an
// attribute becomes a space (section 3.3.3).
func appendXMLText(dst []byte, raw string, attribute bool) ([]byte, error) {
	raw = normalizeLineEnds(raw)
	for raw != "" {
		end := strings.IndexByte(raw, '&')
		if end < 0 {
			end = len(raw)
		}
		first := len(dst)
		dst = append(dst, raw[:end]...)
		if attribute {
			for i := first; i < len(dst); i++ {
				if isXMLSpace(dst[i]) {
					dst[i] = ' '
				}
			}
		}
		if raw = raw[end:]; raw == "" {
			break
		}

		reference, rest, ok := strings.Cut(raw[1:], ";")
		if !ok {
			return nil, errXMLEntity
		}
		c, err := resolveReference(reference)
		if err != nil {
			return nil, err
		}
		dst, raw = utf8.AppendRune(dst, c), rest
	}
	return dst, nil
}

// resolveReference returns the character of what stands between & and ;.
func resolveReference(name string) (rune, error) {
	switch name {
	case "amp":
		return '&', nil
	case "lt":
		return '<', nil
	case "gt":
		return '>', nil
	case "quot":
		return '"', nil
	case "apos":
		return '\'', nil
	}

	digits, ok := strings.CutPrefix(name, "#")
	base := 10
	if hex, isHexadecimal := strings.CutPrefix(digits, "x"); isHexadecimal {
		digits, base = hex, 16
	}
	if !ok {
		return 0, errXMLEntity
	}
	n, err := strconv.ParseUint(digits, base, 32)
	if err != nil {
		return 0, errXMLEntity
	}
	if n > utf8.MaxRune || !isXMLChar(rune(n)) {
		return 0, errXMLChar
	}
	return rune(n), nil
}

// appendXMLEscaped appends text in its one spelling. Apart from what must be escaped
// these are: white space that a reader would normalize, and all beyond ASCII.
func appendXMLEscaped(dst []byte, text string, attribute bool) ([]byte, error) {
	for _, c := range text {
		switch {
		case !isXMLChar(c):
			return dst, errXMLChar
		case c == '&':
			dst = append(dst, "&amp;"...)
		case c == '<':
			dst = append(dst, "&lt;"...)
		case c == '>':
			dst = append(dst, "&gt;"...)
		case c == '"' && attribute:
			dst = append(dst, "&quot;"...)
		case c == '\r' || c >= 0x7f || attribute && (c == '\t' || c == '\n'):
			dst = append(dst, "&#x"...)
			dst = strconv.AppendInt(dst, int64(c), 16)
			dst = append(dst, ';')
		default:
			dst = append(dst, byte(c))
		}
	}
	return dst, nil
}
