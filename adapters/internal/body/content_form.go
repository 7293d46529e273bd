package body

import "bytes"

// formScan finds name=value. Readers of forms take any text: what stands before the first "="
// of a piece is a name. So a piece counts wherever it stands, and in binary content as well,
// if its name is one that a form may have and its value is text.
type formScan struct {
	report func(Finding)
	state  formState
	name   []byte
	value  []byte

	isBlank    bool // name has blanks, or ended and blanks follow
	isOdd      bool // name has bytes that no form has before a bracket
	inBrackets bool // name has a bracket

	// isPlain holds as long as all bytes are those of an urlencoded text, in which some readers
	// split at ";" too.
	isPlain bool

	// ofLines makes line ends separators, too, as browsers send a form whose enctype is
	// text/plain. The scan isOver once a line is not a pair.
	ofLines, isOver bool
}

type formState uint8

const (
	formName formState = iota
	formValue
	formSkip // to the next separator
)

func (f *formScan) write(p []byte) {
	for len(p) > 0 && !f.isOver {
		switch f.state {
		case formName:
			p = f.readName(p)
		case formValue:
			p = f.readValue(p)
		case formSkip:
			n := f.separator(p)
			if n == len(p) {
				return
			}
			f.begin(p[n])
			p = p[n+1:]
		}
	}
}

func (f *formScan) close() {
	if f.state == formValue && !f.isOver {
		f.end()
	}
}

// pending is the length of the pair whose value has not ended.
func (f *formScan) pending() int {
	if f.state != formValue || f.isOver {
		return 0
	}
	return len(f.name) + len("=") + len(f.value)
}

// begin begins a piece after a separator.
func (f *formScan) begin(separator byte) {
	f.isOver = f.ofLines && separator == '\n' && f.state == formName && len(f.name) > 0
	f.state, f.name, f.value = formName, f.name[:0], f.value[:0]
	f.isBlank, f.isOdd, f.inBrackets = false, false, false
}

// readName reads a name, or begins to skip what is not one.
func (f *formScan) readName(p []byte) (rest []byte) {
	for i, c := range p {
		switch {
		case c == '=' && len(f.name) > 0:
			f.state = formValue
			if !f.endName() {
				f.skip(c)
			}
			return p[i+1:]
		case f.isSeparator(c):
			f.begin(c)
		case c <= ' ' && len(f.name) == 0:
			// some readers trim names
		case len(f.name) < maxScannedName && f.isNameByte(c):
			f.name = append(f.name, c)
		default:
			f.skip(c)
			return p[i+1:]
		}
	}
	return nil
}

// skip is called at a byte with which a piece turns out to be no pair.
func (f *formScan) skip(c byte) {
	f.isOver = f.ofLines
	f.isPlain = f.isPlain && isPlainFormByte(c)
	f.state = formSkip
}

// isNameByte reports whether a name may go on with c. What stands around brackets is of no
// matter to some readers.
func (f *formScan) isNameByte(c byte) bool {
	f.inBrackets = f.inBrackets || c == '['
	switch {
	case c == '"' || c == '{' || c == '}':
		f.isBlank = bytes.IndexByte(f.name, ']') > 0
		return f.isBlank
	case c <= ' ':
		f.isBlank = true
		return true
	case f.inBrackets:
		return true
	}
	f.isOdd = f.isOdd || !isFormNameByte[c]
	return !f.isBlank
}

// endName reports whether what stands before the "=" is a name. Blanks at its end do not count,
// and PHP drops what follows the last bracket.
func (f *formScan) endName() bool {
	f.name = bytes.TrimRight(f.name, "\t\n\v\f\r ")
	if !f.inBrackets {
		return !f.isOdd
	}
	if end := bytes.LastIndexByte(f.name, ']'); end >= 0 && f.isBlank {
		f.name = f.name[:end+1]
	}
	return true
}

// readValue reads a value up to a separator.
func (f *formScan) readValue(p []byte) (rest []byte) {
	n := f.separator(p)
	room := maxScannedValue - len(f.value)
	f.value = append(f.value, p[:min(n, room)]...)
	if n > room {
		f.end()
		f.state = formSkip
		return p[room:]
	}
	if n == len(p) {
		return nil
	}
	f.end()
	f.begin(p[n])
	return p[n+1:]
}

// end reports a pair.
func (f *formScan) end() {
	if len(f.value) == 0 || !isScannedText(f.value) {
		return
	}
	f.report(Finding{Name: decodeLoosely(f.name), Value: decodeLoosely(nulsAsBlanks(f.value)), Reader: ReadsForm})
}

func (f *formScan) isSeparator(c byte) bool {
	return c == '&' || c == ';' && f.isPlain || c == '\n' && f.ofLines
}

// separator returns where the next separator is in p, or len(p).
func (f *formScan) separator(p []byte) int {
	if !f.isPlain && !f.ofLines {
		if i := bytes.IndexByte(p, '&'); i >= 0 {
			return i
		}
		return len(p)
	}
	for i, c := range p {
		f.isPlain = f.isPlain && (isPlainFormByte(c) || c == '\r' || c == '\n')
		f.isOver = f.ofLines && (c < ' ' && !isBlankByte(c) && c != 0 || c == 0x7f)
		if f.isSeparator(c) || f.isOver {
			return i
		}
	}
	return len(p)
}

// isPlainFormByte reports whether clients write a byte into an urlencoded text.
func isPlainFormByte(c byte) bool {
	return c > ' ' && c < 0x7f && c != '"' && c != '<' && c != '>' && c != '{' && c != '}'
}

// isFormNameByte are the bytes of a name. Blanks and what begins other formats is not among
// them, so that a sentence with a "=" is no pair.
var isFormNameByte = func() (is [256]bool) {
	for c := range 256 {
		is[c] = isAlphanumeric(byte(c)) || c >= 0x80
	}
	for _, c := range []byte("_-.[]%+$@:!~*'\\|^") {
		is[c] = true
	}
	return is
}()

// isScannedText reports whether a value may be text in some charset. It is what keeps
// compressed content from being taken for pairs: two bytes in a row are often "&p" there, and
// seldom what follows is without control characters up to the next "&". Those at an end do not
// count, because applications trim them.
func isScannedText(p []byte) bool {
	p = bytes.TrimFunc(p, func(c rune) bool { return c <= ' ' })
	for _, c := range p {
		if c < ' ' && c != '\t' && c != '\r' && c != '\n' && c != 0 {
			return false
		}
	}
	return len(p) > 0
}

// decodeLoosely undoes percent-encoding as lenient readers do: what does not decode stands for
// itself, and a NUL ends the text.
func decodeLoosely(p []byte) string {
	for _, end := range [...]string{"\x00", "%00"} {
		p, _, _ = bytes.Cut(p, []byte(end))
	}
	text, _ := decodePercent(string(p), &FormOptions{LonePercent: true})
	return text
}

// nulsAsBlanks makes blanks of NULs, which end a name and not a value.
func nulsAsBlanks(value []byte) []byte {
	if bytes.IndexByte(value, 0) < 0 && !bytes.Contains(value, []byte("%00")) {
		return value
	}
	value = bytes.ReplaceAll(value, []byte("%00"), []byte{' '})
	return bytes.ReplaceAll(value, []byte{0}, []byte{' '})
}
