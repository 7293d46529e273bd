package body

import (
	"bytes"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
)

// BenchmarkStream measures a file of 16 MiB in a form, read and written again.
func BenchmarkStream(b *testing.B) {
	random := make([]byte, 16<<20)
	rand.NewChaCha8([32]byte{}).Read(random)
	for name, content := range map[string][]byte{
		"random":    random,
		"text":      bytes.Repeat([]byte("A line of text of some length, and its end.\r\n"), len(random)/45),
		"lineends":  bytes.Repeat([]byte("\r\n"), len(random)/2),
		"delimiter": bytes.Repeat([]byte("\r\n----WebKitFormBoundary7MA4YWxkTrZu0g-"), len(random)/40),
	} {
		t := ContentType{Media: MultipartType, Boundary: "----WebKitFormBoundary7MA4YWxkTrZu0gW"}
		form := strings.ReplaceAll(formOf(disposition(`name="a"`), "1", disposition(`name="f"; filename="x"`), "CONTENT"), "--b", "--"+t.Boundary)
		before, after, _ := strings.Cut(form, "CONTENT")

		run := func(b *testing.B, copy func(*Stream) (int64, error)) {
			b.SetBytes(int64(len(content)))
			b.ReportAllocs()
			for b.Loop() {
				u, err := ReadUpload(io.MultiReader(strings.NewReader(before), bytes.NewReader(content), strings.NewReader(after)), t, MultipartOptions{}, 0)
				if err != nil {
					b.Fatal(err)
				}
				n, err := copy(u.Stream(testBoundary, StreamOptions{Accept: func(*Part) error { return nil }}))
				if err != nil || n < int64(len(content)) {
					b.Fatal(n, err)
				}
			}
		}
		b.Run(name+"/Read", func(b *testing.B) {
			buf := make([]byte, 32<<10)
			run(b, func(s *Stream) (int64, error) {
				return io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{s}, buf)
			})
		})
		b.Run(name+"/WriteTo", func(b *testing.B) {
			run(b, func(s *Stream) (int64, error) { return s.WriteTo(struct{ io.Writer }{io.Discard}) })
		})
	}
}

// BenchmarkUploadOfFields measures a small form that is held.
func BenchmarkUploadOfFields(b *testing.B) {
	form := formOf(disposition(`name="wpTitle"`), "Main Page", disposition(`name="wpTextbox1"`), strings.Repeat("A line of a wiki page.\n", 100), disposition(`name="wpSave"`), "1")
	b.SetBytes(int64(len(form)))
	b.ReportAllocs()
	for b.Loop() {
		u, err := ReadUpload(strings.NewReader(form), multipartType, MultipartOptions{}, 0)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := u.Stream(testBoundary, StreamOptions{}).WriteTo(io.Discard); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkJSON(b *testing.B) {
	for name, src := range map[string]string{
		"call":    `{"jsonrpc":"2.0","method":"page.get","params":{"id":17,"title":"Hauptseite","tags":["a","b"]},"id":1}`,
		"records": "[" + strings.Repeat(`{"id": 1234567, "name": "A name of a record", "ratio": 0.25, "active": true, "tags": ["one", "two"], "note": "First line\nSecond \"line\""},`+"\n", 6000) + "null]",
		"text":    `{"text":"` + strings.Repeat("Plain text of a page, with nothing to escape. ", 20_000) + `"}`,
		"umlauts": `{"text":"` + strings.Repeat("Größere Äpfel für Österreich; ", 30_000) + `"}`,
		"keys":    "{" + manyKeys(30_000) + `"last":1}`,
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(src)))
			b.ReportAllocs()
			keys := NewKeySet("method", "id", "title")
			bytesOfJSON := []byte(src)
			var d JSON
			for b.Loop() {
				if err := d.Parse(bytesOfJSON, JSONOptions{Keys: keys}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func manyKeys(n int) string {
	var keys strings.Builder
	for i := range n {
		keys.WriteString(`"k` + strconv.Itoa(i) + `":1,`)
	}
	return keys.String()
}

func BenchmarkXML(b *testing.B) {
	src := []byte(`<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>` +
		strings.Repeat(`<m:GetOrder xmlns:m="urn:shop"><id>17</id><note lang="en">A &lt;short&gt; note of some words.</note></m:GetOrder>`, 500) + `</s:Body></s:Envelope>`)
	b.SetBytes(int64(len(src)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseXML(src, XMLOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkForm(b *testing.B) {
	for name, src := range map[string]string{
		"query": "action=edit&title=Main_Page&section=4&from=Special%3ASearch",
		"page":  "title=Main+Page&wpTextbox1=" + strings.Repeat("A+line+of+a+wiki+page%2C+as+browsers+send+it.%0D%0A", 1000),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(src)))
			b.ReportAllocs()
			var memory []Pair
			var out []byte
			for b.Loop() {
				read, err := ParseForm(memory[:0], src, FormOptions{})
				if err != nil {
					b.Fatal(err)
				}
				memory, out = read, AppendQuery(out[:0], read)
			}
		})
	}
}
