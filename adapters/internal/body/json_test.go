package body

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

func TestJSON(t *testing.T) {
	for _, c := range []struct{ src, want string }{
		{`{}`, `{}`},
		{` [ ] `, `[]`},
		{"\ufeff{\"a\": 1}", `{"a":1}`},
		{"\t{\r\n\"a\" :\t[ 1 , 2.50 ,-0, 1e+9,1E-2, 0.1e5 ] , \"b\":{ } }\n", `{"a":[1,2.50,-0,1e+9,1E-2,0.1e5],"b":{}}`},
		{`[true,false,null]`, `[true,false,null]`},
		{`"\u0041\/\u00e9é\u2028` + "\u2029" + `"`, `"A/\u00e9\u00e9\u2028\u2029"`},
		{`"\"\\\b\f\n\r\t\u0000\u001F` + "\x7f" + `"`, `"\"\\\b\f\n\r\t\u0000\u001f` + "\x7f" + `"`},
		{`"\u0022\u005c\u000A\u0008"`, `"\"\\\n\b"`},
		{`"😀\ud83d\uDE00"`, `"\ud83d\ude00\ud83d\ude00"`},
		{`{"\u0061":1,"A":2}`, `{"a":1,"A":2}`},
		{`12345678901234567890.12345678901234567890`, `12345678901234567890.12345678901234567890`},
		{`{"":1}`, `{"":1}`},
		{`"<script>&'"`, `"<script>&'"`},
	} {
		var d JSON
		if err := d.Parse([]byte(c.src), JSONOptions{}); err != nil || string(d.Bytes()) != c.want {
			t.Errorf("%q is written %q, %v; want %q", c.src, d.Bytes(), err, c.want)
		}
	}
}

func TestJSONThatIsReadInTwoWays(t *testing.T) {
	keys := NewKeySet("method", "pageId", "straße", "kind")
	for _, c := range []struct {
		src  string
		want Kind
	}{
		{``, BadSyntax}, {` `, BadSyntax}, {`{`, BadSyntax}, {`[`, BadSyntax}, {`}`, BadSyntax}, {`{"a"`, BadSyntax}, {`{"a":`, BadSyntax},
		{`{"a":1,}`, BadSyntax}, {`[1,]`, BadSyntax}, {`[,1]`, BadSyntax}, {`{,"a":1}`, BadSyntax}, {`[1 2]`, BadSyntax}, {`{"a" 1}`, BadSyntax},
		{`{"a":1 "b":2}`, BadSyntax}, {`{a:1}`, BadSyntax}, {`{'a':1}`, BadSyntax}, {`{1:1}`, BadSyntax}, {`{"a":1}}`, TrailingData},
		{`01`, BadSyntax}, {`-`, BadSyntax}, {`+1`, BadSyntax}, {`.5`, BadSyntax}, {`1.`, BadSyntax}, {`1e`, BadSyntax}, {`1e+`, BadSyntax},
		{`-01`, BadSyntax}, {`0x10`, TrailingData}, {`NaN`, BadSyntax}, {`Infinity`, BadSyntax}, {`-Infinity`, BadSyntax}, {`True`, BadSyntax}, {`nul`, BadSyntax},
		{`truex`, TrailingData}, {`1 2`, TrailingData}, {"{}\x00", TrailingData}, {`{}{}`, TrailingData}, {"{}\ufeff", TrailingData},
		{`[1] // comment`, TrailingData}, {`/* comment */[1]`, BadSyntax}, {`{"a":1/**/}`, BadSyntax},
		{`"`, BadSyntax}, {`"\`, BadSyntax}, {`"\x41"`, BadSyntax}, {`"\u12"`, BadSyntax}, {`"\u123g"`, BadSyntax}, {`"\U00000041"`, BadSyntax}, {"\"\n\"", BadSyntax}, {"\"\x00\"", BadSyntax},
		{`"\ud83d"`, LoneSurrogate}, {`"\ude00"`, LoneSurrogate}, {`"\ud83d\u0041"`, LoneSurrogate}, {`"\ude00\ud83d"`, LoneSurrogate}, {`"\ud83d\ud83d"`, LoneSurrogate}, {`{"\udfff":1}`, LoneSurrogate},
		{"\"\xff\"", InvalidUTF8}, {"\"\xc0\xaf\"", InvalidUTF8}, {"\"\xed\xa0\xbd\"", InvalidUTF8}, {"\"\xf4\x90\x80\x80\"", InvalidUTF8}, {"\"\xe2\x82\"", InvalidUTF8},
		{"\xff\xfe{\x00}\x00", BadSyntax}, {"\ufeff\ufeff{}", BadSyntax},
		{`{"a":1,"a":2}`, DuplicateKey}, {`{"a":1,"\u0061":2}`, DuplicateKey}, {`{"é":1,"\u00e9":2}`, DuplicateKey}, {`{"x":{"a":1,"b":2,"a":3}}`, DuplicateKey}, {`{"":1,"":2}`, DuplicateKey},
		{`{"a":{"b":1},"c":[{"d":1}],"a":1}`, DuplicateKey},
		{`{"Method":1}`, FoldedKey}, {`{"pageid":1}`, FoldedKey}, {`{"x":[{"METHOD":1}]}`, FoldedKey}, {`{"method":1,"Method":2}`, FoldedKey}, {`{"\u004dethod":1}`, FoldedKey},
		{`{"STRAẞE":1}`, FoldedKey}, {`{"\u212aind":1}`, FoldedKey}, {`{"Kind":1}`, FoldedKey},
		{`{"a\u0000":1}`, NUL},
		{strings.Repeat("[", 65) + strings.Repeat("]", 65), TooDeep}, {strings.Repeat(`{"a":`, 65) + "1" + strings.Repeat("}", 65), TooDeep},
	} {
		var d JSON
		err := d.Parse([]byte(c.src), JSONOptions{Keys: keys})
		if KindOf(err) != c.want {
			t.Errorf("%.80q is written %.80q with error %v (%s), want %s", c.src, d.Bytes(), err, KindOf(err), c.want)
		}
		if err != nil && (len(d.Bytes()) != 0 || d.Root().Kind() != JSONAbsent) {
			t.Errorf("%.80q leaves %q", c.src, d.Bytes())
		}
	}

	var d JSON
	for _, src := range []string{`{"method":1,"pageId":2,"straße":3,"STRASSE":4,"id":5,"ID":6}`, strings.Repeat("[", 64) + strings.Repeat("]", 64), `["\u0000"]`} {
		if err := d.Parse([]byte(src), JSONOptions{Keys: keys}); err != nil {
			t.Errorf("%.80q: %v", src, err)
		}
	}
	if err := d.Parse([]byte(`[1,2]`), JSONOptions{MaxValues: 2}); KindOf(err) != TooMany {
		t.Errorf("more values than allowed: %v", err)
	}
	if err := d.Parse([]byte(`[1,2]`), JSONOptions{MaxValues: 3}); err != nil {
		t.Errorf("as many values as allowed: %v", err)
	}
	if err := d.Parse([]byte(`"é"`), JSONOptions{Charset: CharsetASCII}); KindOf(err) != WrongCharset {
		t.Errorf("bytes beyond ASCII under ISO-8859-1: %v", err)
	}
}

func TestJSONLargeObject(t *testing.T) {
	write := func(n int, last string) []byte {
		b := []byte("{")
		for i := range n {
			b = append(append(b, `"key`...), strconv.Itoa(i)...)
			b = append(b, `":{"x":[1,2]},`...)
		}
		return append(append(append(b, '"'), last...), `":1}`...)
	}
	var d JSON
	for _, n := range []int{14, 15, 16, 17, 1000} {
		if err := d.Parse(write(n, "other"), JSONOptions{}); err != nil {
			t.Errorf("%d keys: %v", n, err)
		}
		for _, twice := range []int{0, n / 2, n - 1} {
			if err := d.Parse(write(n, `\u006bey`+strconv.Itoa(twice)), JSONOptions{}); KindOf(err) != DuplicateKey {
				t.Errorf("%d keys, number %d twice: %v", n, twice, err)
			}
		}
	}
}

func TestJSONValues(t *testing.T) {
	var d JSON
	if err := d.Parse([]byte(`{"a":[1,{"b":"x\ny"},null,true],"é":{"c":-1.50},"d":"plain"}`), JSONOptions{}); err != nil {
		t.Fatal(err)
	}
	root := d.Root()
	for _, c := range []struct {
		value Value
		kind  JSONKind
		text  string
		raw   string
	}{
		{root.Get("a").Index(0), JSONNumber, "1", "1"},
		{root.Get("a").Index(1).Get("b"), JSONString, "x\ny", `"x\ny"`},
		{root.Get("a").Index(1), JSONObject, "", `{"b":"x\ny"}`},
		{root.Get("a").Index(2), JSONNull, "null", "null"},
		{root.Get("a").Index(3), JSONBool, "true", "true"},
		{root.Get("a").Index(4), JSONAbsent, "", ""},
		{root.Get("a").Index(-1), JSONAbsent, "", ""},
		{root.Get("é").Get("c"), JSONNumber, "-1.50", "-1.50"},
		{root.Get("d"), JSONString, "plain", `"plain"`},
		{root.Get("b"), JSONAbsent, "", ""},
		{root.Get("d").Get("x"), JSONAbsent, "", ""},
		{root.Index(0), JSONAbsent, "", ""},
		{root.Get("x").Get("y").Index(0), JSONAbsent, "", ""},
	} {
		if c.value.Kind() != c.kind || c.value.Text() != c.text || string(c.value.Raw()) != c.raw {
			t.Errorf("read %d %q %q, want %d %q %q", c.value.Kind(), c.value.Text(), c.value.Raw(), c.kind, c.text, c.raw)
		}
		if start, end := c.value.Span(); string(d.Bytes()[start:end]) != c.raw {
			t.Errorf("span %d to %d, want that of %q", start, end, c.raw)
		}
	}

	var names []string
	for name := range root.Members() {
		names = append(names, name)
	}
	if strings.Join(names, " ") != "a é d" {
		t.Errorf("members %q", names)
	}
}

func TestJSONExactValues(t *testing.T) {
	for src, want := range map[string]bool{
		`"1.8e1"`: true, `true`: true, `null`: true, `0`: true, `18`: true, `-18`: true, `123456789012345`: true,
		`{}`: false, `[]`: false, `-0`: false, `18.0`: false, `1.8e1`: false, `18e0`: false, `1234567890123456`: false, `1E999`: false,
	} {
		var d JSON
		if err := d.Parse([]byte(src), JSONOptions{}); err != nil || d.Root().IsExact() != want {
			t.Errorf("%s is exact: %v, %v; want %v", src, d.Root().IsExact(), err, want)
		}
	}
	if (Value{}).IsExact() {
		t.Error("an absent value is exact")
	}
}

func TestJSONReusesMemory(t *testing.T) {
	src := []byte(`{"jsonrpc":"2.0","method":"page.get","params":{"id":17,"title":"Hauptseite","tags":["a","b"]},"id":1}`)
	keys := NewKeySet("method", "id")
	var d JSON
	allocations := testing.AllocsPerRun(100, func() {
		if err := d.Parse(src, JSONOptions{Keys: keys}); err != nil {
			t.Fatal(err)
		}
	})
	if allocations != 0 {
		t.Errorf("%v allocations", allocations)
	}
}

// toAny makes of a value what encoding/json makes of it.
func toAny(v Value) any {
	switch v.Kind() {
	case JSONObject:
		object := map[string]any{}
		for name, member := range v.Members() {
			object[name] = toAny(member)
		}
		return object
	case JSONArray:
		list := []any{}
		for item := range v.Items() {
			list = append(list, toAny(item))
		}
		return list
	case JSONString:
		return v.Text()
	case JSONNumber:
		return json.Number(v.Text())
	case JSONBool:
		return v.Text() == "true"
	}
	return nil
}

func decodeAny(src []byte) (v any, err error) {
	dec := json.NewDecoder(bytes.NewReader(src))
	dec.UseNumber()
	err = dec.Decode(&v)
	return v, err
}

func FuzzJSON(f *testing.F) {
	for _, seed := range []string{`{"a":[1,-2.5e7,"\ud83d\ude00\u0000"],"A":null}`, `{"a":1,"\u0061":2}`, "\ufeff[\"\xff\"]", `{"id":{},"Id":[]}`, `[[[]]]`, `"\u2028é"`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		var d JSON
		if err := d.Parse(src, JSONOptions{Keys: NewKeySet("id")}); err != nil {
			if KindOf(err) == "" {
				t.Fatalf("an error without a kind: %v", err)
			}
			return
		}

		if !json.Valid(d.Bytes()) || !isASCII(d.Bytes()) {
			t.Fatalf("written %q", d.Bytes())
		}
		ours := toAny(d.Root())
		for name, text := range map[string][]byte{"the canonical form": d.Bytes(), "the original": bytes.TrimPrefix(src, []byte("\ufeff"))} {
			theirs, err := decodeAny(text)
			if err != nil || !reflect.DeepEqual(theirs, ours) {
				t.Fatalf("encoding/json reads %#v, %v in %s; want %#v", theirs, err, name, ours)
			}
		}

		var again JSON
		if err := again.Parse(d.Bytes(), JSONOptions{}); err != nil || !bytes.Equal(again.Bytes(), d.Bytes()) {
			t.Fatalf("written %q, then %q, %v", d.Bytes(), again.Bytes(), err)
		}
	})
}
