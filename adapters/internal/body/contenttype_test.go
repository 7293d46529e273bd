package body

import (
	"reflect"
	"strings"
	"testing"
)

func TestParseContentType(t *testing.T) {
	long := strings.Repeat("b", 70)
	for _, c := range []struct {
		field string
		want  ContentType
	}{
		{"application/json", ContentType{Media: "application/json"}},
		{" Application/JSON ; charset=UTF-8", ContentType{Media: "application/json", Charset: CharsetUTF8, Label: "utf-8"}},
		{"application/json;charset=utf8", ContentType{Media: "application/json", Charset: CharsetUTF8, Label: "utf8"}},
		{`application/json; charset="utf-8";`, ContentType{Media: "application/json", Charset: CharsetUTF8, Label: "utf-8"}},
		{"application/x-www-form-urlencoded; charset=ISO-8859-1", ContentType{Media: FormType, Charset: CharsetASCII, Label: "iso-8859-1"}},
		{"application/x-www-form-urlencoded; charset=windows-1252", ContentType{Media: FormType, Charset: CharsetASCII, Label: "windows-1252"}},
		{"application/x-www-form-urlencoded; charset=us-ascii", ContentType{Media: FormType, Charset: CharsetASCII, Label: "us-ascii"}},
		{"multipart/form-data; boundary=----WebKitFormBoundary0", ContentType{Media: MultipartType, Boundary: "----WebKitFormBoundary0"}},
		{`multipart/form-data; boundary="dart-http-boundary-+a"`, ContentType{Media: MultipartType, Boundary: "dart-http-boundary-+a"}},
		{`multipart/form-data; boundary="----=_Part_0_1.2"; charset=utf-8`, ContentType{Media: MultipartType, Boundary: "----=_Part_0_1.2", Charset: CharsetUTF8, Label: "utf-8"}},
		{"multipart/form-data; boundary=----=_Part_0_1.2", ContentType{Media: MultipartType, Boundary: "----=_Part_0_1.2"}},
		{"multipart/form-data; boundary=" + long, ContentType{Media: MultipartType, Boundary: long}},
		{`application/soap+xml; action="urn:a\"b"; x=1`, ContentType{Media: "application/soap+xml", Others: []Pair{{Name: "action", Value: `urn:a"b`}, {Name: "x", Value: "1"}}}},
	} {
		got, err := ParseContentType(c.field)
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q: read %+v, %v; want %+v", c.field, got, err, c.want)
		}
	}

	none, err := ParseContentType()
	if err != nil || !reflect.DeepEqual(none, ContentType{}) {
		t.Errorf("no field: read %+v, %v", none, err)
	}
}

func TestContentTypeThatIsReadInTwoWays(t *testing.T) {
	for _, c := range []struct {
		field string
		want  Kind
	}{
		{"multipart/form-data; xboundary=aa; boundary=bb", FalseParameter},
		{"multipart/form-data; boundary=bb; xboundary=aa", FalseParameter},
		{`multipart/form-data; x="boundary=aa"; boundary=bb`, FalseParameter},
		{"multipart/form-data; boundary=aa; boundary=bb", DuplicateParameter},
		{"multipart/form-data; boundary=aa; Boundary=bb", DuplicateParameter},
		{"multipart/form-data; boundary*=utf-8''aa; boundary=bb", FalseParameter},
		{"multipart/form-data; boundary*0=aa; boundary*1=bb", FalseParameter},
		{"multipart/form-data", BadBoundary},
		{"multipart/form-data; boundary=", BadContentType},
		{`multipart/form-data; boundary=""`, BadBoundary},
		{`multipart/form-data; boundary="a "`, BadBoundary},
		{`multipart/form-data; boundary="a\\b"`, BadBoundary},
		{`multipart/form-data; boundary="a;b"`, BadBoundary},
		{"multipart/form-data; boundary=" + strings.Repeat("b", 71), BadBoundary},
		{"multipart/form-data; boundary=aa, multipart/form-data; boundary=bb", BadContentType},
		{"multipart/form-data; boundary=aa,bb", BadContentType},
		{"multipart/form-data, application/json", BadContentType},
		{"multipart/form-data; boundary =aa", BadContentType},
		{"multipart/form-data; boundary= aa", BadContentType},
		{"multipart/form-data; boundary=aa bb", BadContentType},
		{`multipart/form-data; boundary="aa`, BadContentType},
		{`multipart/form-data; boundary="aa"b`, BadContentType},
		{"multipart/form-data boundary=aa", BadContentType},
		{"application/json; charset=utf-7", WrongCharset},
		{"application/x-www-form-urlencoded; charset=utf-7", WrongCharset},
		{"application/x-www-form-urlencoded; charset=utf-16", WrongCharset},
		{"application/x-www-form-urlencoded; charset=ibm037", WrongCharset},
		{"application/x-www-form-urlencoded; charset=shift_jis", WrongCharset},
		{"application/x-www-form-urlencoded; charset=iso-2022-jp", WrongCharset},
		{"application/x-www-form-urlencoded; charset=iso-8859-017", WrongCharset},
		{"application/x-www-form-urlencoded; charset=rot13", WrongCharset},
		{"application/json; charset=utf-8; charset=utf-7", DuplicateParameter},
		{"application/json; charset=utf-8; xcharset=utf-7", FalseParameter},
		{"application/json; charset*=utf-8''utf-7", FalseParameter},
		{"application/json; a=1; A=2", DuplicateParameter},
		{"application/json; charset", BadContentType},
		{"application/json\r\nX: y", BadContentType},
		{"application", BadContentType},
		{"/json", BadContentType},
		{"application/", BadContentType},
		{"", BadContentType},
		{"a/b; c=1; d=1; e=1; f=1; g=1; h=1; i=1; j=1; k=1", BadContentType},
	} {
		if got, err := ParseContentType(c.field); KindOf(err) != c.want {
			t.Errorf("%q: read %+v with error %v (%s), want %s", c.field, got, err, KindOf(err), c.want)
		}
	}

	if _, err := ParseContentType("application/json", "application/json"); KindOf(err) != DuplicateParameter {
		t.Errorf("two fields: %v", err)
	}
}

func TestContentTypeHeader(t *testing.T) {
	for _, c := range []struct{ field, boundary, want string }{
		{"Application/JSON; charset=utf-8; x=1", "", "application/json"},
		{"text/xml; charset=utf-8", "", "text/xml"},
		{"application/x-www-form-urlencoded", "", "application/x-www-form-urlencoded"},
		{"application/x-www-form-urlencoded; charset=utf8", "", "application/x-www-form-urlencoded; charset=UTF-8"},
		{"application/x-www-form-urlencoded; charset=iso-8859-1", "", "application/x-www-form-urlencoded"},
		{"multipart/form-data; boundary=aa", "bb", "multipart/form-data; boundary=bb"},
	} {
		parsed, err := ParseContentType(c.field)
		if err != nil {
			t.Fatal(c.field, err)
		}
		if got := parsed.Header(c.boundary); got != c.want {
			t.Errorf("%q is written %q, want %q", c.field, got, c.want)
		}
	}
}
