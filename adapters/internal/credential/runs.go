package credential

import "strings"

// sign is what a byte says about the value that it stands in. The signs of a value are those of its bytes.
type sign uint16

const (
	signBlank   sign = 1 << iota // a blank, a control or a byte beyond ASCII: the value is text
	signEnd                      // no part of a token: what stands before it is a run
	signDot                      // one of the dots in a JWT
	signPercent                  // of an escape
	signPlus                     // of a blank in a form
	signEquals                   // of a pair
	signQuery                    // of a URL
	signHash                     // of a URL
	signAt                       // of user information
	signColon                    // of Django's signatures
	signTilde                    // of an SD-JWT
	signOpen                     // of JSON
)

// signs are the signs of every byte. What no token has ends a run.
var signs = func() (of [256]sign) {
	for c := range of {
		if !IsTokenByte(byte(c)) {
			of[c] = signEnd
		}
		if c <= ' ' || c >= 0x7f {
			of[c] |= signBlank
		}
	}
	for c, s := range map[byte]sign{
		'.': signDot, '%': signPercent, '+': signPlus, '=': signEquals, '?': signQuery, '#': signHash, '@': signAt, ':': signColon, '~': signTilde,
		'{': signOpen, '[': signOpen, '"': signOpen,
	} {
		of[c] |= s
	}
	return of
}()

// IsTokenByte reports whether c may stand in a token or a key of any known issuer.
func IsTokenByte(c byte) bool { return keyBytes.has(c) || c == '.' }

// judgeRuns judges the runs of a value: what stands between blanks and separators. If mayBeText is true and the value
// has blanks, it is text, in which a token must look as if it worked. It also returns the signs of the value.
func judgeRuns(value string, mayBeText bool) (Verdict, sign) {
	var all sign
	start, dots := 0, 0
	inText, isKnown := false, !mayBeText // whether the value is text is asked once, and only if a run is judged
	for i := 0; i < len(value); i++ {
		s := signs[value[i]]
		all |= s
		if s&(signEnd|signDot) == 0 {
			continue
		}
		if s&signEnd == 0 {
			dots++
			continue
		}
		if value[i] == '$' && isDollarPrefix(value[start:i]) {
			continue
		}

		if i-start >= minValue && mayBeToken(value[start:i], dots) {
			if !isKnown {
				inText, isKnown = hasBlank(value), true
			}
			if v := judgeRun(value[start:i], inText); v.IsCredential() {
				return v, all
			}
		}
		start, dots = i+1, 0
	}

	if last := value[start:]; mayBeToken(last, dots) {
		return judgeRun(last, mayBeText && hasBlank(value)), all
	}
	return Verdict{}, all
}

// isDollarPrefix reports whether a run up to a $ begins a key of Braintree, which is access_token$production$ and more.
func isDollarPrefix(run string) bool {
	return run == "access_token" || strings.HasPrefix(run, "access_token$")
}

// leading are the bytes that a run may hold and that no token begins with.
const leading = "-_.+"

func hasBlank(s string) bool { return strings.IndexFunc(s, isBlank) >= 0 }

// mayBeToken reports whether judgeRun may find something in a run with that many dots. It is quick, because it is asked
// about every word of every request.
func mayBeToken(run string, dots int) bool {
	run = strings.TrimLeft(run, leading)
	return len(run) >= minValue && (dots >= 2 || len(run) >= minKey && keysByFirst[run[0]] != nil)
}

// MinToken is the length of the shortest run that TokenInText judges, in bytes.
const MinToken = minKey

// TokenInText judges a run of token bytes in text whose structure is not known: it must look as if it worked. Of long runs, which
// may be lines of base64, only those count that begin in a way in which chance does not let them begin.
func TokenInText(run string) Verdict {
	v := judgeRun(run, true)
	if v.Kind == Key && len(run) >= minBase64Line && len(v.What) < minDistinct && !strings.ContainsAny(v.What, "_-.") {
		return Verdict{}
	}
	return v
}

const (
	minBase64Line = 60 // PEM has 64 characters a line, MIME 76
	minDistinct   = 6
)

// MayBeginToken reports whether TokenInText may find something in a run that begins with some bytes.
func MayBeginToken(begin string) bool {
	begin = strings.TrimLeft(begin, leading)
	if len(begin) < 4 {
		return true
	}
	for _, i := range keysByFirst[begin[0]] {
		if k := &keyFormats[i]; !k.whole && (strings.HasPrefix(begin, k.prefix) || strings.HasPrefix(k.prefix, begin)) {
			return true
		}
	}

	head, ok := decodeBase64(begin[:4])
	head = strings.TrimLeftFunc(head, isBlank)
	return ok && (head == "" || head[0] == '{') || strings.ContainsRune(begin, '.') // the dots of a JWT, or what stands before one
}

// judgeRun judges one run by its structure. inText says that it stands within text.
func judgeRun(s string, inText bool) Verdict {
	s = strings.TrimLeft(s, leading)
	if s == "" {
		return Verdict{}
	}

	jwt := s
	if i := strings.Index(s, ".eyJ"); i >= 0 && strings.Count(s[:i], ".") == 0 && !strings.HasPrefix(s, "eyJ") {
		jwt = s[i+1:] // after the name of an issuer
	}
	switch {
	case isTimedToken(s):
		return Verdict{Kind: Sealed, What: "itsdangerous"}
	case !inText && isJWT(jwt), inText && isLiveJWT(jwt):
		return Verdict{Kind: Token, What: "JWT"}
	case isPASETO(s):
		return Verdict{Kind: Token, What: "PASETO"}
	}
	if k := findKey(s, inText); k != nil {
		return Verdict{Kind: Key, What: k.prefix}
	}
	return Verdict{}
}
