package mask

import (
	"bytes"
	"fmt"
	"io"
	"testing"
)

// page is a page of 64 KB without secrets.
func page() []byte {
	var b bytes.Buffer
	for i := 0; b.Len() < 64<<10; i++ {
		fmt.Fprintf(&b, "<tr class=\"row\"><td><a href=\"/tickets/%d?from=list&amp;page=2\">Ticket number %d about the printer on floor %d</a></td>\n"+
			"<td>open since Monday &ndash; assigned to agents</td></tr>\n", i, i, i%7)
	}
	return b.Bytes()[:64<<10]
}

var benchSecrets = []string{"Xk29-vmQ8sLw/tR5+yZp1=dN", "b3f7a9c2e1d84f6097a5c3b1e2d4f608", "s%3AqJ8rT2mWx.Zk4/pL9+vB7nYcQ1sD6fGh3jK5mN8rTq"}

func BenchmarkPage(b *testing.B) {
	m := newMask(benchSecrets)
	p := page()
	b.SetBytes(int64(len(p)))
	b.ReportAllocs()
	for b.Loop() {
		m.InPlace(p)
	}
}

func BenchmarkPageReader(b *testing.B) {
	m := newMask(benchSecrets)
	p := page()
	b.SetBytes(int64(len(p)))
	b.ReportAllocs()
	buf := make([]byte, 32<<10)
	for b.Loop() {
		r := m.Reader(&pieces{text: p, size: 16 << 10})
		for {
			if _, err := r.Read(buf); err != nil {
				break
			}
		}
	}
}

func BenchmarkCompile(b *testing.B) {
	for b.Loop() {
		newMask(benchSecrets)
	}
}

// pieces reads text in pieces of a size.
type pieces struct {
	text []byte
	size int
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.text) == 0 {
		return 0, io.EOF
	}
	n := copy(b[:min(len(b), p.size)], p.text)
	p.text = p.text[n:]
	return n, nil
}
