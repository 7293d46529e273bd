package body

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"mime/multipart"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
)

// testBoundary is one as NewBoundary makes them.
const testBoundary = "0123456789ABCDEFGHIJKL"

// multipartType is the type of a form whose boundary is b.
var multipartType = ContentType{Media: MultipartType, Boundary: "b"}

// formOf writes parts, each a head and a value, as a form with the boundary b.
func formOf(parts ...string) string {
	var form strings.Builder
	for i := 0; i < len(parts); i += 2 {
		form.WriteString("--b\r\n" + parts[i] + "\r\n\r\n" + parts[i+1] + "\r\n")
	}
	return form.String() + "--b--\r\n"
}

// disposition is a part's head of one line.
func disposition(params string) string { return "Content-Disposition: form-data; " + params }

// readParts reads a whole form; the content of files is moved into Value.
func readParts(src io.Reader, t ContentType, o MultipartOptions) ([]Part, error) {
	m, err := NewMultipartReader(src, t, o)
	if err != nil {
		return nil, err
	}
	var parts []Part
	for {
		p, err := m.Next()
		if err == io.EOF {
			return parts, nil
		}
		if err != nil {
			return nil, err
		}
		part := *p
		if part.Kind == File {
			part.Content = nil
			if part.Value, err = io.ReadAll(p.Content); err != nil {
				return nil, err
			}
		}
		parts = append(parts, part)
	}
}

// writeParts writes a form with MultipartWriter.
func writeParts(t testing.TB, parts []Part, boundary string) string {
	t.Helper()
	var out bytes.Buffer
	w := NewMultipartWriter(&out, boundary)
	for i := range parts {
		if err := w.WritePart(&parts[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func field(name, value string) Part {
	return Part{Kind: Field, Name: name, Value: []byte(value)}
}

func file(name, fileName, media, content string) Part {
	return Part{Kind: File, Name: name, FileName: fileName, Type: media, Value: []byte(content)}
}

func equalParts(a, b []Part) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !bytes.Equal(a[i].Value, b[i].Value) {
			return false
		}
		x, y := a[i], b[i]
		x.Value, y.Value, x.Content, y.Content = nil, nil, nil, nil
		if !reflect.DeepEqual(x, y) {
			return false
		}
	}
	return true
}

func TestHonestMultipart(t *testing.T) {
	for _, c := range []struct {
		name string
		body string
		want []Part
	}{
		{"empty", "--b--\r\n", nil},
		{"no line end after the last boundary", "--b--", nil},
		{"fields", formOf(disposition(`name="a"`), "1", disposition(`name="b"`), ""), []Part{field("a", "1"), field("b", "")}},
		{"browser", formOf(disposition(`name="a[x y]"`), "1\r\n2"), []Part{field("a[x y]", "1\r\n2")}},
		{"quote in a file name", formOf(disposition(`name="f"; filename="a %22b%22.txt"`), "x"), []Part{file("f", "a %22b%22.txt", octetStream, "x")}},
		{"percent in a name", formOf(disposition(`name="100%"`), "1", disposition(`name="%41%2"`), "1"), []Part{field("100%", "1"), field("%41%2", "1")}},
		{"file", formOf(disposition(`name="f"; filename="a b.txt"`)+"\r\nContent-Type: text/plain", "x"), []Part{file("f", "a b.txt", "text/plain", "x")}},
		{"file without type", formOf(disposition(`name="f"; filename="a"`), "x"), []Part{file("f", "a", octetStream, "x")}},
		{"file with a charset of its own", formOf(disposition(`name="f"; filename="a"`)+"\r\nContent-Type: text/csv; charset=utf-16", "\xff\xfea\x00"), []Part{file("f", "a", "text/csv", "\xff\xfea\x00")}},
		{"no file chosen", formOf(disposition(`name="f"; filename=""`)+"\r\nContent-Type: application/octet-stream", ""), []Part{{Kind: NoFile, Name: "f", Type: octetStream}}},
		{".NET", formOf(disposition(`name=do`), "x", disposition(`name=f; filename=a.txt; filename*=utf-8''a.txt`), "y"), []Part{field("do", "x"), file("f", "a.txt", octetStream, "y")}},
		{".NET beyond ASCII", formOf(disposition(`name=f; filename="=?utf-8?B?w7wudHh0?="; filename*=utf-8''%C3%BC.txt`), "y"), []Part{file("f", "ü.txt", octetStream, "y")}},
		{"filename* alone", formOf(disposition(`name="f"; filename*=UTF-8'en'%E2%82%AC`), "y"), []Part{file("f", "€", octetStream, "y")}},
		{"Apache HttpClient", formOf(disposition(`name="a"`)+"\r\nContent-Type: text/plain; charset=ISO-8859-1\r\nContent-Transfer-Encoding: 8bit", "x"), []Part{field("a", "x")}},
		{"Dart", formOf("content-disposition: form-data; name=\"f\"; filename=\"a\"\r\ncontent-type: image/png\r\ncontent-transfer-encoding: binary", "\x89"), []Part{file("f", "a", "image/png", "\x89")}},
		{"lengths and others", formOf("Content-Length: 1\r\nX-Other: 1\r\n"+disposition(`name="a"`), "1"), []Part{field("a", "1")}},
		{"Spring", formOf(disposition(`name="a"`)+"\r\nContent-Type: application/json", "{}"), []Part{{Kind: TypedField, Name: "a", Type: "application/json", Value: []byte("{}")}}},
		{"bytes without a file name", formOf(disposition(`name="a"`)+"\r\nContent-Type: application/octet-stream", "x"), []Part{field("a", "x")}},
		{"preamble and epilogue", "hello\r\n" + formOf(disposition(`name="a"`), "1") + "bye\r\n--b\r\n" + disposition(`name="z"`), []Part{field("a", "1")}},
		{"charset field", formOf(disposition(`name="_charset_"`), "UTF-8", disposition(`name="a"`), "ü"), []Part{field("_charset_", "UTF-8"), field("a", "ü")}},
		{"charset field over ASCII", formOf(disposition(`name="_charset_"`), "windows-1252", disposition(`name="a"`), "u"), []Part{field("_charset_", "windows-1252"), field("a", "u")}},
		{"Latin-1", formOf(disposition(`name="a"`), "Z\xfcrich"), []Part{field("a", "Z\xfcrich")}},
		{"what looks like a boundary", formOf(disposition(`name="a"`), "--b\r\n\r\n--\r\n-b--b"), []Part{field("a", "--b\r\n\r\n--\r\n-b--b")}},
		{"names of odd characters", formOf(disposition(`name="a=b, c'd<e>:f/$1"`), "1"), []Part{field("a=b, c'd<e>:f/$1", "1")}},
		{"blanks in the disposition", formOf("Content-Disposition:form-data;name=\"a\" ; filename=\"x\"", "1"), []Part{file("a", "x", octetStream, "1")}},
	} {
		for reader, src := range map[string]io.Reader{
			"whole":        strings.NewReader(c.body),
			"byte by byte": iotest.OneByteReader(strings.NewReader(c.body)),
			"with the end": iotest.DataErrReader(strings.NewReader(c.body)),
		} {
			got, err := readParts(src, multipartType, MultipartOptions{})
			if err != nil || !equalParts(got, c.want) {
				t.Errorf("%s, %s: read %+v, %v; want %+v", c.name, reader, got, err, c.want)
			}
		}
	}
}

func TestMultipartThatIsReadInTwoWays(t *testing.T) {
	ascii := ContentType{Media: MultipartType, Boundary: "b", Charset: CharsetASCII}
	for _, c := range []struct {
		name string
		body string
		want Kind
	}{
		{"Django and two parsers of Node read form-0-id", formOf(disposition(`name="form-\"; name=form-0-id; x=\""`), "7"), NameEscape},
		{"a parameter with an escaped quote", formOf(disposition(`name="body"; foo="\"; name=_popup; x=\""`), "1"), NameEscape},
		{"a parameter that holds a name", formOf(disposition(`foo="; name=a"; name="b"`), "1"), UnknownParameter},
		{"x-name", formOf(disposition(`x-name="id"; name="note"`), "1"), UnknownParameter},
		{"x-name after", formOf(disposition(`name="note"; x-name="id"`), "1"), UnknownParameter},
		{"xfilename", formOf(disposition(`name="note"; xfilename="id"`), "1"), UnknownParameter},
		{"name*", formOf(disposition(`name*=utf-8''id; name="note"`), "1"), ExtendedName},
		{"name*0", formOf(disposition(`name*0=i; name*1=d`), "1"), UnknownParameter},
		{"filename*0", formOf(disposition(`name="a"; filename*0=i`), "1"), UnknownParameter},
		{"two names", formOf(disposition(`name="a"; name="b"`), "1"), DuplicateParameter},
		{"two names, one in capitals", formOf(disposition(`name="a"; NAME="b"`), "1"), DuplicateParameter},
		{"two file names", formOf(disposition(`name="a"; filename="b"; filename="c"`), "1"), DuplicateParameter},
		{"no name", formOf("Content-Disposition: form-data", "1"), EmptyName},
		{"empty name", formOf(disposition(`name=""`), "1"), EmptyName},
		{"nothing before a bracket", formOf(disposition(`name="[id]"`), "1"), EmptyName},
		{"file name alone", formOf(disposition(`filename="a"`), "1"), EmptyName},
		{"single quotes hold a name", formOf(disposition(`name='a; name="b"'`), "1"), DuplicateParameter},
		{"semicolon in a name", formOf(disposition(`name="a; filename=b"`), "1"), NameEscape},
		{"quote in a name, which multer decodes", formOf(disposition(`name="a%22b"`), "1"), NameEscape},
		{"line end in a name, which multer decodes", formOf(disposition(`name="a%0d%0Ab"`), "1"), NameEscape},
		{"name in Latin-1", formOf(disposition("name=\"\xfc\""), "1"), InvalidUTF8},
		{"file name in Latin-1", formOf(disposition("name=\"a\"; filename=\"\xfc\""), "1"), InvalidUTF8},
		{"white space before a name, which Django drops", formOf(disposition(`name=" a"`), "1"), NameEscape},
		{"white space after a name", formOf(disposition("name=\"a\t\""), "1"), NameEscape},
		{"file name in which Rack finds the name", formOf(disposition(`name="a"; filename="x; name=id"`), "1"), NameEscape},
		{"file name in which Rack finds the name, in capitals", formOf(disposition("name=\"a\"; filename=\"x;\tNAME=id\""), "1"), NameEscape},
		{"extended file name in which Rack finds the name", formOf(disposition(`name="a"; filename*=utf-8''x%3Bname%3Did`), "1"), NameEscape},
		{"backslash in a name", formOf(disposition(`name="a\b"`), "1"), NameEscape},
		{"backslash in a file name", formOf(disposition(`name="a"; filename="C:\a"`), "1"), NameEscape},
		{"quote in an extended file name", formOf(disposition(`name="a"; filename*=utf-8''a%22`), "1"), NameEscape},
		{"line in an extended file name", formOf(disposition(`name="a"; filename*=utf-8''a%0d%0aX`), "1"), BadFileName},
		{"extended file name in another charset", formOf(disposition(`name="a"; filename*=utf-7''a`), "1"), BadFileName},
		{"empty extended file name", formOf(disposition(`name="a"; filename*=utf-8''`), "1"), BadFileName},
		{"content under an empty file name", formOf(disposition(`name="id"; filename=""`), "7"), EmptyFileName},
		{"unclosed quote", formOf(disposition(`name="a`), "1"), BadDisposition},
		{"text after a quote", formOf(disposition(`name="a"b`), "1"), BadDisposition},
		{"blank before =", formOf(disposition(`name ="a"`), "1"), BadDisposition},
		{"blank after =", formOf(disposition(`name= "a"`), "1"), BadDisposition},
		{"quote in a bare name", formOf(disposition(`name=a"b"`), "1"), BadDisposition},
		{"comma", formOf(disposition(`name="a", form-data; name="b"`), "1"), BadDisposition},
		{"no parameters but a name", formOf(`Content-Disposition: form-data name="a"`, "1"), NoDisposition},
		{"attachment", formOf(`Content-Disposition: attachment; name="a"`, "1"), NoDisposition},
		{"file of a nested form", formOf(`Content-Disposition: file; filename="a"`, "1"), NoDisposition},
		{"no disposition", formOf("Content-Type: text/plain", "1"), NoDisposition},
		{"no head", "--b\r\n\r\n1\r\n--b--\r\n", NoDisposition},
		{"two dispositions", formOf(disposition(`name="a"`)+"\r\n"+disposition(`name="b"`), "1"), DuplicateField},
		{"two types", formOf(disposition(`name="a"`)+"\r\nContent-Type: a/b\r\ncontent-type: c/d", "1"), DuplicateField},
		{"folded", formOf("Content-Disposition: form-data;\r\n name=\"a\"", "1"), BadPartHead},
		{"folded with a tab", formOf("Content-Disposition: form-data;\r\n\tname=\"a\"", "1"), BadPartHead},
		{"blank before the colon", formOf(`Content-Disposition : form-data; name="a"`, "1"), BadPartHead},
		{"no colon", formOf("Content-Disposition", "1"), BadPartHead},
		{"control character in a name", formOf(disposition("name=\"a\x01\""), "1"), BadPartHead},
		{"NUL in a name", formOf(disposition("name=\"a\x00b\""), "1"), NUL},
		{"LF in a head", formOf("X: 1\n"+disposition(`name="a"`), "1"), LineEnds},
		{"CR in a head", formOf("X: 1\r"+disposition(`name="a"`), "1"), LineEnds},
		{"LF alone", strings.ReplaceAll(formOf(disposition(`name="a"`), "1"), "\r\n", "\n"), LineEnds},
		{"LF after the boundary", "--b\n" + disposition(`name="a"`) + "\r\n\r\n1\r\n--b--\r\n", LineEnds},
		{"base64", formOf(disposition(`name="a"`)+"\r\nContent-Transfer-Encoding: base64", "MQ=="), TransferEncoding},
		{"quoted-printable", formOf(disposition(`name="a"`)+"\r\nContent-Transfer-Encoding: Quoted-Printable", "=31"), TransferEncoding},
		{"unknown transfer encoding", formOf(disposition(`name="a"`)+"\r\nContent-Transfer-Encoding: x-token", "1"), TransferEncoding},
		{"content encoding", formOf(disposition(`name="a"`)+"\r\nContent-Encoding: gzip", "1"), TransferEncoding},
		{"charset of a part", formOf(disposition(`name="a"`)+"\r\nContent-Type: text/plain; charset=utf-7", "+ACY-"), WrongCharset},
		{"charset of a part with other bytes", formOf(disposition(`name="a"`)+"\r\nContent-Type: text/plain; charset=iso-8859-1", "ü"), WrongCharset},
		{"charset field", formOf(disposition(`name="_charset_"`), "utf-7"), WrongCharset},
		{"charset field after what it means", formOf(disposition(`name="a"`), "ü", disposition(`name="_charset_"`), "iso-8859-1"), WrongCharset},
		{"nested", formOf(disposition(`name="a"`)+"\r\nContent-Type: multipart/mixed; boundary=c", "--c--"), NestedMultipart},
		{"nested without a boundary", formOf(disposition(`name="a"`)+"\r\nContent-Type: multipart/mixed", ""), NestedMultipart},
		{"urlencoded part", formOf(disposition(`name="a"`)+"\r\nContent-Type: application/x-www-form-urlencoded", "b=c"), NestedMultipart},
		{"malformed type", formOf(disposition(`name="a"`)+"\r\nContent-Type: text", ""), BadPartHead},
		{"no final boundary", "--b\r\n" + disposition(`name="a"`) + "\r\n\r\n1\r\n", Truncated},
		{"cut within the head", "--b\r\nContent-Dis", Truncated},
		{"cut within the boundary", "--b\r\n" + disposition(`name="a"`) + "\r\n\r\n1\r\n--", Truncated},
		{"cut after the boundary", "--b\r\n" + disposition(`name="a"`) + "\r\n\r\n1\r\n--b", Truncated},
		{"another boundary", "--c--\r\n", Truncated},
		{"nothing", "", Truncated},
		{"boundary that goes on", "--bb\r\n" + disposition(`name="a"`) + "\r\n\r\n1\r\n--b--\r\n", BadDelimiter},
		{"blanks after the boundary", "--b \r\n" + disposition(`name="a"`) + "\r\n\r\n1\r\n--b--\r\n", BadDelimiter},
		{"half of the final boundary", "--b-\r\n", BadDelimiter},
		{"long preamble", strings.Repeat("x", maxOutsideParts+1) + "\r\n--b--\r\n", OutsideParts},
		{"long epilogue", "--b--\r\n" + strings.Repeat("x", maxOutsideParts+1), OutsideParts},
		{"long head", formOf(disposition(`name="`+strings.Repeat("x", maxPartHead)+`"`), "1"), BadPartHead},
	} {
		for reader, src := range map[string]io.Reader{"whole": strings.NewReader(c.body), "byte by byte": iotest.OneByteReader(strings.NewReader(c.body))} {
			got, err := readParts(src, multipartType, MultipartOptions{})
			if KindOf(err) != c.want {
				t.Errorf("%s, %s: read %+v with error %v (%s), want %s", c.name, reader, got, err, KindOf(err), c.want)
			}
		}
	}

	_, err := readParts(strings.NewReader(formOf(disposition(`name="a"`), "ü")), ascii, MultipartOptions{})
	if KindOf(err) != WrongCharset {
		t.Errorf("bytes beyond ASCII under ISO-8859-1: %v", err)
	}
	_, err = readParts(strings.NewReader(formOf(disposition(`name="a"`), "\xfc")), multipartType, MultipartOptions{UTF8: true})
	if KindOf(err) != InvalidUTF8 {
		t.Errorf("a value in Latin-1 is read as UTF-8: %v", err)
	}
	if _, err := NewMultipartReader(strings.NewReader(""), ContentType{}, MultipartOptions{}); KindOf(err) != BadBoundary {
		t.Errorf("no boundary: %v", err)
	}
}

func TestMultipartBounds(t *testing.T) {
	fields := formOf(disposition(`name="abc"`), "1234567", disposition(`name="f"; filename="x"`), strings.Repeat("x", 1000), disposition(`name="d"`), "1")
	held := int64(len("abc"+"1234567"+"f"+"x"+octetStream) + len("d1"))
	if _, err := readParts(strings.NewReader(fields), multipartType, MultipartOptions{MaxHeld: held, MaxParts: 3}); err != nil {
		t.Errorf("what fits is refused: %v", err)
	}
	if _, err := readParts(strings.NewReader(fields), multipartType, MultipartOptions{MaxHeld: held - 1}); KindOf(err) != TooLarge {
		t.Errorf("more fields than are to be held: %v", err)
	}
	if _, err := readParts(strings.NewReader(fields), multipartType, MultipartOptions{MaxParts: 2}); KindOf(err) != TooMany {
		t.Errorf("more parts than allowed: %v", err)
	}

	var reserved int64
	full := errors.New("no memory")
	reserve := func(n int) error {
		if reserved += int64(n); reserved > held-1 {
			return full
		}
		return nil
	}
	if _, err := readParts(strings.NewReader(fields), multipartType, MultipartOptions{Reserve: reserve}); err != full {
		t.Errorf("beyond what was reserved: %v", err)
	}
}

func TestMultipartReaderPassesErrorsOn(t *testing.T) {
	broken := errors.New("connection reset")
	body := formOf(disposition(`name="a"; filename="x"`), "12345")
	for i := range body {
		src := io.MultiReader(strings.NewReader(body[:i]), iotest.ErrReader(broken))
		if _, err := readParts(src, multipartType, MultipartOptions{}); err != broken {
			t.Errorf("broken off after %d bytes: %v", i, err)
		}
	}
	stuck := readerFunc(func([]byte) (int, error) { return 0, nil })
	if _, err := readParts(stuck, multipartType, MultipartOptions{}); err != io.ErrNoProgress {
		t.Errorf("a source without progress: %v", err)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestMultipartReaderSkipsFiles(t *testing.T) {
	m, err := NewMultipartReader(strings.NewReader(formOf(disposition(`name="f"; filename="x"`), strings.Repeat("12345", 50_000), disposition(`name="a"`), "1")), multipartType, MultipartOptions{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := m.Next()
	if err != nil {
		t.Fatal(err)
	}
	var first [3]byte
	if _, err := io.ReadFull(p.Content, first[:]); err != nil || string(first[:]) != "123" {
		t.Fatalf("read %q, %v", first, err)
	}
	if p, err = m.Next(); err != nil || p.Name != "a" || string(p.Value) != "1" {
		t.Fatalf("the part after the file is %+v, %v", p, err)
	}
	if _, err = m.Next(); err != io.EOF {
		t.Fatal(err)
	}
	if _, err = m.Next(); err != io.EOF {
		t.Fatal("the end is not kept:", err)
	}
}

func TestMultipartWriter(t *testing.T) {
	got := writeParts(t, []Part{
		field("a", "1"),
		{Kind: TypedField, Name: "t", Type: "application/json", Value: []byte("{}")},
		file("f", "ü; x.txt", "text/plain", "x"),
		{Kind: NoFile, Name: "n", Type: octetStream},
	}, testBoundary)
	want := strings.ReplaceAll("--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n"+
		"--B\r\nContent-Disposition: form-data; name=\"t\"\r\nContent-Type: application/json\r\n\r\n{}\r\n"+
		"--B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"ü; x.txt\"\r\nContent-Type: text/plain\r\n\r\nx\r\n"+
		"--B\r\nContent-Disposition: form-data; name=\"n\"; filename=\"\"\r\nContent-Type: application/octet-stream\r\n\r\n\r\n"+
		"--B--\r\n", "--B", "--"+testBoundary)
	if got != want {
		t.Errorf("written\n%s\nwant\n%s", got, want)
	}
}

func TestMultipartWriterRefusesWhatNoReaderReturns(t *testing.T) {
	for _, c := range []struct {
		part Part
		want Kind
	}{
		{Part{}, BadDisposition},
		{Part{Kind: Field}, EmptyName},
		{field(`a\`, ""), NameEscape},
		{field("a;b", ""), NameEscape},
		{field("a\"b", ""), NameEscape},
		{field("a%22b", ""), NameEscape},
		{field("a\nb", ""), NameEscape},
		{field("a\x00", ""), NUL},
		{field("a\xff", ""), InvalidUTF8},
		{file("a", `b\`, "a/b", ""), NameEscape},
		{file("a", `b"`, "a/b", ""), NameEscape},
		{file("a", `b;name`, "a/b", ""), NameEscape},
		{file("a", "", "a/b", ""), BadDisposition},
		{file("a", "b", "", ""), BadDisposition},
		{file("a", "b", "a/b\r\nX: y", ""), BadDisposition},
		{Part{Kind: Field, Name: "a", Type: "a/b"}, BadDisposition},
		{Part{Kind: NoFile, Name: "a", Type: octetStream, Value: []byte("x")}, BadDisposition},
		{field("a"+testBoundary, ""), BoundaryInContent},
		{field("a", "x"+testBoundary), BoundaryInContent},
		{Part{Kind: File, Name: "a", FileName: "b", Type: "a/b", Content: iotest.OneByteReader(strings.NewReader(testBoundary[1:] + testBoundary))}, BoundaryInContent},
	} {
		err := NewMultipartWriter(io.Discard, testBoundary).WritePart(&c.part)
		if KindOf(err) != c.want {
			t.Errorf("%+v: %v, want %s", c.part, err, c.want)
		}
	}
}

func TestNewBoundary(t *testing.T) {
	random := rand.NewChaCha8([32]byte{})
	seen := map[string]bool{}
	counts := map[rune]int{}
	for range 2000 {
		b, err := NewBoundary(random, 0)
		if err != nil || len(b) != minBoundary || !isBoundary(b) || seen[b] {
			t.Fatalf("made %q, %v", b, err)
		}
		seen[b] = true
		for _, c := range b {
			counts[c]++
		}
	}
	for c, n := range counts {
		if n < 600 || n > 820 {
			t.Errorf("%c comes %d times, about 710 were expected", c, n)
		}
	}
	if len(counts) != 62 {
		t.Errorf("%d characters are used, want 62", len(counts))
	}

	for length, want := range map[int]int{-1: 22, 22: 22, 40: 40, 70: 70, 71: 70} {
		if b, err := NewBoundary(random, length); err != nil || len(b) != want {
			t.Errorf("length %d: made %q, %v; want %d", length, b, err, want)
		}
	}
	if _, err := NewBoundary(iotest.ErrReader(io.ErrUnexpectedEOF), 0); err == nil {
		t.Error("a boundary without random bytes")
	}
}

// sameAsStandardLibrary reads a canonical form with mime/multipart.
func sameAsStandardLibrary(canonical, boundary string, want []Part) error {
	r := multipart.NewReader(strings.NewReader(canonical), boundary)
	for i := range want {
		p, err := r.NextRawPart()
		if err != nil {
			return fmt.Errorf("part %d: %w", i, err)
		}
		value, err := io.ReadAll(p)
		if err != nil {
			return fmt.Errorf("part %d: %w", i, err)
		}
		w := want[i]
		if p.FormName() != w.Name || !bytes.Equal(value, w.Value) || p.Header.Get("Content-Type") != w.Type {
			return fmt.Errorf("part %d: read %q = %q of type %q, want %q = %q of type %q", i, p.FormName(), value, p.Header.Get("Content-Type"), w.Name, w.Value, w.Type)
		}
		isFile := strings.Contains(p.Header.Get("Content-Disposition"), "; filename=")
		if isFile != (w.Kind == File || w.Kind == NoFile) || isFile && p.FileName() != lastElement(w.FileName) {
			return fmt.Errorf("part %d: read file %v %q, want %d %q", i, isFile, p.FileName(), w.Kind, w.FileName)
		}
		for name := range p.Header {
			if name != "Content-Disposition" && name != "Content-Type" {
				return fmt.Errorf("part %d has a field %s", i, name)
			}
		}
	}
	if _, err := r.NextRawPart(); err != io.EOF {
		return fmt.Errorf("after the last part: %v", err)
	}
	return nil
}

// lastElement is what Part.FileName of the standard library makes of a name.
func lastElement(name string) string {
	name = strings.TrimRight(name, "/")
	return name[strings.LastIndexByte(name, '/')+1:]
}

func FuzzMultipart(f *testing.F) {
	f.Add(formOf(disposition(`name="a"`), "1", disposition(`name=f; filename="x"; filename*=utf-8''y`)+"\r\nContent-Type: text/plain; charset=utf-8", "2"), uint16(3))
	f.Add(formOf(disposition(`name="form-\"; name=form-0-id; x=\""`), "7"), uint16(0))
	f.Add("x\r\n--b\r\nContent-Type: a/b\r\ncontent-disposition:form-data;filename*=UTF-8''%c3%bc;name=\"_charset_\"\r\n\r\n\r\n--b\r\n\r\n--b--", uint16(1))
	f.Fuzz(func(t *testing.T, body string, room uint16) {
		whole, err := readParts(strings.NewReader(body), multipartType, MultipartOptions{})
		slow, errSlow := readParts(iotest.OneByteReader(strings.NewReader(body)), multipartType, MultipartOptions{})
		if KindOf(err) != KindOf(errSlow) || !equalParts(whole, slow) {
			t.Fatalf("read at once: %+v, %v; byte by byte: %+v, %v", whole, err, slow, errSlow)
		}
		if err != nil {
			if KindOf(err) == "" {
				t.Fatalf("an error without a kind: %v", err)
			}
			return
		}

		canonical := writeParts(t, whole, testBoundary)
		for i := range whole {
			if whole[i].FileName == "." || strings.HasSuffix(whole[i].FileName, "/") || whole[i].FileName == ".." {
				return // which the standard library reads as no name at all
			}
		}
		if err := sameAsStandardLibrary(canonical, testBoundary, whole); err != nil {
			t.Fatalf("mime/multipart: %v in\n%s", err, canonical)
		}
		again, err := readParts(strings.NewReader(canonical), ContentType{Media: MultipartType, Boundary: testBoundary}, MultipartOptions{})
		if err != nil || !equalParts(again, whole) {
			t.Fatalf("the canonical form is read %+v, %v; want %+v", again, err, whole)
		}

		u, err := ReadUpload(strings.NewReader(body), multipartType, MultipartOptions{}, int64(room))
		if err != nil {
			t.Fatal(err)
		}
		length, known := u.Length(testBoundary)
		streamed, err := io.ReadAll(u.Stream(testBoundary, StreamOptions{Accept: func(*Part) error { return nil }}))
		if err != nil || string(streamed) != canonical || known && int(length) != len(canonical) {
			t.Fatalf("streamed %q, %v (length %d, %v); want %q", streamed, err, length, known, canonical)
		}
	})
}
