package body

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
)

// uploadForm has a field before and after each of two files.
var (
	firstFile  = strings.Repeat("0123456789\r\n--", 10_000)
	uploadForm = formOf(disposition(`name="a"`), "1",
		disposition(`name="f"; filename="one"`), firstFile,
		disposition(`name="b"`), "2",
		disposition(`name="g"; filename="two"`), "second",
		disposition(`name="c"`), "3")
	uploadParts = []Part{field("a", "1"), file("f", "one", octetStream, firstFile), field("b", "2"), file("g", "two", octetStream, "second"), field("c", "3")}
)

func TestUploadHoldsFieldsAndAsMuchOfTheFilesAsAllowed(t *testing.T) {
	canonical := writeParts(t, uploadParts, testBoundary)
	for _, c := range []struct {
		name     string
		maxFiles int64
		parts    int // held
		whole    bool
	}{
		{"nothing of a file", 0, 2, false},
		{"a part of the first file", 100, 2, false},
		{"the first file to its last byte", int64(len(firstFile)), 2, false},
		{"the first file", int64(len(firstFile)) + 1, 4, false},
		{"all", 1 << 30, 5, true},
	} {
		u, err := ReadUpload(strings.NewReader(uploadForm), multipartType, MultipartOptions{}, c.maxFiles)
		if err != nil {
			t.Fatal(c.name, err)
		}
		if len(u.Parts) != c.parts || u.Whole != c.whole {
			t.Errorf("%s: %d parts, whole: %v; want %d, %v", c.name, len(u.Parts), u.Whole, c.parts, c.whole)
		}
		length, known := u.Length(testBoundary)
		if known != c.whole || known && length != int64(len(canonical)) {
			t.Errorf("%s: length %d, %v; want %d, %v", c.name, length, known, len(canonical), c.whole)
		}

		var accepted []string
		stream := u.Stream(testBoundary, StreamOptions{Accept: func(p *Part) error {
			accepted = append(accepted, p.Name+"="+string(p.Value))
			return nil
		}})
		got, err := io.ReadAll(stream)
		if err != nil || string(got) != canonical {
			t.Errorf("%s: streamed %d bytes, %v; want %d", c.name, len(got), err, len(canonical))
		}
		if want := []string{"a=1", "f=", "b=2", "g=", "c=3"}[c.parts:]; strings.Join(accepted, " ") != strings.Join(want, " ") {
			t.Errorf("%s: asked about %q, want %q", c.name, accepted, want)
		}
	}
}

func TestStreamIsTheSameHoweverItIsRead(t *testing.T) {
	canonical := writeParts(t, uploadParts, testBoundary)
	accept := StreamOptions{Accept: func(*Part) error { return nil }}
	for name, read := range map[string]func(s *Stream) (string, error){
		"byte by byte": func(s *Stream) (string, error) {
			b, err := io.ReadAll(iotest.OneByteReader(s))
			return string(b), err
		},
		"small reads": func(s *Stream) (string, error) {
			var out bytes.Buffer
			_, err := io.CopyBuffer(struct{ io.Writer }{&out}, struct{ io.Reader }{s}, make([]byte, 7))
			return out.String(), err
		},
		"large reads": func(s *Stream) (string, error) {
			var out bytes.Buffer
			_, err := io.CopyBuffer(struct{ io.Writer }{&out}, struct{ io.Reader }{s}, make([]byte, 1<<20))
			return out.String(), err
		},
		"WriteTo": func(s *Stream) (string, error) {
			var out bytes.Buffer
			n, err := s.WriteTo(struct{ io.Writer }{&out})
			if n != int64(out.Len()) {
				t.Errorf("WriteTo says %d bytes, wrote %d", n, out.Len())
			}
			return out.String(), err
		},
		"one byte, then WriteTo": func(s *Stream) (string, error) {
			var first [1]byte
			var out bytes.Buffer
			if _, err := s.Read(first[:]); err != nil {
				return "", err
			}
			_, err := s.WriteTo(&out)
			return string(first[:]) + out.String(), err
		},
	} {
		for src, r := range map[string]io.Reader{"whole": strings.NewReader(uploadForm), "byte by byte": iotest.OneByteReader(strings.NewReader(uploadForm))} {
			u, err := ReadUpload(r, multipartType, MultipartOptions{}, 10)
			if err != nil {
				t.Fatal(err)
			}
			got, err := read(u.Stream(testBoundary, accept))
			if err != nil || got != canonical {
				t.Errorf("%s from %s: %d bytes, %v; want %d", name, src, len(got), err, len(canonical))
			}
		}
	}
}

func TestStreamDoesNotWaitWithSomethingToGiveOut(t *testing.T) {
	src, feed := io.Pipe()
	defer feed.Close()
	go io.WriteString(feed, "--b\r\n"+disposition(`name="f"; filename="x"`)+"\r\n\r\nbeginning of a file that goes on")

	u, err := ReadUpload(src, multipartType, MultipartOptions{}, 5)
	if err != nil {
		t.Fatal(err)
	}
	s := u.Stream(testBoundary, StreamOptions{})
	buf := make([]byte, 4096)
	n, err := s.Read(buf)
	if err != nil || !strings.HasSuffix(string(buf[:n]), "begin") {
		t.Fatalf("first read: %q, %v", buf[:n], err)
	}
	if n, err = s.Read(buf); err != nil || !strings.HasPrefix(string(buf[:n]), "ning of") {
		t.Fatalf("second read: %q, %v", buf[:n], err)
	}
}

func TestStreamDoesNotWaitForTheNextPart(t *testing.T) {
	src, feed := io.Pipe()
	defer feed.Close()
	go io.WriteString(feed, "--b\r\n"+disposition(`name="f"; filename="x"`)+"\r\n\r\n12345678\r\n--b\r\nContent-")

	u, err := ReadUpload(src, multipartType, MultipartOptions{}, 5)
	if err != nil {
		t.Fatal(err)
	}
	s := u.Stream(testBoundary, StreamOptions{})
	var got []byte
	buf := make([]byte, 4096)
	for !strings.HasSuffix(string(got), "12345678\r\n") {
		n, err := s.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, buf[:n]...)
	}
}

func TestStreamPadsToThePromisedLength(t *testing.T) {
	canonical := writeParts(t, uploadParts, testBoundary)
	for _, extra := range []int{0, 1, 100, 10_000} {
		u, err := ReadUpload(strings.NewReader(uploadForm), multipartType, MultipartOptions{}, 0)
		if err != nil {
			t.Fatal(err)
		}
		s := u.Stream(testBoundary, StreamOptions{PadTo: int64(len(canonical) + extra), Accept: func(*Part) error { return nil }})
		got, err := io.ReadAll(s)
		if err != nil || string(got) != canonical+strings.Repeat(" ", extra) {
			t.Errorf("%d bytes more: streamed %d bytes, %v; want %d", extra, len(got), err, len(canonical)+extra)
		}
		read, err := readParts(bytes.NewReader(got), ContentType{Boundary: testBoundary}, MultipartOptions{})
		if err != nil || !equalParts(read, uploadParts) {
			t.Errorf("%d bytes more: read %d parts, %v", extra, len(read), err)
		}
	}

	u, err := ReadUpload(strings.NewReader(uploadForm), multipartType, MultipartOptions{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	s := u.Stream(testBoundary, StreamOptions{PadTo: int64(len(canonical) - 1), Accept: func(*Part) error { return nil }})
	got, err := io.ReadAll(s)
	if KindOf(err) != LongerThanPromised || len(got) > len(canonical)-1 {
		t.Errorf("one byte too many: streamed %d bytes, %v", len(got), err)
	}
}

// TestHonestFormsDoNotGrow: a form can be sent on with the length it came with.
func TestHonestFormsDoNotGrow(t *testing.T) {
	for _, c := range []struct {
		name, boundary string
		parts          []string
		same           bool // the length stays as it is
	}{
		{"Chromium", "----WebKitFormBoundary7MA4YWxkTrZu0gW", []string{disposition(`name="a"`), "1", disposition(`name="f"; filename="x"`) + "\r\nContent-Type: text/plain", "2"}, true},
		{"Firefox, the shortest", "---------------------------7e8", []string{disposition(`name="a"`), "1", disposition(`name="f"; filename=""`) + "\r\nContent-Type: application/octet-stream", ""}, true},
		{"curl", "------------------------d74496d66958873e", []string{disposition(`name="a"`), "1", disposition(`name="f"; filename="x"`) + "\r\nContent-Type: image/png", "2"}, true},
		{".NET", "2a8d9c54-6f1c-4a6e-8d62-0f9f54bd6a31", []string{disposition("name=a"), "1", "Content-Type: text/plain; charset=utf-8\r\n" + disposition("name=b"), "2", disposition("name=f; filename=x; filename*=utf-8''x"), "2"}, false},
		{"unquoted, with a type", "2a8d9c54-6f1c-4a6e-8d62-0f9f54bd6a31", []string{disposition("name=f; filename=x") + "\r\nContent-Type: text/plain", "2"}, true},
		{"Apache HttpClient", "Y_4eAYCtmUSkV1u8Dd-KPyLNGZmpr8", []string{disposition(`name="a"`) + "\r\nContent-Type: text/plain; charset=ISO-8859-1\r\nContent-Transfer-Encoding: 8bit", "1"}, false},
	} {
		form := strings.ReplaceAll(formOf(c.parts...), "--b", "--"+c.boundary)
		u, err := ReadUpload(strings.NewReader(form), ContentType{Boundary: c.boundary}, MultipartOptions{}, 1<<20)
		if err != nil {
			t.Fatal(c.name, err)
		}
		boundary, err := u.NewBoundary(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		n, _ := u.Length(boundary)
		// A shorter boundary shortens the last delimiter, too, which has no head.
		if n > int64(len(form)) || c.same && n < int64(len(form)+len(boundary)-len(c.boundary)) {
			t.Errorf("%s: %d bytes become %d", c.name, len(form), n)
		}
	}
}

func TestStreamEndsWithTheErrorOfAccept(t *testing.T) {
	refused := errors.New("this field decides")
	u, err := ReadUpload(strings.NewReader(uploadForm), multipartType, MultipartOptions{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(u.Stream(testBoundary, StreamOptions{Accept: func(p *Part) error {
		if p.Name == "c" {
			return refused
		}
		return nil
	}}))
	if err != refused {
		t.Errorf("the error is %v", err)
	}
	if !strings.Contains(string(got), `name="g"`) || strings.Contains(string(got), `name="c"`) || strings.HasSuffix(string(got), "--\r\n") {
		t.Errorf("streamed up to %q", got[len(got)-100:])
	}
}

func TestStreamEndsWithTheFaultOfTheForm(t *testing.T) {
	for _, c := range []struct {
		body string
		want Kind
	}{
		{strings.TrimSuffix(uploadForm, "--b--\r\n"), Truncated},
		{strings.Replace(uploadForm, `name="c"`, `name="c"; name="d"`, 1), DuplicateParameter},
	} {
		u, err := ReadUpload(strings.NewReader(c.body), multipartType, MultipartOptions{}, 0)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(u.Stream(testBoundary, StreamOptions{Accept: func(*Part) error { return nil }}))
		if KindOf(err) != c.want || strings.HasSuffix(string(got), "--\r\n") {
			t.Errorf("streamed up to %q with error %v, want %s", got[len(got)-50:], err, c.want)
		}
	}
}

// TestStreamWithItsOwnBoundaryInTheContent: an agent that came to know the boundary
// while its upload runs cannot begin a part with it.
func TestStreamWithItsOwnBoundaryInTheContent(t *testing.T) {
	for name, part := range map[string][2]string{
		"in a file":      {disposition(`name="f"; filename="x"`), strings.Repeat("x", 70_000) + "\r\n--" + testBoundary + "\r\n"},
		"in a field":     {disposition(`name="f"`), "\r\n--" + testBoundary + "\r\n"},
		"in a name":      {disposition(`name="` + testBoundary + `"`), ""},
		"in a file name": {disposition(`name="f"; filename="` + testBoundary + `"`), ""},
	} {
		for _, held := range []int64{0, 69_990, 1 << 20} {
			for _, src := range []io.Reader{strings.NewReader(formOf(part[0], part[1])), iotest.OneByteReader(strings.NewReader(formOf(part[0], part[1])))} {
				u, err := ReadUpload(src, multipartType, MultipartOptions{}, held)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := io.ReadAll(u.Stream(testBoundary, StreamOptions{})); KindOf(err) != BoundaryInContent {
					t.Errorf("%s, %d bytes held: %v", name, held, err)
				}
			}
		}
	}
}

func TestUploadReservesMemory(t *testing.T) {
	full := errors.New("no memory")
	for _, budget := range []int{0, 5, 50, 60_000} {
		used := 0
		_, err := ReadUpload(strings.NewReader(uploadForm), multipartType, MultipartOptions{Reserve: func(n int) error {
			if used+n > budget {
				return full
			}
			used += n
			return nil
		}}, 1<<20)
		if err != full {
			t.Errorf("a budget of %d bytes: %v", budget, err)
		}
	}
}

// TestUploadStreamsFiles: a file takes no memory, however large it is.
func TestUploadStreamsFiles(t *testing.T) {
	const size = 64 << 20
	before, after, _ := strings.Cut(formOf(disposition(`name="f"; filename="x"`), "CONTENT"), "CONTENT")
	content := io.LimitReader(readerFunc(func(p []byte) (int, error) { return len(p), nil }), size)

	var start, end runtime.MemStats
	runtime.ReadMemStats(&start)
	u, err := ReadUpload(io.MultiReader(strings.NewReader(before), content, strings.NewReader(after)), multipartType, MultipartOptions{}, 1000)
	if err != nil {
		t.Fatal(err)
	}
	n, err := io.Copy(io.Discard, u.Stream(testBoundary, StreamOptions{Accept: func(*Part) error { return nil }}))
	if err != nil || n < size {
		t.Fatalf("streamed %d bytes, %v", n, err)
	}
	runtime.ReadMemStats(&end)
	if used := end.TotalAlloc - start.TotalAlloc; used > 1<<20 {
		t.Errorf("a file of %d bytes took %d bytes of memory", size, used)
	}
}

func TestUploadNamed(t *testing.T) {
	u, err := ReadUpload(strings.NewReader(formOf(disposition(`name="a"`), "1", disposition(`name="b"`), "2", disposition(`name="a"; filename="x"`), "3")), multipartType, MultipartOptions{}, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	got := u.Named("a")
	if len(got) != 2 || got[0].Kind != Field || got[1].Kind != File {
		t.Errorf("parts named a: %+v", got)
	}
}
