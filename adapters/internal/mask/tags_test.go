package mask

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// writeMarkup writes what stands in pages between brackets, and brackets that are no tags.
func (w *writer) writeMarkup() {
	for range 1 + w.rand.IntN(6) {
		w.text = append(w.text, w.oneOf(
			"<p>", "<td class=\"x\">", "</a>", "<", ">", "<<b>", "<>", "<a href=\"/x?a=1&amp;b=2\">", "<i", "\n  ", "word", " ", "-", "<b>x</b>", "<!-- - -->", "\\<b>", "&lt;b&gt;",
			"<"+strings.Repeat("x", w.rand.IntN(140))+">", "<b "+strings.Repeat(" ", w.rand.IntN(140))+">", strings.Repeat("y-", w.rand.IntN(100)), strings.Repeat("<u>", w.rand.IntN(30)))...)
	}
}

// writePage writes a text of several batches in which needles stand in tags, outside of
// them, and around them.
func (w *writer) writePage(m *Mask, size int) []byte {
	w.text = w.text[:0]
	for len(w.text) < size {
		w.writeMarkup()
		from := len(w.text)
		w.writeNeedle(&m.needles[w.rand.IntN(len(m.needles))])
		needle := string(w.text[from:])
		switch w.rand.IntN(6) {
		case 0:
			w.text = append(w.text[:from], "<a b=\""+needle+"\">"...)
		case 1, 2:
			at := w.rand.IntN(len(needle))
			w.text = append(w.text[:from], needle[:at]...)
			w.writeMarkup()
			w.text = append(w.text, needle[at:]...)
		case 3:
			w.text = w.text[:from+w.rand.IntN(len(needle))]
		}
	}
	return w.text[:size]
}

func TestTheFilterHidesNothingAmongTags(t *testing.T) {
	eachProcessor(func(string) {
		for i, secrets := range append(filterSecrets, []string{"<b>old-and-1ong"}, []string{`"><script>9`}) {
			m := newMask(secrets)
			w := writer{rand: rand.New(rand.NewPCG(uint64(i), 11))}
			for range 8 {
				checkFilter(t, m, w.writePage(m, 1+w.rand.IntN(10_000)))
			}
			for range 30 {
				checkFilter(t, m, w.writePage(m, 1+w.rand.IntN(300)))
			}
		}
	})
}
