package body

import (
	"net/url"
	"reflect"
	"strings"
	"testing"
)

func pairs(texts ...string) []Pair {
	var p []Pair
	for i := 0; i < len(texts); i += 2 {
		p = append(p, Pair{Name: texts[i], Value: texts[i+1]})
	}
	return p
}

func TestParseForm(t *testing.T) {
	for _, c := range []struct {
		raw         string
		options     FormOptions
		want        []Pair
		body, query string
	}{
		{raw: "", want: nil},
		{raw: "a=1&b=2", want: pairs("a", "1", "b", "2"), body: "a=1&b=2", query: "a=1&b=2"},
		{raw: "&a=1&&b=2&", want: pairs("a", "1", "b", "2"), body: "a=1&b=2", query: "a=1&b=2"},
		{raw: "a=1=2", want: pairs("a", "1=2"), body: "a=1%3D2", query: "a=1%3D2"},
		{raw: "a+b=c+d%20e", want: pairs("a b", "c d e"), body: "a+b=c+d+e", query: "a%20b=c%20d%20e"},
		{raw: "a%5Bb%5d[]=%e2%82%ac", want: pairs("a[b][]", "€"), body: "a%5Bb%5D%5B%5D=%E2%82%AC", query: "a%5Bb%5D%5B%5D=%E2%82%AC"},
		{raw: "wsdl", want: []Pair{{Name: "wsdl", Bare: true}}, body: "wsdl=", query: "wsdl"},
		{raw: "a=&a", want: []Pair{{Name: "a"}, {Name: "a", Bare: true}}, body: "a=&a=", query: "a=&a="},
		{raw: "a=Z%FCrich", want: pairs("a", "Z\xfcrich"), body: "a=Z%FCrich", query: "a=Z%FCrich"},
		{raw: "a=\xc3\xbc", want: pairs("a", "ü"), body: "a=%C3%BC", query: "a=%C3%BC"},
		{raw: "a=*-._~", want: pairs("a", "*-._~"), body: "a=*-._%7E", query: "a=*-._%7E"},
		{raw: "a=1\r\n", want: pairs("a", "1\r\n"), body: "a=1%0D%0A", query: "a=1%0D%0A"},
		{raw: "a=1;b=2", options: FormOptions{Semicolon: KeepSemicolon}, want: pairs("a", "1;b=2"), body: "a=1%3Bb%3D2", query: "a=1%3Bb%3D2"},
		{raw: "a=1;b=2", options: FormOptions{Semicolon: SplitAtSemicolon}, want: pairs("a", "1", "b", "2"), body: "a=1&b=2", query: "a=1&b=2"},
		{raw: "a=50%", options: FormOptions{LonePercent: true}, want: pairs("a", "50%"), body: "a=50%25", query: "a=50%25"},
		{raw: "a=%zz%4", options: FormOptions{LonePercent: true}, want: pairs("a", "%zz%4"), body: "a=%25zz%254", query: "a=%25zz%254"},
		{raw: "a=b", options: FormOptions{Charset: CharsetASCII}, want: pairs("a", "b"), body: "a=b", query: "a=b"},
		{raw: "a=%FC", options: FormOptions{Charset: CharsetASCII}, want: pairs("a", "\xfc"), body: "a=%FC", query: "a=%FC"},
		{raw: "_charset_=UTF-8&a=%C3%BC", want: pairs("_charset_", "UTF-8", "a", "ü"), body: "_charset_=UTF-8&a=%C3%BC", query: "_charset_=UTF-8&a=%C3%BC"},
		{raw: "_charset_=windows-1252&a=b", want: pairs("_charset_", "windows-1252", "a", "b"), body: "_charset_=windows-1252&a=b", query: "_charset_=windows-1252&a=b"},
	} {
		got, err := ParseForm(nil, c.raw, c.options)
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q: read %#v, %v; want %#v", c.raw, got, err, c.want)
		}
		if body := string(AppendForm(nil, got)); body != c.body {
			t.Errorf("%q as a body is written %q, want %q", c.raw, body, c.body)
		}
		if query := string(AppendQuery(nil, got)); query != c.query {
			t.Errorf("%q as a query is written %q, want %q", c.raw, query, c.query)
		}
	}
}

func TestFormThatIsReadInTwoWays(t *testing.T) {
	for _, c := range []struct {
		raw     string
		options FormOptions
		want    Kind
	}{
		{raw: "a=1;b=2", want: Semicolon},
		{raw: ";", want: Semicolon},
		{raw: "a=50%", want: LonePercent},
		{raw: "a=%2", want: LonePercent},
		{raw: "a=%zz", want: LonePercent},
		{raw: "a=%u0031", want: LonePercent},
		{raw: "%=1", want: LonePercent},
		{raw: "a=%%41", want: LonePercent},
		{raw: "a%00b=1", want: NUL},
		{raw: "a=%00", want: NUL},
		{raw: "a=\x00", want: NUL},
		{raw: "=1", want: EmptyName},
		{raw: "a=1&=", want: EmptyName},
		{raw: "[id]=1", want: EmptyName},
		{raw: "%5Bid%5D=1", want: EmptyName},
		{raw: "]id=1", want: EmptyName},
		{raw: "a=%C0%AF", options: FormOptions{UTF8: true}, want: InvalidUTF8},
		{raw: "a=%E0%80%AF", options: FormOptions{UTF8: true}, want: InvalidUTF8},
		{raw: "a=%ED%A0%80", options: FormOptions{UTF8: true}, want: InvalidUTF8},
		{raw: "a=Z%FCrich", options: FormOptions{UTF8: true}, want: InvalidUTF8},
		{raw: "%FC=1", options: FormOptions{UTF8: true}, want: InvalidUTF8},
		{raw: "a=\xc3\xbc", options: FormOptions{Charset: CharsetASCII}, want: WrongCharset},
		{raw: "_charset_=utf-7&a=b", want: WrongCharset},
		{raw: "a=b&_CHARSET_=utf-16", want: WrongCharset},
		{raw: "a=%C3%BC&_charset_=iso-8859-1", want: WrongCharset},
		{raw: strings.Repeat("a=1&", 1001), want: TooMany},
		{raw: "a&b&c", options: FormOptions{MaxPairs: 2}, want: TooMany},
	} {
		if got, err := ParseForm(nil, c.raw, c.options); KindOf(err) != c.want {
			t.Errorf("%.60q: read %v with error %v (%s), want %s", c.raw, got, err, KindOf(err), c.want)
		}
	}
}

func TestParseFormAppends(t *testing.T) {
	got, err := ParseForm(pairs("a", "1"), "b=2", FormOptions{MaxPairs: 1})
	if err != nil || !reflect.DeepEqual(got, pairs("a", "1", "b", "2")) {
		t.Errorf("read %#v, %v", got, err)
	}
}

func TestParseFormCopiesNothingThatIsPlain(t *testing.T) {
	memory := make([]Pair, 0, 8)
	out := make([]byte, 0, 256)
	allocations := testing.AllocsPerRun(100, func() {
		read, err := ParseForm(memory, "action=edit&title=Main_Page&page=7", FormOptions{})
		if err != nil {
			t.Fatal(err)
		}
		out = AppendQuery(out[:0], read)
	})
	if allocations != 0 {
		t.Errorf("%v allocations", allocations)
	}
}

// FuzzForm compares with net/url, which reads the canonical spelling and knows
// nothing of this package.
func FuzzForm(f *testing.F) {
	for _, seed := range []string{"a=1&b=2", "a;b", "%41=+&&x", "a=%FC&_charset_=utf-8", "=", "a%00", "\xff=%u0041;&%"} {
		f.Add(seed, uint8(0))
		f.Add(seed, uint8(7))
	}
	f.Fuzz(func(t *testing.T, raw string, mode uint8) {
		o := FormOptions{Semicolon: SemicolonRule(mode % 3), LonePercent: mode&4 != 0, UTF8: mode&8 != 0}
		read, err := ParseForm(nil, raw, o)
		if err != nil {
			if KindOf(err) == "" {
				t.Fatalf("an error without a kind: %v", err)
			}
			return
		}

		for name, write := range map[string]func([]byte, []Pair) []byte{"body": AppendForm, "query": AppendQuery} {
			canonical := string(write(nil, read))
			values, err := url.ParseQuery(canonical)
			if err != nil {
				t.Fatalf("%s: net/url refuses %q: %v", name, canonical, err)
			}
			want := url.Values{}
			for _, p := range read {
				want.Add(p.Name, p.Value)
			}
			if !reflect.DeepEqual(values, want) {
				t.Fatalf("%s: net/url reads %q in %q, want %q", name, values, canonical, want)
			}

			again, err := ParseForm(nil, canonical, FormOptions{})
			if err != nil {
				t.Fatalf("%s: %q is refused: %v", name, canonical, err)
			}
			if twice := string(write(nil, again)); twice != canonical {
				t.Fatalf("%s: written %q, then %q", name, canonical, twice)
			}
		}
	})
}
