package body

import (
	"strings"
	"unicode/utf8"
)

// Pair is one parameter of a query or a form, decoded. Name and Value hold the
// bytes that the agent meant, which need not be UTF-8.
type Pair struct {
	Name, Value string
	Bare        bool // written without "=", as in ?wsdl
}

// SemicolonRule says what a ";" between parameters is.
type SemicolonRule uint8

const (
	RefuseSemicolon  SemicolonRule = iota // an error, since servers differ
	SplitAtSemicolon                      // the same as "&", for applications that read it so
	KeepSemicolon                         // data, as the WHATWG URL standard has it; written as %3B
)

// FormOptions bounds and loosens [ParseForm].
type FormOptions struct {
	MaxPairs    int // 0 means DefaultMaxPairs
	Semicolon   SemicolonRule
	LonePercent bool    // take a "%" that begins no escape as itself, as the WHATWG URL standard has it; written as %25
	UTF8        bool    // refuse what does not decode to UTF-8. Without it Latin-1 applications keep their bytes
	Charset     Charset // of the Content-Type; queries have none
}

// DefaultMaxPairs is what PHP, Django and qs read; PHP and qs drop the rest.
const DefaultMaxPairs = 1000

var (
	errSemicolon   = fail(Semicolon, "a parameter holds a bare semicolon, at which some servers begin another parameter: write it as %3B")
	errLonePercent = fail(LonePercent, "a parameter holds a percent sign that is not followed by two hexadecimal digits: write it as %25")
	errManyPairs   = fail(TooMany, "there are more parameters than servers read without dropping some: send fewer")
	errNULInPair   = fail(NUL, "a parameter holds a NUL byte, at which some servers end it: leave it out")
	errEmptyName   = fail(EmptyName, "a parameter has no name, or none before its first bracket, which servers read in different ways: name it or leave it out")
	errPairUTF8    = fail(InvalidUTF8, "a parameter is not valid UTF-8 after decoding: send UTF-8, percent-encoded")
	errCharsetName = fail(WrongCharset, "the field _charset_ names a charset that is not UTF-8: send UTF-8")
)

// ParseForm appends the parameters of a query (without "?") or of an urlencoded
// body to dst, in order. It reads as the WHATWG URL standard does, and refuses
// what other readers take for something else. Empty parameters (as in a=1&&b=2)
// are dropped, as all readers do. It works in linear time; a text that needs no
// decoding is not copied.
func ParseForm(dst []Pair, raw string, o FormOptions) ([]Pair, error) {
	if o.MaxPairs <= 0 {
		o.MaxPairs = DefaultMaxPairs
	}
	if o.Semicolon == RefuseSemicolon && strings.IndexByte(raw, ';') >= 0 {
		return nil, errSemicolon
	}
	if err := checkCharset(o.Charset, raw); err != nil {
		return nil, err
	}

	first := len(dst)
	for raw != "" {
		var piece string
		piece, raw = cutPair(raw, o.Semicolon)
		if piece == "" {
			continue
		}
		if len(dst)-first == o.MaxPairs {
			return nil, errManyPairs
		}
		pair, err := parsePair(piece, &o)
		if err != nil {
			return nil, err
		}
		dst = append(dst, pair)
	}
	if err := checkCharsetField(dst[first:]); err != nil {
		return nil, err
	}
	return dst, nil
}

func cutPair(raw string, rule SemicolonRule) (piece, rest string) {
	var i int
	if rule == SplitAtSemicolon {
		i = strings.IndexAny(raw, "&;")
	} else {
		i = strings.IndexByte(raw, '&')
	}
	if i < 0 {
		return raw, ""
	}
	return raw[:i], raw[i+1:]
}

func parsePair(piece string, o *FormOptions) (Pair, error) {
	rawName, rawValue, found := strings.Cut(piece, "=")
	if rawName == "" {
		return Pair{}, errEmptyName
	}

	name, err := decodePercent(rawName, o)
	if err != nil {
		return Pair{}, err
	}
	if beginsWithBracket(name) {
		return Pair{}, errEmptyName
	}
	value, err := decodePercent(rawValue, o)
	if err != nil {
		return Pair{}, err
	}
	return Pair{Name: name, Value: value, Bare: !found}, nil
}

// beginsWithBracket reports a name that qs, the parser of Express, reads without its
// bracket: [id] is id.
func beginsWithBracket(name string) bool { return name[0] == '[' || name[0] == ']' }

// decodePercent decodes a name or a value.
func decodePercent(raw string, o *FormOptions) (string, error) {
	text := raw
	if strings.IndexByte(raw, '%') >= 0 || strings.IndexByte(raw, '+') >= 0 {
		out := make([]byte, 0, len(raw))
		run := 0
		for i := 0; i < len(raw); i++ {
			c := raw[i]
			if c != '%' && c != '+' {
				continue
			}
			out = append(out, raw[run:i]...)
			switch {
			case c == '+':
				out = append(out, ' ')
			case i+2 < len(raw) && isHex(raw[i+1]) && isHex(raw[i+2]):
				out = append(out, unhex(raw[i+1])<<4|unhex(raw[i+2]))
				i += 2
			case o.LonePercent:
				out = append(out, c)
			default:
				return "", errLonePercent
			}
			run = i + 1
		}
		out = append(out, raw[run:]...)
		text = string(out)
	}

	if strings.IndexByte(text, 0) >= 0 {
		return "", errNULInPair
	}
	if o.UTF8 && !utf8.ValidString(text) {
		return "", errPairUTF8
	}
	return text, nil
}

// checkCharsetField is about the field _charset_ (HTML standard, section 4.10.22.5),
// by which some frameworks decode all others.
func checkCharsetField(pairs []Pair) error {
	needsASCII := false
	for i := range pairs {
		if !strings.EqualFold(pairs[i].Name, charsetField) {
			continue
		}
		switch charsetOf(pairs[i].Value) {
		case charsetUnknown:
			return errCharsetName
		case CharsetASCII:
			needsASCII = true
		}
	}
	if !needsASCII {
		return nil
	}

	for i := range pairs {
		if !isASCII(pairs[i].Name) || !isASCII(pairs[i].Value) {
			return errCharsetName
		}
	}
	return nil
}

const charsetField = "_charset_"

// AppendForm appends pairs as an urlencoded body, in the spelling of the WHATWG URL
// standard: all bytes but A-Z a-z 0-9 * - . _ are percent-encoded, a space is "+",
// and every parameter has a "=".
func AppendForm(dst []byte, pairs []Pair) []byte {
	for i := range pairs {
		if i > 0 {
			dst = append(dst, '&')
		}
		dst = appendPercent(dst, pairs[i].Name, true)
		dst = append(dst, '=')
		dst = appendPercent(dst, pairs[i].Value, true)
	}
	return dst
}

// AppendQuery appends pairs as a query, without "?". It differs from AppendForm in
// two ways. A space is "%20", because "+" is a space only for those who read the
// query as a form: routers, rewriting rules and signatures that read it as RFC 3986
// does keep a "+". And the only parameter of a query, if it came without "=", goes
// without it, because applications compare the whole query with a word (?wsdl). Among
// others it gets a "=": Rack and CGI.pm take a parameter without one for absent.
func AppendQuery(dst []byte, pairs []Pair) []byte {
	bare := len(pairs) == 1 && pairs[0].Bare && pairs[0].Value == ""
	for i := range pairs {
		if i > 0 {
			dst = append(dst, '&')
		}
		dst = appendPercent(dst, pairs[i].Name, false)
		if bare {
			break
		}
		dst = append(dst, '=')
		dst = appendPercent(dst, pairs[i].Value, false)
	}
	return dst
}

// isUnescaped are the bytes that the WHATWG URL standard does not encode in a form.
var isUnescaped = func() (unescaped [256]bool) {
	for c := range unescaped {
		unescaped[c] = isAlphanumeric(byte(c)) || c == '*' || c == '-' || c == '.' || c == '_'
	}
	return unescaped
}()

func appendPercent(dst []byte, text string, plus bool) []byte {
	const digits = "0123456789ABCDEF"
	run := 0
	for i := 0; i < len(text); i++ {
		c := text[i]
		if isUnescaped[c] {
			continue
		}
		dst = append(dst, text[run:i]...)
		run = i + 1
		if c == ' ' && plus {
			dst = append(dst, '+')
		} else {
			dst = append(dst, '%', digits[c>>4], digits[c&15])
		}
	}
	return append(dst, text[run:]...)
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func unhex(c byte) byte {
	switch {
	case c <= '9':
		return c - '0'
	case c >= 'a':
		return c - 'a' + 10
	}
	return c - 'A' + 10
}
