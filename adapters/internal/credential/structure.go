package credential

import (
	"encoding/base64"
	"strings"
)

// isJWT reports whether a value has the form of a signed or encrypted JWT (RFC 7519): a header, which is a JSON object
// with an algorithm in base64, and two or four further parts, of which some may be empty. It reads either alphabet.
func isJWT(s string) bool {
	head, rest, ok := strings.Cut(s, ".")
	switch {
	case !ok || !strings.Contains(rest, "."):
		return false
	case strings.HasPrefix(head, "eyJ"):
		return true // {" in base64
	}
	return isJWTHeader(head)
}

// isJWTHeader reports whether the first part of a value is the header of a JWT.
func isJWTHeader(head string) bool {
	decoded, ok := decodeBase64(head)
	decoded = strings.TrimFunc(decoded, isBlank)
	return ok && strings.HasPrefix(decoded, "{") && (strings.Contains(decoded, `"alg"`) || strings.Contains(decoded, `"enc"`) || strings.Contains(decoded, `"typ"`))
}

// isLiveJWT is isJWT for a value within text: the header must decode, and a payload must follow.
func isLiveJWT(s string) bool {
	head, rest, _ := strings.Cut(s, ".")
	payload, _, hasMore := strings.Cut(rest, ".")
	return hasMore && (len(payload) >= 4 || strings.Count(rest, ".") >= 3) && isJWTHeader(head)
}

// isPASETO reports whether a value has the form of a PASETO: v1 to v4, a purpose and a payload.
func isPASETO(s string) bool {
	if len(s) < 16 || s[0] != 'v' || s[1] < '1' || s[1] > '9' {
		return false
	}
	return strings.HasPrefix(s[2:], ".local.") || strings.HasPrefix(s[2:], ".public.")
}

// isTimedToken reports whether a value is a payload, a time and a signature, as itsdangerous (Flask) and Discord write
// them: the time has six characters, and the signature those of SHA-1 or SHA-2.
func isTimedToken(s string) bool {
	s = strings.TrimPrefix(s, ".")
	payload, rest, _ := strings.Cut(s, ".")
	time, signature, _ := strings.Cut(rest, ".")
	switch len(signature) {
	case 27, 38, 43, 86:
	default:
		return false
	}
	isPayload := len(payload) >= 8 && (strings.HasPrefix(payload, "ey") || strings.HasPrefix(payload, "eJ") || hasDigit(payload))
	return isPayload && len(time) == 6 && hasDigit(signature) && isWebBase64(payload) && isWebBase64(time) && isWebBase64(signature) && isMixed(signature)
}

func hasDigit(s string) bool { return strings.ContainsAny(s, "0123456789") }

// isMixed reports whether a text has small and capital letters, as base64 of random bytes has and hex has not.
func isMixed(s string) bool { return strings.ToLower(s) != s && strings.ToUpper(s) != s }

func isWebBase64(s string) bool {
	for i := 0; i < len(s); i++ {
		if !alnum.has(s[i]) && s[i] != '-' && s[i] != '_' {
			return false
		}
	}
	return s != ""
}

func isBase64(s string) bool {
	s = strings.TrimRight(s, "=")
	for i := 0; i < len(s); i++ {
		if !alnum.has(s[i]) && strings.IndexByte("-_+/", s[i]) < 0 {
			return false
		}
	}
	return s != ""
}

// minSealed is the length of the shortest value that sealedBy judges, in bytes.
const minSealed = 36

// sealedBy names the framework that sealed a value as its session cookies are sealed, or returns "". Frameworks seal
// tokens against request forgery alike, so a name of one of those makes it harmless: see Pair.
func sealedBy(s string) string {
	if len(s) < minSealed {
		return ""
	}
	switch {
	case strings.HasPrefix(s, "gAAAA") && len(s) >= 100 && isBase64(s):
		return "Fernet"
	case strings.HasPrefix(s, "eyJpdiI6") && len(s) >= 60 && isBase64(s):
		return "Laravel"
	case strings.HasPrefix(s, "CfDJ8") && len(s) >= 60 && isBase64(s):
		return "ASP.NET Data Protection"
	case strings.Contains(s, ":") && isDjangoSigned(s):
		return "Django"
	case strings.Contains(s, "--") && isRailsSealed(s):
		return "Rails"
	case strings.HasPrefix(s, "s:") && isExpressSigned(s):
		return "Express"
	case strings.Count(s, "|") == 3 && isWordPressCookie(s):
		return "WordPress"
	}
	return ""
}

// isDjangoSigned reports whether a value is payload:time:signature as django.core.signing writes it.
func isDjangoSigned(s string) bool {
	payload, rest, _ := strings.Cut(s, ":")
	time, signature, _ := strings.Cut(rest, ":")
	return len(payload) >= 2 && isWebBase64(strings.TrimPrefix(payload, ".")) && 5 <= len(time) && len(time) <= 7 && consistsOnlyOf(time, alnum) &&
		(len(signature) == 27 || len(signature) == 43) && isWebBase64(signature)
}

// isRailsSealed reports whether a value is an encrypted cookie of Rails (text, nonce and tag, or text and HMAC), or a
// signed one. Other things that Rails signs, such as the ids of files, are not credentials.
func isRailsSealed(s string) bool {
	parts := strings.Split(s, "--")
	for _, part := range parts {
		if !isBase64(part) {
			return false
		}
	}
	switch len(parts) {
	case 3:
		return len(parts[0]) >= 20 && len(parts[1]) == 16 && len(parts[2]) == 24
	case 2:
	default:
		return false
	}

	if n := len(parts[1]); n != 40 && n != 64 && n != 128 || !consistsOnlyOf(parts[1], hexBytes) || len(parts[0]) < 16 {
		return false
	}
	decoded, ok := decodeBase64(parts[0])
	isMarshal, isJSON := strings.HasPrefix(decoded, "\x04\x08"), strings.HasPrefix(decoded, "{")
	return ok && (isMarshal || strings.Contains(decoded, "--") || isJSON && (strings.Contains(decoded, `"cookie.`) || strings.Contains(decoded, `"session_id"`)))
}

// isExpressSigned reports whether a value is s:value.signature, as cookie-signature writes it.
func isExpressSigned(s string) bool {
	i := strings.LastIndexByte(s, '.')
	return i > 2 && len(s)-i-1 == 43 && isBase64(s[i+1:])
}

// isWordPressCookie reports whether a value is user|time|token|hash.
func isWordPressCookie(s string) bool {
	parts := strings.Split(s, "|")
	return consistsOf(parts[1], '0', '9', maxNumber) && len(parts[2]) == 43 && consistsOnlyOf(parts[2], alnum) && len(parts[3]) == 64 && consistsOnlyOf(parts[3], hexBytes)
}

// isTelegramKey reports whether a value is the number of a bot and its key.
func isTelegramKey(s string) bool {
	number, key, ok := strings.Cut(s, ":")
	return ok && len(number) >= 8 && consistsOf(number, '0', '9', maxNumber) && len(key) == 35 && isWebBase64(key) && isMixed(key)
}

// isASPSegment reports whether a segment of a path is what ASP.NET puts there for clients without cookies: the session, the
// ticket of a login or the name of a visitor, each as a letter with its value, all of them in parentheses.
func isASPSegment(s string) bool {
	s, isOpen := strings.CutPrefix(s, "(")
	s, isClosed := strings.CutSuffix(s, ")")
	if !isOpen || !isClosed {
		return false
	}

	found := false
	for s != "" {
		letter, rest, _ := strings.Cut(s, "(")
		value, after, isClosed := strings.Cut(rest, ")")
		if len(letter) != 1 || !isClosed {
			return false
		}
		switch letter {
		case "S", "F", "A", "s", "f", "a":
			found = found || len(value) >= minASPValue && isWebBase64(value)
		case "X", "x":
		default:
			return false
		}
		s = after
	}
	return found
}

// minASPValue is the length of the shortest value of ASP.NET in a path that is judged. Its session ids have 24 characters.
const minASPValue = 16

// isAzureSecret reports whether a value is a client secret of Microsoft Entra.
func isAzureSecret(s string) bool {
	return len(s) >= 37 && len(s) <= 40 && s[3] >= '0' && s[3] <= '9' && s[4] == 'Q' && s[5] == '~'
}

// minEncoded is the length of the shortest value that is decoded from base64, in bytes.
const minEncoded = 20

// peeked is how many bytes of base64 are decoded to see whether the rest is of interest. It is a multiple of four.
const peeked = 32

// peekBase64 decodes the beginning of a value. It is false for a value that is not base64. It allocates nothing.
func peekBase64(s string, dst *[peeked]byte) (head []byte, ok bool) {
	if len(s) < minEncoded || !isBase64(s[:min(len(s), peeked)]) {
		return nil, false
	}

	var in [peeked]byte
	n := 0
	for ; n < peeked && n < len(s); n++ {
		switch c := s[n]; c {
		case '-':
			in[n] = '+'
		case '_':
			in[n] = '/'
		case '=':
			n = n &^ 3
			return decodeInto(dst, in[:n])
		default:
			in[n] = c
		}
	}
	return decodeInto(dst, in[:n&^3])
}

func decodeInto(dst *[peeked]byte, in []byte) ([]byte, bool) {
	n, err := base64.RawStdEncoding.Decode(dst[:], in)
	return dst[:n], err == nil && n > 0
}

// decodeBase64 decodes either alphabet, with or without padding.
func decodeBase64(s string) (string, bool) {
	s = strings.TrimRight(strings.NewReplacer("-", "+", "_", "/").Replace(s), "=")
	b, err := base64.RawStdEncoding.DecodeString(s)
	return string(b), err == nil
}

// isSPNEGO reports whether bytes begin as a token of SPNEGO, Kerberos or NTLM does (RFC 4178, RFC 4121, MS-NLMP).
func isSPNEGO(head string) bool {
	return strings.HasPrefix(head, "NTLMSSP\x00") ||
		head[0] == 0x60 && (strings.Contains(head, "\x06\x06\x2b\x06\x01\x05\x05\x02") || strings.Contains(head, "\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02"))
}

// isSAML reports whether XML is an assertion of SAML, or a message with one.
func isSAML(xml string) bool {
	xml = xml[:min(len(xml), 2048)]
	return strings.HasPrefix(xml, "<") && (strings.Contains(xml, "oasis:names:tc:SAML") || strings.Contains(xml, "Assertion"))
}
