package body

import (
	"bytes"
	"math"
	"unicode/utf16"
	"unicode/utf8"
)

// JSONOptions bounds [JSON.Parse].
type JSONOptions struct {
	MaxDepth  int     // objects and lists within each other; 0 means DefaultMaxDepth
	MaxValues int     // values and keys together; 0 means no bound but the size
	Keys      *KeySet // keys that decide; others that fold to one of them are refused
	Charset   Charset // of the Content-Type
}

// DefaultMaxDepth is far more than applications nest.
const DefaultMaxDepth = 64

var (
	errJSON          = fail(BadSyntax, "the body is not JSON: send one value as RFC 8259 writes it")
	errJSONString    = fail(BadSyntax, "a text in the JSON body holds a control character or an escape that JSON does not have")
	errJSONNumber    = fail(BadSyntax, "a number in the JSON body is not written as JSON writes numbers")
	errJSONTrailing  = fail(TrailingData, "something follows the JSON value: send one value")
	errJSONDeep      = fail(TooDeep, "the JSON body is nested too deep")
	errJSONMany      = fail(TooMany, "the JSON body has more values than can be held: send less at once")
	errJSONLarge     = fail(TooLarge, "the JSON body is too long: send less at once")
	errJSONSurrogate = fail(LoneSurrogate, "a text in the JSON body holds half of a surrogate pair, which stands for no character")
	errJSONDuplicate = fail(DuplicateKey, "an object in the JSON body has a key twice: send each once")
	errJSONFolded    = fail(FoldedKey, "a key in the JSON body differs only in case from one that decides what this request does: send it as the application names it")
	errJSONKeyNUL    = fail(NUL, "a key in the JSON body holds a NUL character, at which some readers end it")
)

// JSON is a JSON text (RFC 8259) in its canonical spelling, with an index of its
// values. The zero value is ready for Parse, which can be called again and then
// reuses the memory: no Value from before may be used afterwards.
//
// In the canonical spelling there is no white space, strings are ASCII with the
// shortest escapes of RFC 8259 (\uXXXX in lower case where there is no shorter one,
// and for every character beyond ASCII), and numbers are as the agent wrote them.
// The index takes 16 bytes for each value and key.
type JSON struct {
	text  []byte
	nodes []jsonNode
	table []uint32 // hash table of the keys of a large object
}

// jsonNode is one value or one key. The members of an object follow it as key, value,
// key, value; the elements of a list follow it one after another.
type jsonNode struct {
	start, end uint32 // in text
	next       uint32 // index of the node after this one and all within it
	kind       JSONKind
	escaped    bool // a string with escapes
}

// JSONKind is the type of a value.
type JSONKind uint8

// The types of a value.
const (
	JSONAbsent JSONKind = iota // of the zero Value
	JSONNull
	JSONBool
	JSONNumber
	JSONString
	JSONArray
	JSONObject
)

// Parse reads one JSON value. A byte order mark before it is skipped. Keys that come
// twice in an object, bytes that are not UTF-8 and halves of surrogate pairs are
// errors, as is everything that RFC 8259 does not have. It takes linear time. The
// text is not kept.
func (d *JSON) Parse(src []byte, o JSONOptions) error {
	if o.MaxDepth <= 0 {
		o.MaxDepth = DefaultMaxDepth
	}
	d.text, d.nodes = d.text[:0], d.nodes[:0]
	if len(src) > math.MaxUint32/6 {
		return errJSONLarge // a byte can become the six of an escape
	}
	if err := checkCharset(o.Charset, src); err != nil {
		return err
	}
	if cap(d.text) < len(src) {
		d.text = make([]byte, 0, len(src)+len(src)/8)
	}
	d.reserveNodes(src, o.MaxValues)

	p := jsonParser{JSON: d, src: bytes.TrimPrefix(src, []byte("\ufeff")), options: &o}
	err := p.value(0)
	if err == nil {
		if p.skipSpace(); p.at < len(p.src) {
			err = errJSONTrailing
		}
	}
	if err != nil {
		d.text, d.nodes = d.text[:0], d.nodes[:0]
	}
	return err
}

// Bytes returns the canonical text. It is valid until Parse is called again, and
// empty after an error.
func (d *JSON) Bytes() []byte { return d.text }

// jsonParser reads src and appends to the text and the nodes.
type jsonParser struct {
	*JSON
	src     []byte
	at      int
	options *JSONOptions
}

func (p *jsonParser) skipSpace() {
	for p.at < len(p.src) {
		switch p.src[p.at] {
		case ' ', '\t', '\r', '\n':
			p.at++
		default:
			return
		}
	}
}

// peek skips white space and returns the next byte, or 0 at the end.
func (p *jsonParser) peek() byte {
	p.skipSpace()
	if p.at == len(p.src) {
		return 0
	}
	return p.src[p.at]
}

// begin appends the node of a value that begins here.
func (p *jsonParser) begin(kind JSONKind) (index int, err error) {
	if p.options.MaxValues > 0 && len(p.nodes) == p.options.MaxValues {
		return 0, errJSONMany
	}
	p.nodes = append(p.nodes, jsonNode{start: uint32(len(p.text)), kind: kind})
	return len(p.nodes) - 1, nil
}

// end completes a node.
func (p *jsonParser) end(index int) {
	p.nodes[index].end = uint32(len(p.text))
	p.nodes[index].next = uint32(len(p.nodes))
}

func (p *jsonParser) value(depth int) error {
	switch c := p.peek(); {
	case c == '{':
		return p.object(depth + 1)
	case c == '[':
		return p.array(depth + 1)
	case c == '"':
		_, err := p.str()
		return err
	case c == '-' || c >= '0' && c <= '9':
		return p.number()
	case c == 't':
		return p.literal("true", JSONBool)
	case c == 'f':
		return p.literal("false", JSONBool)
	case c == 'n':
		return p.literal("null", JSONNull)
	}
	return errJSON
}

func (p *jsonParser) literal(word string, kind JSONKind) error {
	if !bytes.HasPrefix(p.src[p.at:], []byte(word)) {
		return errJSON
	}
	index, err := p.begin(kind)
	if err != nil {
		return err
	}
	p.at += len(word)
	p.text = append(p.text, word...)
	p.end(index)
	return nil
}

func (p *jsonParser) object(depth int) error {
	if depth > p.options.MaxDepth {
		return errJSONDeep
	}
	index, err := p.begin(JSONObject)
	if err != nil {
		return err
	}
	p.at++
	p.text = append(p.text, '{')

	keys := 0
	for p.peek() != '}' {
		if keys > 0 {
			if p.peek() != ',' {
				return errJSON
			}
			p.at++
			p.text = append(p.text, ',')
		}
		if p.peek() != '"' {
			return errJSON
		}
		if err := p.key(); err != nil {
			return err
		}
		if p.peek() != ':' {
			return errJSON
		}
		p.at++
		p.text = append(p.text, ':')
		if err := p.value(depth); err != nil {
			return err
		}
		keys++
	}
	p.at++
	p.text = append(p.text, '}')
	p.end(index)

	if p.hasDuplicateKey(index, keys) {
		return errJSONDuplicate
	}
	return nil
}

func (p *jsonParser) key() error {
	index := len(p.nodes)
	hasNUL, err := p.str()
	if err != nil {
		return err
	}
	if hasNUL {
		return errJSONKeyNUL
	}
	if p.options.Keys != nil && p.options.Keys.mistakes(Value{p.JSON, uint32(index)}) {
		return errJSONFolded
	}
	return nil
}

func (p *jsonParser) array(depth int) error {
	if depth > p.options.MaxDepth {
		return errJSONDeep
	}
	index, err := p.begin(JSONArray)
	if err != nil {
		return err
	}
	p.at++
	p.text = append(p.text, '[')

	for first := true; p.peek() != ']'; first = false {
		if !first {
			if p.peek() != ',' {
				return errJSON
			}
			p.at++
			p.text = append(p.text, ',')
		}
		if err := p.value(depth); err != nil {
			return err
		}
	}
	p.at++
	p.text = append(p.text, ']')
	p.end(index)
	return nil
}

// number copies a number as it is written.
func (p *jsonParser) number() error {
	n := numberLength(p.src[p.at:])
	if n == 0 {
		return errJSONNumber
	}
	index, err := p.begin(JSONNumber)
	if err != nil {
		return err
	}
	p.text = append(p.text, p.src[p.at:p.at+n]...)
	p.at += n
	p.end(index)
	return nil
}

// numberLength returns the length of the number (RFC 8259 section 6) at the
// beginning of s, or 0 if there is none or it goes on as no number can.
func numberLength(s []byte) int {
	digits := func(i int) int {
		for i < len(s) && s[i] >= '0' && s[i] <= '9' {
			i++
		}
		return i
	}

	i := 0
	if s[0] == '-' {
		i++
	}
	whole := digits(i)
	if whole == i || s[i] == '0' && whole > i+1 {
		return 0
	}
	i = whole

	if i < len(s) && s[i] == '.' {
		end := digits(i + 1)
		if end == i+1 {
			return 0
		}
		i = end
	}
	if i < len(s) && s[i]|0x20 == 'e' {
		i++
		if i < len(s) && (s[i] == '+' || s[i] == '-') {
			i++
		}
		end := digits(i)
		if end == i {
			return 0
		}
		i = end
	}
	return i
}

// isPlain are the bytes that stand for themselves in a canonical string.
var isPlain = func() (plain [256]bool) {
	for c := ' '; c < utf8.RuneSelf; c++ {
		plain[c] = c != '"' && c != '\\'
	}
	return plain
}()

// str reads a string and writes it in canonical spelling.
func (p *jsonParser) str() (hasNUL bool, err error) {
	index, err := p.begin(JSONString)
	if err != nil {
		return false, err
	}
	src, at, text := p.src, p.at+1, append(p.text, '"')

	escaped := false
	for {
		run := at
		for at < len(src) && isPlain[src[at]] {
			at++
		}
		text = append(text, src[run:at]...)
		if at == len(src) {
			return false, errJSONString
		}
		if src[at] == '"' {
			break
		}

		c, size, err := decodeJSONCharacter(src[at:])
		if err != nil {
			return false, err
		}
		hasNUL = hasNUL || c == 0
		at += size
		before := len(text)
		text = appendJSONCharacter(text, c)
		escaped = escaped || text[before] == '\\'
	}

	p.at, p.text = at+1, append(text, '"')
	p.end(index)
	p.nodes[index].escaped = escaped
	return hasNUL, nil
}

// decodeJSONCharacter decodes an escape, or a character beyond ASCII, at the
// beginning of s.
func decodeJSONCharacter(s []byte) (c rune, size int, err error) {
	if s[0] != '\\' {
		c, size = utf8.DecodeRune(s)
		switch {
		case s[0] < ' ':
			return 0, 0, errJSONString
		case c == utf8.RuneError && size == 1:
			return 0, 0, errNotUTF8
		}
		return c, size, nil
	}

	if len(s) < 2 {
		return 0, 0, errJSONString
	}
	switch s[1] {
	case '"', '\\', '/':
		return rune(s[1]), 2, nil
	case 'b':
		return '\b', 2, nil
	case 'f':
		return '\f', 2, nil
	case 'n':
		return '\n', 2, nil
	case 'r':
		return '\r', 2, nil
	case 't':
		return '\t', 2, nil
	case 'u':
		return decodeUnicodeEscape(s)
	}
	return 0, 0, errJSONString
}

func decodeUnicodeEscape(s []byte) (c rune, size int, err error) {
	c, ok := fourHexDigits(s)
	if !ok {
		return 0, 0, errJSONString
	}
	if !utf16.IsSurrogate(c) {
		return c, 6, nil
	}
	low, ok := fourHexDigits(s[6:])
	if c = utf16.DecodeRune(c, low); !ok || c == utf8.RuneError {
		return 0, 0, errJSONSurrogate
	}
	return c, 12, nil
}

// fourHexDigits reads \uXXXX.
func fourHexDigits(s []byte) (c rune, ok bool) {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return 0, false
	}
	for _, digit := range s[2:6] {
		if !isHex(digit) {
			return 0, false
		}
		c = c<<4 | rune(unhex(digit))
	}
	return c, true
}

// appendJSONCharacter appends a character in its one spelling.
func appendJSONCharacter(dst []byte, c rune) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', byte(c))
	case '\b':
		return append(dst, `\b`...)
	case '\f':
		return append(dst, `\f`...)
	case '\n':
		return append(dst, `\n`...)
	case '\r':
		return append(dst, `\r`...)
	case '\t':
		return append(dst, `\t`...)
	}

	switch {
	case c < ' ':
	case c < utf8.RuneSelf:
		return append(dst, byte(c))
	case c > 0xffff:
		high, low := utf16.EncodeRune(c)
		return appendUnicodeEscape(appendUnicodeEscape(dst, high), low)
	}
	return appendUnicodeEscape(dst, c)
}

func appendUnicodeEscape(dst []byte, c rune) []byte {
	const digits = "0123456789abcdef"
	return append(dst, '\\', 'u', digits[c>>12&15], digits[c>>8&15], digits[c>>4&15], digits[c&15])
}

// AppendJSONString appends text as a canonical JSON string. Bytes that are not UTF-8
// become U+FFFD.
func AppendJSONString(dst []byte, text string) []byte {
	dst = append(dst, '"')
	for _, c := range text {
		dst = appendJSONCharacter(dst, c)
	}
	return append(dst, '"')
}
