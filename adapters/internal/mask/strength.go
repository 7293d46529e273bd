package mask

import (
	"math"
	"strings"
	"unicode"
)

// Bits estimates how hard a value is to guess, in bits: 10 for one of a thousand. Words
// count for little, and so do repetitions and sequences.
func Bits(v string) float64 {
	each := math.Log2(alphabetOf(v))
	bits := 0.0
	var before rune
	for _, run := range letterRuns(v) {
		if isWordy(run) {
			bits += min(2*float64(len(run)), 14)
			before = 0
			continue
		}
		for _, r := range run {
			if r == before || r == before+1 || r == before-1 {
				bits++
			} else {
				bits += each
			}
			before = r
		}
	}
	return bits
}

// alphabetOf returns the size of the alphabet that v seems to be made of.
func alphabetOf(v string) float64 {
	size := 0.0
	for _, class := range []struct {
		of   func(rune) bool
		size float64
	}{
		{func(r rune) bool { return '0' <= r && r <= '9' }, 10},
		{func(r rune) bool { return 'a' <= r && r <= 'z' }, 26},
		{func(r rune) bool { return 'A' <= r && r <= 'Z' }, 26},
		{func(r rune) bool { return r < 128 && !unicode.IsLetter(r) && !unicode.IsDigit(r) }, 32},
		{func(r rune) bool { return r >= 128 }, 100},
	} {
		if strings.ContainsFunc(v, class.of) {
			size += class.size
		}
	}
	return max(size, 2)
}

// letterRuns cuts v where letters and others meet, and after each character that is
// not a letter.
func letterRuns(v string) (runs []string) {
	start := 0
	for i, r := range v {
		if !unicode.IsLetter(r) {
			if start < i {
				runs = append(runs, v[start:i])
			}
			start = i + len(string(r))
			runs = append(runs, v[i:start])
		}
	}
	if start < len(v) {
		runs = append(runs, v[start:])
	}
	return runs
}

// isWordy reports whether letters look like a word, or a few, of a language that is
// written in Latin letters: all but the first in one case, and vowels and consonants
// mixed.
func isWordy(letters string) bool {
	if len(letters) < 2 {
		return false
	}
	if len(letters) > 16 {
		return false
	}
	rest := letters[1:]
	if rest != strings.ToLower(rest) && letters != strings.ToUpper(letters) {
		return false
	}

	vowels, consonants, longest := 0, 0, 0
	for _, r := range strings.ToLower(letters) {
		if strings.ContainsRune("aeiouyäöüéèáàóúíâêîôû", r) {
			vowels++
			consonants = 0
			continue
		}
		consonants++
		longest = max(longest, consonants)
	}
	return longest <= 4 && vowels*5 >= len(letters)
}

// IsPlain reports whether a value is certainly not a secret, such as a path, a time
// zone, a date, a word, or a small number: it consists of words and of numbers of at
// most four digits.
func IsPlain(v string) bool {
	if v == "" {
		return true
	}

	words := strings.FieldsFunc(v, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	if len(words) > 8 {
		return false
	}
	digits := 0
	for _, w := range words {
		switch {
		case isNumber(w) && len(w) <= 4:
			digits += len(w)
		case len(w) == 1 && unicode.IsLetter(rune(w[0])):
		case strings.ContainsFunc(w, unicode.IsDigit) || !isWordy(w):
			return false
		}
	}
	return digits <= 14
}

func isNumber(v string) bool {
	return strings.Trim(v, "0123456789") == ""
}
