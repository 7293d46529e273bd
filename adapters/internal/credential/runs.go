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

// signs are the signs of every byte.
var signs = func() (of [256]sign) {
	for c := range of {
		if c <= ' ' || c >= 0x7f {
			of[c] = signBlank | signEnd
		}
	}
	for c, s := range map[byte]sign{
		'.': signDot, '%': signPercent | signEnd, '+': signPlus, '=': signEquals | signEnd, '?': signQuery | signEnd, '#': signHash | signEnd,
		'@': signAt | signEnd, ':': signColon | signEnd, '~': signTilde | signEnd, '{': signOpen | signEnd, '[': signOpen | signEnd, '"': signOpen | signEnd,
	} {
		of[c] = s
	}
	for _, c := range []byte(",;'()<>|/\\]}!*&^`") {
		of[c] |= signEnd
	}
	return of
}()

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

func hasBlank(s string) bool { return strings.IndexFunc(s, isBlank) >= 0 }

// mayBeToken reports whether judgeRun may find something in a run with that many dots. It is quick, because it is asked
// about every word of every request.
func mayBeToken(run string, dots int) bool {
	return len(run) >= minValue && (dots >= 2 || len(run) >= minKey && keysByFirst[run[0]] != nil)
}

// judgeRun judges one run by its structure. inText says that it stands within text.
func judgeRun(s string, inText bool) Verdict {
	s = strings.TrimLeft(s, "-_.")
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
