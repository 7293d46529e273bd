package body

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestLinearTime: ten times as much takes about ten times as long, also of what costs
// a naive reader much more.
func TestLinearTime(t *testing.T) {
	if testing.Short() {
		t.Skip("measures time")
	}
	runtime.LockOSThread() // for threadTime
	defer runtime.UnlockOSThread()
	parseJSON := func(src string) error { return new(JSON).Parse([]byte(src), JSONOptions{Keys: NewKeySet("id")}) }
	parseXML := func(src string) error {
		_, err := ParseXML([]byte(src), XMLOptions{MaxNodes: 1 << 30})
		return err
	}
	parseForm := func(src string) error {
		_, err := ParseForm(nil, src, FormOptions{MaxPairs: 1 << 30})
		return err
	}
	parseMultipart := func(src string) error {
		_, err := readParts(strings.NewReader(src), multipartType, MultipartOptions{MaxHeld: 1 << 30, MaxParts: 1 << 30})
		return err
	}
	scan := func(src string) error {
		s := NewContentScanner(ContentType{Boundary: "b"}, anyTokens, func(Finding) {}, func(Finding) bool { return true })
		for i := range len(src) { // one byte at a time, as an agent may send it
			if _, err := s.Write([]byte(src[i : i+1])); err != nil {
				return err
			}
			s.Pending()
		}
		return s.Close()
	}
	numbered := func(format, between string) func(int) string {
		return func(n int) string {
			var b strings.Builder
			for i := range n {
				if i > 0 {
					b.WriteString(between)
				}
				fmt.Fprintf(&b, format, i)
			}
			return b.String()
		}
	}
	repeated := func(s string) func(int) string { return func(n int) string { return strings.Repeat(s, n) } }

	for _, c := range []struct {
		name          string
		parse         func(string) error
		prefix        string
		middle        func(int) string
		suffix        string
		n             int
		mayBeRejected bool
	}{
		{"keys of one object", parseJSON, "{", numbered(`"k%d":1`, ","), "}", 4_000, false},
		{"empty lists", parseJSON, "[0", repeated(",[]"), "]", 20_000, false},
		{"escapes", parseJSON, `"`, repeated(`\u00e9`), `"`, 20_000, false},
		{"opening brackets", parseJSON, "", repeated("["), "", 20_000, true},
		{"pieces of text", parseXML, "<a>", repeated("x<b/>"), "</a>", 4_000, false},
		{"comments", parseXML, "<a>", repeated("x<!---->"), "</a>", 10_000, false},
		{"attributes", parseXML, "<a", numbered(` b%d=""`, ""), "/>", 4_000, false},
		{"ampersands", parseXML, "<a>", repeated("&amp;"), "</a>", 10_000, false},
		{"lone ampersands", parseXML, "<a>", repeated("&"), "</a>", 10_000, true},
		{"declarations", parseXML, "<a", numbered(` xmlns:b%d="u"`, ""), "><b1:x/></a>", 4_000, false},
		{"escapes of a form", parseForm, "a=", repeated("%41"), "", 20_000, false},
		{"parameters", parseForm, "", repeated("a=1&"), "", 10_000, false},
		{"charset fields", parseForm, "", repeated("_charset_=latin1&"), "", 4_000, false},
		{"line ends in a field", parseMultipart, "--b\r\n" + disposition(`name="a"`) + "\r\n\r\n", repeated("\r\n--"), "\r\n--b--", 20_000, false},
		{"half boundaries in a file", parseMultipart, "--b\r\n" + disposition(`name="a"; filename="b"`) + "\r\n\r\n", repeated("\r\n-\r\n--\r"), "\r\n--b--", 20_000, false},
		{"parts", parseMultipart, "", repeated("--b\r\n" + disposition(`name="a"`) + "\r\n\r\n\r\n"), "--b--", 4_000, false},
		{"scanned pairs", scan, "", repeated("a=b&"), "", 4_000, false},
		{"a scanned name", scan, "a[", repeated("[b"), "=c", 4_000, false},
		{"scanned brackets", scan, "", repeated(`{"a":[`), "", 2_000, false},
		{"scanned words before a colon", scan, "{a:b,/*", repeated("w "), ":x", 4_000, false},
		{"scanned elements", scan, "x", repeated("<a b='c'>d"), "", 2_000, false},
		{"scanned lines of YAML", scan, "", repeated("a: b\n"), "", 4_000, false},
		{"a scanned line of YAML", scan, "", repeated("- a:"), "", 4_000, false},
		{"scanned parts", scan, "", repeated("--b\r\nContent-Disposition: x; name=a\r\n\r\nc\r\n"), "--b--", 1_000, false},
		{"names of a scanned part", scan, "--b\r\nContent-Disposition: x", repeated(";name=a"), "\r\n\r\nc", 1_000, true},
		{"parameters of a disposition", parseMultipart, "--b\r\nContent-Disposition: form-data", repeated("; a=b"), "\r\n\r\n\r\n--b--", 4_000, true},
	} {
		best := func(n int) time.Duration {
			src := c.prefix + c.middle(n) + c.suffix
			fastest := time.Hour
			for range 3 {
				began := threadTime(t)
				if err := c.parse(src); err != nil && !c.mayBeRejected {
					t.Fatal(c.name, err)
				}
				fastest = min(fastest, threadTime(t)-began)
			}
			return fastest
		}
		small, large := best(c.n), best(10*c.n)
		if large > 40*small+60*time.Millisecond { // the kernel counts in ticks of some milliseconds
			t.Errorf("%s: %v for %d, %v for ten times as many", c.name, small, c.n, large)
		}
	}
}

// threadTime is the processor time of this thread, which other programs on the machine
// do not change.
func threadTime(t *testing.T) time.Duration {
	t.Helper()
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_THREAD, &usage); err != nil {
		t.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
