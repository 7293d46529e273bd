package mask

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
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

// prose is text of words, in lines.
func prose() []byte {
	words := strings.Fields("the printer on the third floor has been out of toner since Monday morning, and nobody knows who ordered the last cartridges; " +
		"please ask facilities (extension 4711) whether they still hold a contract with the supplier. Thank you - Anna. It's urgent!")
	random := rand.New(rand.NewPCG(1, 2))
	var b bytes.Buffer
	for line := 0; b.Len() < 64<<10; {
		word := words[random.IntN(len(words))]
		if line += len(word) + 1; line > 72 {
			b.WriteByte('\n')
			line = 0
		}
		b.WriteString(word + " ")
	}
	return b.Bytes()[:64<<10]
}

// octets are random bytes.
func octets() []byte {
	b := make([]byte, 64<<10)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

// document is JSON of many short strings, with escapes.
func document() []byte {
	var b bytes.Buffer
	for i := 0; b.Len() < 64<<10; i++ {
		fmt.Fprintf(&b, `{"id":%d,"title":"Printer \"%d\" on floor %d","href":"https:\/\/app.example\/t\/%d?x=%d&y=1","body":"It is out of toner.\nPlease refill \u2013 today"},`, i, i, i%7, i, i)
	}
	return b.Bytes()[:64<<10]
}

// worst is text of nothing but what the matcher must look at: beginnings of secrets, and
// escapes of their characters.
func worst() []byte {
	return bytes.Repeat([]byte("Xk2%58%6b&#x32;9-b3f7a\\u0058k&amp;#88;=58s:qJ"), 64<<10/44+1)[:64<<10]
}

func BenchmarkMask(b *testing.B) {
	for _, text := range []struct {
		name string
		of   []byte
	}{
		{"page", page()}, {"prose", prose()}, {"octets", octets()}, {"json", document()},
		{"periodic", bytes.Repeat([]byte("0123456789abcdef"), 4<<10)}, {"base64", []byte(base64.StdEncoding.EncodeToString(octets()))}, {"escaped", []byte(url.QueryEscape(string(prose())))}, {"worst", worst()},
	} {
		m := newMask(benchSecrets)
		b.Run(text.name, func(b *testing.B) {
			measure(b, len(text.of), func() { m.spans(nil, text.of, false) })
		})
		readAll := func(r io.Reader, buf []byte) {
			for {
				if _, err := r.Read(buf); err != nil {
					break
				}
			}
		}
		b.Run(text.name+" reader", func(b *testing.B) {
			buf := make([]byte, 32<<10)
			measure(b, len(text.of), func() { readAll(m.Reader(&pieces{text: text.of, size: 16 << 10}), buf) })
		})
		b.Run(text.name+" arrived reader", func(b *testing.B) {
			buf := make([]byte, 32<<10)
			measure(b, len(text.of), func() { readAll(m.Reader(&countedPieces{pieces{text: text.of, size: 16 << 10}}), buf) })
		})
	}
}

// BenchmarkField masks what most values of fields are like.
func BenchmarkField(b *testing.B) {
	m := newMask(benchSecrets)
	for _, value := range []string{"gzip", "text/html; charset=utf-8", "max-age=0, private, must-revalidate", "Mon, 02 Jan 2006 15:04:05 GMT"} {
		b.Run(value, func(b *testing.B) { measure(b, len(value), func() { m.Text(value) }) })
	}
}

// measure reports the processor's time next to that of the clock, which other processes
// lengthen.
func measure(b *testing.B, size int, do func()) {
	b.SetBytes(int64(size))
	b.ReportAllocs()
	begun := processorTime()
	for b.Loop() {
		do()
	}
	b.ReportMetric(float64(processorTime()-begun)/float64(b.N), "cpu-ns/op")
}

func processorTime() time.Duration {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &ts)
	return time.Duration(ts.Nano())
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

// countedPieces are pieces that have arrived of a text whose length is known, as those of
// most bodies are.
type countedPieces struct{ pieces }

func (p *countedPieces) HasArrived() bool { return len(p.text) > 0 }

func (p *countedPieces) Read(b []byte) (int, error) {
	n, err := p.pieces.Read(b)
	if len(p.text) == 0 {
		err = io.EOF
	}
	return n, err
}
