package mask

import (
	"bytes"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"html"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/unicode/norm"
)

const (
	// minSecret is the length in bytes of the shortest value that is masked.
	minSecret = 6

	// minUnits is the number of the fewest units of a needle. A value of fewer code points
	// is found by its bytes.
	minUnits = 3

	// minPart is the length of the shortest part of a structured value that is
	// masked wherever it stands without the others.
	minPart = 16

	// minDigits is the number of the fewest digits of an encoded secret that are
	// masked.
	minDigits = 8

	// maxUnits bounds a needle. A longer secret is found by its beginning, and by
	// pieces of this length.
	maxUnits = 4 << 10
)

// commonWords are not masked although they may be somebody's password: every page
// contains them.
var commonWords = map[string]bool{
	"password": true, "changeme": true, "administrator": true, "anonymous": true, "deleted": true, "default": true, "undefined": true,
	"welcome": true, "letmein": true, "secret": true, "username": true, "session": true, "enabled": true, "disabled": true, "english": true,
}

// needle is one sequence of units that is searched for in the decoded text.
type needle struct {
	units []rune // folded

	// prefix is the number of units from which on the beginning of the needle is
	// masked, whatever follows it.
	prefix int

	// beginning is the number of units from which on the beginning of the needle is
	// masked if the text ends or pauses there. Fewer can be guessed, or are no secret,
	// as the user name that many values begin with.
	beginning int

	// groupFrom is the number of units after which separators of groups are
	// skipped.
	groupFrom int

	// tagFrom is the number of units after which tags are skipped.
	tagFrom int

	// before holds the units that precede those of an end of a secret. They are masked
	// too, as far as they stand there.
	before []rune

	// digits says that the units are digits of an encoding whose first and last byte
	// may lie in a neighbouring digit in part.
	digits bool

	label string
}

// Pattern holds what a value is searched by. It takes some hundred microseconds to
// compile, so callers keep it as long as they keep the value. It is immutable.
type Pattern struct{ needles []needle }

// Compile returns the pattern of a secret. label names the secret, without revealing
// it, to whoever wants to know what was masked. Compile returns an empty pattern for
// values that are not masked.
//
// The pattern consists of the value and its long parts as they are, which are found
// in every spelling that the reader of the text undoes (see reading), and of their
// digits in base64, base32 and hex at every alignment, which in turn are found in all
// these spellings.
func Compile(secret, label string) *Pattern {
	if len(secret) < minSecret || commonWords[strings.ToLower(secret)] {
		return &Pattern{}
	}

	c := compiler{label: label, known: map[string]bool{}}
	for _, v := range meanings(secret) {
		c.addValue(v)
	}
	for _, seed := range seeds(secret) {
		c.addDigits([]byte(seed))
	}
	return &Pattern{c.needles}
}

// meanings returns the secret, what it is after percent-decoding, and the long parts
// of both.
func meanings(secret string) []string {
	all := []string{secret}
	if plain, err := url.QueryUnescape(secret); err == nil && plain != secret {
		all = append(all, plain)
	}
	if plain, err := url.PathUnescape(secret); err == nil {
		all = append(all, plain)
	}

	for _, v := range slices.Clone(all) {
		all = append(all, parts(v)...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// parts returns the long parts of a structured value, as of id.signature. The first
// part of a JSON Web Token is the same for many tokens and not a secret.
func parts(v string) (long []string) {
	all := strings.FieldsFunc(v, func(r rune) bool { return strings.ContainsRune(".|:~!;,&$# ", r) })
	if len(all) < 2 {
		return nil
	}
	for i, p := range all {
		if len(p) >= minPart && (i > 0 || !strings.HasPrefix(p, "eyJ")) {
			long = append(long, p)
		}
	}
	return long
}

var (
	base32Seed = regexp.MustCompile(`^[A-Za-z2-7]{16,128}={0,6}$`)
	otpauth    = regexp.MustCompile(`(?i)^otpauth://`)
)

// seeds returns the key of a one-time code as applications also show it: without the
// URL around it, and the bytes that base32 stands for.
func seeds(secret string) (keys []string) {
	seed := secret
	if otpauth.MatchString(secret) {
		u, err := url.Parse(secret)
		if err != nil {
			return nil
		}
		seed = u.Query().Get("secret")
		if len(seed) < minSecret {
			return nil
		}
		keys = append(keys, seed)
	}

	digits := strings.NewReplacer(" ", "", "-", "").Replace(seed)
	if base32Seed.MatchString(digits) {
		key, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(strings.ToUpper(strings.TrimRight(digits, "=")))
		if err == nil {
			keys = append(keys, string(key))
		}
	}
	return keys
}

// compiler collects the needles of one secret, each once.
type compiler struct {
	label   string
	known   map[string]bool
	needles []needle
}

// addValue adds a value as it is and in digits.
func (c *compiler) addValue(v string) {
	if len(v) < minSecret {
		return
	}
	c.addText(v)
	c.addDigits([]byte(v))
	c.addBase64Twice([]byte(v))

	// What else is put into base64: the value inside an URL, a document or a script.
	for _, escaped := range append(jsonSpellings(v), url.QueryEscape(v), url.PathEscape(v), html.EscapeString(v)) {
		if escaped != v {
			c.addBase64([]byte(escaped))
		}
	}
	for _, wide := range utf16Bytes(v) {
		c.addBase64(wide)
		c.addHex(wide)
		if !isASCII(v) {
			c.addBase32(wide)
		}
	}
	for _, page := range []*charmap.Charmap{charmap.ISO8859_1, charmap.Windows1252} {
		if b, err := page.NewEncoder().String(v); err == nil && !isASCII(v) {
			c.addDigits([]byte(b))
		}
	}
}

// addText adds the code points of v, and its bytes: in a text that is not UTF-8, or
// whose bytes are escaped one by one, each byte is a unit. It also adds v without
// what may separate groups, because that is skipped in the text.
func (c *compiler) addText(v string) {
	spellings := []string{v}
	if utf8.ValidString(v) && !isASCII(v) {
		spellings = append(spellings, norm.NFC.String(v), norm.NFD.String(v))
	}

	for _, s := range spellings {
		c.addCharacters(foldAll(s))
		if bare := strings.Map(dropSkipped, s); bare != s && len(bare) >= minSecret {
			c.addCharacters(foldAll(bare))
		}
		if isASCII(s) {
			continue
		}
		c.addCharacters(unitsOf([]byte(s)))
	}
	if isASCII(v) {
		return
	}
	for _, wide := range utf16Bytes(v) { // zero bytes are skipped in the text
		// Fewer bytes than the filter looks at occur by chance.
		if bare := bytes.ReplaceAll(wide, []byte{0}, nil); len(bare) >= gramSize {
			c.addCharacters(unitsOf(bare))
		}
	}
}

// addCharacters adds units that are characters, between which a page can have tags.
func (c *compiler) addCharacters(units []rune) {
	n := len(c.needles)
	c.addWithEnd(units, 3)
	for i := range c.needles[n:] {
		c.needles[n+i].tagFrom = 1
	}
}

// unitsOf returns the bytes of b as units.
func unitsOf(b []byte) []rune {
	units := make([]rune, 0, len(b))
	for _, c := range b {
		units = append(units, fold(rune(c)))
	}
	return units
}

// addDigits adds the encodings of bytes in digits.
func (c *compiler) addDigits(b []byte) {
	c.addHex(b)
	c.addBase64(b)
	c.addBase32(b)
}

func (c *compiler) addHex(b []byte) {
	if digits := hex.EncodeToString(b); len(digits) >= minDigits {
		c.addWithEnd(foldAll(digits), 2)
	}
}

func (c *compiler) addBase32(b []byte) {
	for before := range 5 { // five bytes are eight digits
		c.addAligned(base32.StdEncoding.EncodeToString, b, before, 5)
	}
}

func (c *compiler) addBase64(b []byte) {
	for before := range 3 {
		c.addAligned(base64.RawStdEncoding.EncodeToString, b, before, 6)
		c.addAligned(base64.RawURLEncoding.EncodeToString, b, before, 6)
	}
}

// addBase64Twice adds the digits of the digits of b.
func (c *compiler) addBase64Twice(b []byte) {
	whole := base64.StdEncoding.EncodeToString(b)
	c.addBase64([]byte(whole))
	for before := range 3 {
		c.addBase64([]byte(c.addAligned(base64.RawStdEncoding.EncodeToString, b, before, 6)))
	}
}

// addAligned adds the digits of b that are the same whatever stands before and after
// b in the bytes that were encoded, if b stands there after a number of bytes that
// leaves the given remainder. It returns these digits.
func (c *compiler) addAligned(encode func([]byte) string, b []byte, before, bits int) string {
	if len(b) == 0 {
		return ""
	}
	all := encode(append(make([]byte, before), b...))
	from, to := (before*8+bits-1)/bits, (before+len(b))*8/bits
	if to-from < minDigits {
		return ""
	}
	digits := all[from:to]
	c.addNeighboured(digits)
	if before+len(b) < len(all) { // the last digit is padded with zero bits
		c.addNeighboured(strings.TrimRight(all[from:], "="))
	}
	return digits
}

// addNeighboured adds digits in whose neighbours bits of the secret may be.
func (c *compiler) addNeighboured(digits string) {
	n := len(c.needles)
	c.addWithEnd(foldAll(digits), 3)
	for i := range c.needles[n:] {
		c.needles[n+i].digits = true
	}
}

func (c *compiler) add(units []rune, groupFrom int) {
	if len(units) > maxUnits {
		for piece := range slices.Chunk(units, maxUnits) {
			if len(piece) >= minPart {
				c.add(piece, groupFrom)
			}
		}
		return
	}
	key := string(units)
	if c.known[key] || len(units) < minUnits {
		return
	}
	c.known[key] = true

	prefix := max((len(units)+1)/2, 10)
	if strings.HasPrefix(key, "eyj") { // many tokens begin alike
		prefix = len(units) * 3 / 4
	}
	beginning := hardBeginning(units)
	c.needles = append(c.needles, needle{
		units: units, prefix: max(prefix, beginning), beginning: beginning, groupFrom: groupFrom, tagFrom: groupFrom, label: c.label,
	})
}

// addWithEnd is add, and adds the end of the units: half of them, and as many as are
// hard to guess.
func (c *compiler) addWithEnd(units []rune, groupFrom int) {
	c.add(units, groupFrom)

	size := max((len(units)+1)/2, 10)
	for size < len(units) && Bits(string(units[len(units)-size:])) < minBeginningBits {
		size++
	}
	if len(units) > maxUnits || size >= len(units) || c.known[string(units[len(units)-size:])] {
		return
	}
	n := len(c.needles)
	c.add(units[len(units)-size:], groupFrom)
	if end := c.needles[n:]; len(end) == 1 {
		end[0].prefix, end[0].beginning = size, size
		end[0].before = units[:len(units)-size]
	}
}

const (
	// minBeginning is the least number of units of a beginning that is masked.
	minBeginning = 8

	// minBeginningBits is how hard a beginning that is masked must be to guess: whether
	// a guess of a few characters is masked would tell whether it is right.
	minBeginningBits = 40
)

// hardBeginning returns the number of units that are hard to guess.
func hardBeginning(units []rune) int {
	for n := minBeginning; n < min(len(units), 4*minBeginning); n++ {
		if Bits(string(units[:n])) >= minBeginningBits {
			return n
		}
	}
	return min(len(units), 4*minBeginning)
}

// utf16Bytes returns v in UTF-16, in both byte orders. Other code points than those of
// the first plane do not occur in secrets that are encoded so.
func utf16Bytes(v string) [][]byte {
	var little, big []byte
	for _, r := range v {
		if r > 0xFFFF || r == utf8.RuneError {
			return nil
		}
		little = append(little, byte(r), byte(r>>8))
		big = append(big, byte(r>>8), byte(r))
	}
	return [][]byte{little, big}
}

// jsonSpellings returns v as the usual encoders write it between the quotes of a JSON
// text: with or without escapes for slashes, for the characters of HTML, and for what is
// not ASCII.
func jsonSpellings(v string) []string {
	quoted := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(v)
	all := []string{quoted}
	for _, r := range []*strings.Replacer{
		strings.NewReplacer("/", `\/`),
		strings.NewReplacer("<", `\u003c`, ">", `\u003e`, "&", `\u0026`),
	} {
		for _, s := range slices.Clone(all) {
			all = append(all, r.Replace(s))
		}
	}
	for _, s := range slices.Clone(all) {
		all = append(all, escapeNonASCII(s))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// escapeNonASCII writes code points beyond ASCII as JSON's \u escapes, in UTF-16.
func escapeNonASCII(s string) string {
	if isASCII(s) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if r < utf8.RuneSelf {
			b.WriteRune(r)
			continue
		}
		for _, unit := range utf16.AppendRune(nil, r) {
			fmt.Fprintf(&b, `\u%04x`, unit)
		}
	}
	return b.String()
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// dropSkipped is a mapping for strings.Map that drops what the matcher skips between
// the units of a needle.
func dropSkipped(r rune) rune {
	if skipOf(fold(r)) != skipNone {
		return -1
	}
	return r
}
