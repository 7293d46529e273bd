package credential

import (
	"slices"
	"strings"
	"sync/atomic"
	"unicode"
	"unicode/utf8"
)

// Name judges a decoded name. It folds case and separators, splits words where the case changes, and reads what stands
// before a [ or a NUL on its own as well, because PHP ends a name there.
//
// A name of another kind than ASCII letters is folded as Unicode folds it: K (U+212A) is k. Name remembers the verdicts
// on the names that came last, and is safe for concurrent use.
func Name(name string) Verdict {
	if name == "" || len(name) > maxRemembered {
		return judgeName(name)
	}

	slot := &remembered[hashName(name)%uint32(len(remembered))]
	if known := slot.Load(); known != nil && known.name == name {
		return known.verdict
	}
	v := judgeName(name)
	slot.Store(&namedVerdict{strings.Clone(name), v}) // a clone, because name keeps a whole request in memory
	return v
}

// Field judges the name of a header field, in which words have more meaning than elsewhere.
func Field(name string) Verdict {
	if v := Name(name); v.IsCredential() {
		return v
	}

	var buf [128]byte
	compact := fold(buf[:0], name).compact
	if isForgeryName(name, compact) {
		return Verdict{}
	}
	for _, word := range fieldWords {
		if strings.Contains(string(compact), word) {
			return Verdict{Kind: Named, What: word}
		}
	}
	return Verdict{}
}

// remembered holds verdicts by the hash of their name. Its size is fixed, because agents choose the names.
var remembered [512]atomic.Pointer[namedVerdict]

type namedVerdict struct {
	name    string
	verdict Verdict
}

// maxRemembered is the length of the longest name that is remembered, in bytes.
const maxRemembered = 64

// hashName is FNV-1a.
func hashName(name string) uint32 {
	h := uint32(2166136261)
	for i := 0; i < len(name); i++ {
		h = (h ^ uint32(name[i])) * 16777619
	}
	return h
}

// judgeName judges a name that is not remembered, and what it is if it is decoded again, as some applications do.
func judgeName(name string) Verdict {
	for range maxNested {
		if v := judgeDecodedName(name); v.IsCredential() {
			return v
		}
		plain := Unescape(name)
		if len(plain) == len(name) {
			break
		}
		name = plain
	}
	return Verdict{}
}

func judgeDecodedName(name string) Verdict {
	if v := wholeName(name); v.IsCredential() || isForgeryToken(name) {
		return v
	}
	if i := strings.IndexAny(name, "[\x00"); i > 0 {
		if v := wholeName(name[:i]); v.IsCredential() && !(dependsOnValue(v.What) && hasMember(name[i:])) {
			return v
		}
	}
	return Verdict{}
}

// dependsOnValue reports whether an entry of the lists is a name that says little without a value.
func dependsOnValue(what string) bool {
	return slices.Contains(plainExcept, what) || slices.ContainsFunc(byShape, func(b shapedName) bool { return b.name == what })
}

// hasMember reports whether what follows a name from its first [ on names a member of an object, as in ticket[subject]: the
// value is that of the member. An index, as in ticket[] and ticket[0], names none.
func hasMember(brackets string) bool {
	member, _, isClosed := strings.Cut(brackets[1:], "]")
	return isClosed && brackets[0] == '[' && strings.Trim(member, "0123456789 ") != ""
}

// wholeName judges a name as it is.
func wholeName(name string) Verdict {
	var buf [128]byte
	w := fold(buf[:0], name)
	if len(w.compact) == 0 || isForgeryName(name, w.compact) {
		return Verdict{}
	}

	compact := string(w.compact)
	if word := tokenWord(compact); word != "" {
		return Verdict{Kind: Named, What: word}
	}
	for _, word := range anywhereWords {
		if i := strings.Index(compact, word); i >= 0 && !(word == "secret" && strings.HasPrefix(compact[i:], "secretar")) {
			return Verdict{Kind: Named, What: word}
		}
	}
	last := compact[w.last:]
	for _, word := range lastWords {
		if strings.HasSuffix(compact, word) && !slices.Contains(otherPasses, last) {
			return Verdict{Kind: Named, What: word}
		}
	}

	if slices.Contains(wholeWords, last) {
		return Verdict{Kind: Named, What: wholeWords[slices.Index(wholeWords, last)]}
	}
	for _, list := range [][]string{wholeWords, wholeNames, plainExcept} {
		if i := slices.Index(list, compact); i >= 0 {
			return Verdict{Kind: Named, What: list[i]}
		}
	}
	for i := range byShape {
		if b := &byShape[i]; compact == b.name || b.isLast && last == b.name {
			return Verdict{Kind: Named, What: b.name}
		}
	}
	return Verdict{}
}

// tokenWord returns the word by which a name is that of a token, or "".
func tokenWord(compact string) string {
	before, after, found := strings.Cut(compact, "token")
	switch {
	case !found:
		return ""
	case slices.Contains(harmlessTokens, before) || slices.Contains(harmlessAfterToken, after):
		return ""
	}
	return "token"
}

// IsForgeryToken reports whether a name is that of a token against request forgery.
func IsForgeryToken(name string) bool { return isForgeryToken(name) }

// isForgeryToken reports whether a name is that of a token against request forgery.
func isForgeryToken(name string) bool {
	var buf [128]byte
	return isForgeryName(name, fold(buf[:0], name).compact)
}

func isForgeryName(name string, compact []byte) bool {
	for _, word := range forgeryWords {
		if strings.Contains(string(compact), word) {
			return !strings.Contains(string(compact), "session")
		}
	}

	inner := name
	if i := strings.LastIndexByte(name, '['); i > 0 && strings.HasSuffix(name, "]") {
		inner = name[i+1 : len(name)-1]
	}
	return slices.Contains(forgeryNames, inner) || strings.HasPrefix(name, cakeToken)
}

// folded is a name in compact spelling.
type folded struct {
	compact []byte // lower case letters and digits alone, without digits at the end
	last    int    // where its last word begins
}

// fold appends the compact spelling of a name to dst.
func fold(dst []byte, name string) folded {
	last, fresh := 0, true // fresh: the next letter begins a word
	wasLower := false
	for i := 0; i < len(name); {
		c := rune(name[i])
		size := 1
		if c >= utf8.RuneSelf {
			c, size = utf8.DecodeRuneInString(name[i:])
			c = simplest(c)
		}
		i += size

		upper := 'A' <= c && c <= 'Z' || c >= utf8.RuneSelf && unicode.IsUpper(c)
		isWord := upper || 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c >= utf8.RuneSelf && (unicode.IsLetter(c) || unicode.IsDigit(c))
		if !isWord {
			fresh = fresh || c < utf8.RuneSelf || unicode.IsSpace(c) // an invisible character separates nothing
			wasLower = false
			continue
		}
		if fresh || upper && wasLower {
			if '0' > c || c > '9' {
				last = len(dst)
			}
			fresh = false
		}
		wasLower = !upper
		if c < utf8.RuneSelf {
			if upper {
				c += 'a' - 'A'
			}
			dst = append(dst, byte(c))
			continue
		}
		dst = utf8.AppendRune(dst, unicode.ToLower(c))
	}

	end := len(dst)
	for end > 0 && '0' <= dst[end-1] && dst[end-1] <= '9' {
		end--
	}
	return folded{compact: dst[:end], last: min(last, end)}
}

// simplest is the least of the letters that differ from c in case alone, so that K (U+212A) is K and ſ is S. Full-width
// letters and digits become those of ASCII, because some databases compare them so.
func simplest(c rune) rune {
	if 0xff01 <= c && c <= 0xff5e {
		return c - 0xff01 + '!'
	}
	least := c
	for next := unicode.SimpleFold(c); next != c; next = unicode.SimpleFold(next) {
		least = min(least, next)
	}
	return least
}
