package mask

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"
)

// everyOffset returns what the matcher finds if it looks at every offset, and at no
// filter.
func everyOffset(m *Mask, text []byte) (all []span, open int) {
	x := matcher{mask: m}
	x.reader.text = text
	open = len(text)
	covered := 0
	for p := range text {
		end, beginning := x.matchAt(p)
		if beginning != none {
			open = min(open, p)
		}
		if beginning == long {
			end = len(text)
		}
		if end > 0 {
			all = append(all, x.span(p, end, covered))
			covered = max(covered, end)
		}
	}
	return all, open
}

// withoutCutOff returns the text without the beginning of a code point at its end that
// the mask cannot be interested in. The matcher waits for the rest of it.
func withoutCutOff(m *Mask, text []byte) []byte {
	for n := min(len(text), utf8.UTFMax-1); n > 0; n-- {
		end := text[len(text)-n:]
		isNothing := m.filter.roles[end[0]] == rolePlain || n > 1 && len(m.filter.high) == 0 && !isSkippedOrFolded(end[0], end[1])
		if utf8.RuneStart(end[0]) && !utf8.FullRune(end) && isNothing {
			return withoutCutOff(m, text[:len(text)-n])
		}
	}
	return text
}

// checkFilter fails the test if the filter hides something from the matcher.
func checkFilter(t *testing.T, m *Mask, text []byte) {
	t.Helper()
	text = withoutCutOff(m, text)
	want, wantOpen := everyOffset(m, text)
	got, open := m.spans(nil, text, false)
	if !slices.Equal(got, want) || open != wantOpen {
		t.Fatalf("text %q\nfilter: %v, open from %d\nwithout: %v, open from %d", text, got, open, want, wantOpen)
	}
	// Bytes of UTF-16 without zeros, as the matcher may find them, can be fewer than a secret has.
	want = slices.DeleteFunc(want, func(s span) bool { return s.start > len(text)-minSecret })
	if got, _ := m.spans(nil, text, true); !slices.Equal(got, want) {
		t.Fatalf("whole text %q\nfilter: %v\nwithout: %v", text, got, want)
	}
}

// writer writes units of needles as strange applications would.
type writer struct {
	rand *rand.Rand
	text []byte
}

func (w *writer) oneOf(choices ...string) string { return choices[w.rand.IntN(len(choices))] }

// namesOfUnits returns the name of a character reference for each code point.
var namesOfUnits = sync.OnceValue(func() map[rune]string {
	names := map[rune]string{}
	for name, r := range entities() {
		if before, ok := names[r]; !ok || name < before {
			names[r] = name
		}
	}
	return names
})

// writeUnit writes a unit in one of its spellings.
func (w *writer) writeUnit(r rune) {
	add := func(format string, args ...any) { w.text = fmt.Appendf(w.text, format, args...) }
	switch w.rand.IntN(14) {
	case 0:
		add("%s", strings.Map(func(r rune) rune { return r }, strings.ToUpper(string(r))))
	case 1:
		add(w.oneOf("&#%d;", "&#%d", "&#x%x;", "&#X%04X;", `\u%04x`, `\u{%x}`, "%%u%04X", `\%x `, "&amp;#%d;", "%%26%%23%d;", "&#%020d;", "&#x%015x;", `\u{%09x}`, "\\%x\f", "\\%x\r\n"), r)
	case 2:
		for _, c := range []byte(string(r)) {
			add(w.oneOf("%%%02X", "%%%02x", "=%02X", `\x%02x`, `\%03o`, "%%25%02x", `\\x%02x`, "=25%02X"), c)
		}
	case 3:
		add(`\%c`, r)
	case 4:
		if name := namesOfUnits()[r]; name != "" {
			add("&%s", name)
		} else {
			add("%c", r)
		}
	default:
		if r < 256 && w.rand.IntN(3) == 0 {
			w.text = append(w.text, byte(r))
		} else {
			w.text = utf8.AppendRune(w.text, r)
		}
	}
}

// writeNeedle writes a needle, in plain or strange spellings, with what is skipped
// between its units.
func (w *writer) writeNeedle(n *needle) {
	strange := w.rand.IntN(4)
	group := 1 + w.rand.IntN(9)
	separator := w.oneOf("", "", " ", "-", "\n", "\r\n\t", "=\r\n", "\u00ad", "\xad", "\u200b", "<b>", "</b><i class=x>", "\"", ", ", "0x", ", 0x", " 0X", "&shy;", "&#10;", `\n`, "%0a", "&nbsp;", ":", "_", "\xa0", "\u202f", "+", "</b> <i>", "\x00")
	for k, unit := range n.units {
		if k > 0 && k%group == 0 {
			w.text = append(w.text, separator...)
		}
		if strange > 0 && w.rand.IntN(3*strange*strange) == 0 {
			w.writeUnit(unit)
		} else {
			w.text = utf8.AppendRune(w.text, unit)
		}
		if strange == 1 && w.rand.IntN(5) == 0 {
			w.text = append(w.text, w.oneOf("\n", "-", " ", "=\n", "<i>", "\u200d", "0x", "&#173;", "\u017f", "%", "&")...)
		}
	}
}

// write writes a text in which needles stand close together, some of them in part.
func (w *writer) write(m *Mask) []byte {
	w.text = w.text[:0]
	for range w.rand.IntN(5) + 1 {
		for range w.rand.IntN(40) {
			w.text = append(w.text, w.oneOf("a", "e", "x", " ", "0x", "\n", "%", "=", "&", "&amp;", `\`, "<p>", "-", "\u00e4", "\xc3", "\xe2\x80\x9c", "word ", "k", "%2", "4f", "=3D", `\"`, "=\"")...)
		}
		from := len(w.text)
		w.writeNeedle(&m.needles[w.rand.IntN(len(m.needles))])
		if w.rand.IntN(3) == 0 {
			w.text = w.text[:from+w.rand.IntN(len(w.text)-from)]
		}
	}
	return w.text
}

var filterSecrets = [][]string{
	benchSecrets,
	{"canary-session/1234+5678", `p<a&s's/w"o+r\d é`, "Gräßlich&Übel42"},
	{"пароль-секрет-77", "4f9a81c2d3e4b5a697", "JBSWY3DPEHPK3PXPJBSWY3DP"},
	{"s%3AqJ8rT2mWx.Zk4%2FpL9", "a b+c d=e%f"}, {"sesame"}, {"-_-x-_y", "ab cdefg"}, {"k\nss\rline\x00s0"},
	{"Kk\u212assIi\u0130", "\u00ad12345\u00a0678"}, {"tr0ub4dor&3"}, {"€€€-", "😀😀😀"},
	{"abcd=ef=gh41=", "k=v=12345678"}, {"%41bcdefgh", "ab%26amp;%3D"}, {`quo"te'"d\"xyz`}, {"2700\u1b79", "Tres-veces-\u00ed\u00e0-27"},
	{"\u4100\u4100\u4100"}, {"0\u0746\x00\x00\x00"}, {"\u00e4\u00f6\u00fc"},
}

func TestTheFilterHidesNothing(t *testing.T) {
	for i, secrets := range filterSecrets {
		m := newMask(secrets)
		w := writer{rand: rand.New(rand.NewPCG(uint64(i), 7))}
		for range 600 {
			checkFilter(t, m, w.write(m))
		}
	}
}

func FuzzFilter(f *testing.F) {
	for i := range filterSecrets {
		f.Add(uint64(i), strings.Join(filterSecrets[i], "|"), "")
	}
	f.Add(uint64(1), "sesame-open", "ses%61me-open")
	f.Fuzz(func(t *testing.T, seed uint64, secrets, text string) {
		if len(secrets) > 200 || len(text) > 1000 {
			return
		}
		m := newMask(strings.Split(secrets, "|"))
		if m == nil {
			return
		}
		checkFilter(t, m, []byte(text))
		w := writer{rand: rand.New(rand.NewPCG(seed, 7))}
		for range 5 {
			checkFilter(t, m, w.write(m))
		}
	})
}
