package mask

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"html"
	"io"
	"net/url"
	"strings"
	"testing"
	"testing/iotest"
)

func TestI1MaskForms(t *testing.T) {
	const secret = `p<a&s's/w"o+r\d é`
	m := newMask([]string{secret})
	text, _ := json.Marshal(secret)
	quoted := string(text[1 : len(text)-1])
	for name, text := range map[string]string{
		"raw": secret, "query": url.QueryEscape(secret), "path": url.PathEscape(secret), "lower": percent(secret, "-_.~", "%%%02x"),
		"html": html.EscapeString(secret), "php html": strings.NewReplacer("&#34;", "&quot;", "&#39;", "&#039;").Replace(html.EscapeString(secret)),
		"json": quoted, "json slash": strings.ReplaceAll(quoted, "/", `\/`), "base64": base64.StdEncoding.EncodeToString([]byte(secret)),
		"twice": url.QueryEscape(url.QueryEscape(secret)),
	} {
		body := []byte("before " + text + " after")
		size := len(body)
		m.InPlace(body)
		rest := strings.Trim(string(body[7:len(body)-6]), "*")
		if len(body) != size || strings.Trim(rest, "=") != "" {
			t.Errorf("%s: %q stays in %q", name, rest, text)
		}
	}
}

func TestI1MaskInsideOtherText(t *testing.T) {
	const secret = "p+a/s=s w0rd-longer"
	m := newMask([]string{secret})
	escaped := map[string]string{
		"go template": "p&#43;a/s=s w0rd-longer", "mustache": "p+a&#x2F;s&#x3D;s w0rd-longer", "all numbers": "p&#43;a&#47;s&#61;s&#32;w0rd&#45;longer",
		"script": `p\x2Ba\x2Fs\x3Ds\x20w0rd\x2Dlonger`, "script u": `p\u002Ba\u002Fs\u003Ds\u0020w0rd\u002Dlonger`, "hex": "702b612f733d7320773072642d6c6f6e676572",
	}
	for name, text := range escaped {
		if b := []byte("x " + text + " y"); true {
			m.InPlace(b)
			if strings.Trim(string(b[2:len(b)-2]), "*") != "" {
				t.Errorf("%s: %q became %q", name, text, b)
			}
		}
	}
	for before := range 7 {
		whole := strings.Repeat("u", before) + secret + ":z"
		for _, coding := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
			text := []byte(coding.EncodeToString([]byte(whole)))
			m.InPlace(text)
			if stars := strings.Count(string(text), "*"); stars < len(secret)*8/6-2 {
				t.Errorf("%d before: only %d of %d digits are masked: %s", before, stars, len(text), text)
			}
		}
	}
}

func TestI1MaskOverlap(t *testing.T) {
	m := newMask([]string{"abcdefgh", "efghijkl", "abcdefghijklmnop", "zzzzzz"})
	for in, want := range map[string]string{
		"abcdefghijkl": "************", "xabcdefghijklmnopx": "x****************x", "zzzzzzz.zzzzz": "*******.zzzzz",
		"abcdefgabcdefgh": "abcdefg********", "": "", "abc": "abc",
	} {
		b := []byte(in)
		if m.InPlace(b); string(b) != want {
			t.Errorf("%q became %q", in, b)
		}
	}
}

func TestMaskLeavesWords(t *testing.T) {
	if m := newMask([]string{"", "short", "password", "Administrator"}); m != nil {
		t.Error("words of every page would be masked")
	}
	var none *Mask
	r := strings.NewReader("x")
	if none.InPlace([]byte("x")); none.Reader(r) != io.Reader(r) || none.Text("x") != "x" {
		t.Error("a nil Masker changes something")
	}
}

func TestMaskReaderDoesNotDelay(t *testing.T) {
	in, out := io.Pipe()
	defer in.Close()
	r := newMask([]string{"sesame-open"}).Reader(in)
	go func() { _, _ = out.Write([]byte("data: 1\n\n")) }()
	b := make([]byte, 64)
	if n, err := r.Read(b); err != nil || string(b[:n]) != "data: 1\n\n" {
		t.Fatalf("%q %v", b[:n], err)
	}
	broken := newMask([]string{"sesame-open"}).Reader(io.MultiReader(strings.NewReader("a sesame-o"), iotest.ErrReader(errors.New("cut"))))
	if got, err := io.ReadAll(broken); err == nil || string(got) != "a " {
		t.Errorf("%q %v", got, err)
	}
}

// FuzzMaskReader: how a body is cut into pieces does not matter.
func FuzzMaskReader(f *testing.F) {
	f.Add("xxabcdefghijklxx", "abcdefgh", "efghijkl", uint8(3))
	f.Add("aaaaaaaaaaaaaaab", "aaaaaa", "aaaaaab", uint8(1))
	f.Add("a%2Fb c&amp;abcdef", "a/b c&abcdef", "", uint8(7))
	f.Fuzz(func(t *testing.T, body, one, two string, size uint8) {
		if len(one)+len(two) > 400 {
			return
		}
		m := newMask([]string{one, two})
		whole := []byte(body)
		m.InPlace(whole)
		got, err := io.ReadAll(m.Reader(&pieces{text: []byte(body), size: int(size)%9 + 1}))
		if err != nil || !bytes.Equal(got, whole) {
			t.Fatalf("in pieces %q, whole %q: %v", got, whole, err)
		}
		for _, s := range []string{one, two} { // a naive search
			if len(s) >= minSecret && !commonWords[strings.ToLower(s)] && strings.Trim(s, "*") != "" && strings.Contains(string(whole), s) && !strings.Contains(s, "*") {
				t.Fatalf("%q is still in %q", s, whole)
			}
		}
	})
}

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

// newMask is nil when there is nothing to mask.
func newMask(secrets []string) *Mask {
	var forms [][]byte
	for _, s := range secrets {
		forms = append(forms, Forms(s)...)
	}
	return New(forms)
}
