package body

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// generator makes requests as honest clients send them, and as somebody sends them
// who wants two readers to read two requests.
type generator struct{ *rand.Rand }

func newGenerator(seed uint64) generator { return generator{rand.New(rand.NewPCG(seed, seed))} }

func pick[T any](g generator, choices ...T) T { return choices[g.IntN(len(choices))] }

// chance is true in one of n cases.
func (g generator) chance(n int) bool { return g.IntN(n) == 0 }

func (g generator) fieldName() string {
	if g.chance(3) {
		return pick(g, "a.b", "a b", " a", "a:b", "ü", "naïve", "a=b", "a,b", "it's", "a%22b", "a%0Ab", "a&b", "a+b", "name", "filename", "a<b>", "x/y", "$id",
			"Content-Type", "a#b", "a?b", "%", "%41", "&amp;", "&#59;", "a'b'c", "name=x", "filename=x", "-", "0", "日本", "a\tb", "a*", "*", "\u00a0a")
	}
	return pick(g, "a", "id", "title", "wpTextbox1", "form-0-id", "_method", "note", "body", "list[]", "issue[project_id]", "a[b]", "a[b][c]", "x[1]")
}

func (g generator) value() string {
	if g.chance(3) {
		return pick(g, "", "ü", "日本語", "a\r\nb", "\r\n", "a\nb", "a\rb", "--", "--b", "\r\n--", "a&b=c", "a;b", "a=b", "100%", "%41", "+", " ", " a ", "\t", `"; name="id`, "<a>&amp;</a>", "Z\xfcrich", "\xff",
			"\xe2\x82", `\"`, `\`, "'", "Content-Disposition: form-data; name=\"id\"\r\n\r\n7", strings.Repeat("long ", 400), "😀", "\x01\x02", "\u2028", "a\x0bb")
	}
	return pick(g, "1", "7", "edit", "Main Page", "hello world", "some text of more words", "2024-01-31")
}

func (g generator) fileName() string {
	return pick(g, "a.txt", "report final.pdf", "x.php", "ü.txt", "日本.png", "a;b.txt", "a%22b.txt", "it's.txt", "a=b.txt", "a,b", "x; name=id", "x;name=id", "x;\tNAME=id", "x; filename=y", "a; b=c", "x name=id", "a&b.txt", ".hidden", "a:b", "%41.txt", "name", "(1).txt", "a/b.txt", "&#34;.txt")
}

func (g generator) media() string {
	return pick(g, "text/plain", "image/png", "application/pdf", "text/html", octetStream, "application/vnd.ms-excel")
}

// quote writes a text as a browser does.
func quote(s string) string {
	return `"` + strings.NewReplacer(`"`, "%22", "\r", "%0D", "\n", "%0A").Replace(s) + `"`
}

// spell writes a name in quotes or, if it can be, without.
func (g generator) spell(s string) string {
	if isToken(s) && g.chance(4) {
		return s
	}
	return quote(s)
}

// draftPart is a part before it is written.
type draftPart struct {
	head    []string
	content string
}

// draft is a multipart form before it is written.
type draft struct {
	media, boundary, typeSuffix  string
	preamble, epilogue, eol, end string
	parts                        []draftPart
}

func (g generator) part(i int) draftPart {
	name := g.fieldName()
	p := draftPart{content: g.value()}
	switch g.IntN(10) {
	default:
		p.head = []string{"Content-Disposition: form-data; name=" + g.spell(name)}
		if g.chance(8) {
			p.head = append(p.head, "Content-Type: text/plain; charset="+pick(g, "utf-8", "UTF-8", "us-ascii", "ISO-8859-1"))
		}
	case 0, 1:
		fileName := g.fileName()
		p.head = []string{"Content-Disposition: form-data; name=" + g.spell(name) + "; filename=" + g.spell(fileName)}
		if isASCII(fileName) && g.chance(4) {
			p.head[0] += "; filename*=utf-8''" + strings.NewReplacer(" ", "%20", `"`, "%22", "%", "%25", ";", "%3B", ",", "%2C", "=", "%3D", ":", "%3A", "(", "%28", ")", "%29", "/", "%2F").Replace(fileName)
		}
		if !g.chance(5) {
			p.head = append(p.head, "Content-Type: "+g.media())
		}
		if g.chance(4) {
			p.content = strings.Repeat(pick(g, "file content\r\n", "\x00\x01\xff", "\r\n--", "x"), g.IntN(300))
		}
	case 2:
		p.head = []string{fmt.Sprintf(`Content-Disposition: form-data; name="nofile%d"; filename=""`, i), "Content-Type: application/octet-stream"}
		p.content = ""
	case 3:
		p.head = []string{fmt.Sprintf(`Content-Disposition: form-data; name="typed%d"`, i), "Content-Type: application/json"}
	}
	if g.chance(6) {
		p.head = append(p.head, "Content-Transfer-Encoding: "+pick(g, "binary", "8bit", "7bit"))
	}
	if g.chance(10) {
		p.head = append(p.head, fmt.Sprintf("Content-Length: %d", len(p.content)))
	}
	if g.chance(6) {
		g.Shuffle(len(p.head), func(i, j int) { p.head[i], p.head[j] = p.head[j], p.head[i] })
	}
	return p
}

func (g generator) multipartDraft() *draft {
	d := &draft{media: MultipartType, eol: "\r\n", end: "--\r\n"}
	d.boundary = pick(g, "----WebKitFormBoundary7MA4YWxkTrZu0gW", "------------------------d74496d66958873e", "2a8d9c54-6f1c-4a6e-8d62-0f9f54bd6a31", "b", "dart-http-boundary-+Q", "=_Part_1.2")
	for i := range 1 + g.IntN(5) {
		d.parts = append(d.parts, g.part(i))
	}
	return d
}

func (d *draft) message() message {
	var b strings.Builder
	b.WriteString(d.preamble)
	for _, p := range d.parts {
		b.WriteString("--" + d.boundary + d.eol)
		for _, line := range p.head {
			b.WriteString(line + d.eol)
		}
		b.WriteString(d.eol + p.content + d.eol)
	}
	b.WriteString("--" + d.boundary + d.end + d.epilogue)

	boundary := d.boundary
	if !isToken(boundary) {
		boundary = `"` + boundary + `"`
	}
	return message{contentType: d.media + "; boundary=" + boundary + d.typeSuffix, body: []byte(b.String())}
}

// corrupt makes one thing of a form such that readers may differ about it.
func (g generator) corrupt(d *draft) {
	p := &d.parts[g.IntN(len(d.parts))]
	line := &p.head[g.IntN(len(p.head))]
	other := pick(g, "id", "title", "_method", "a")
	switch g.IntN(30) {
	case 0:
		*line = fmt.Sprintf(`Content-Disposition: form-data; name="form-\"; name=%s; x=\""`, other)
	case 1:
		*line += fmt.Sprintf(`; foo="\"; name=%s; x=\""`, other)
	case 2:
		*line = strings.Replace(*line, "name=", "x-name="+other+"; name=", 1)
	case 3:
		*line += "; name=" + other
	case 4:
		*line += fmt.Sprintf("; %s=%s", pick(g, "name*", "name*0", "Name", "xname", "filename", "filename*", "FILENAME"), pick(g, other, "utf-8''"+other, `"`+other+`"`))
	case 5:
		*line = strings.Replace(*line, "; name", pick(g, ";\r\n name", ";\r\n\tname", ";\nname", ";name", "; ; name", " ; name", ", name"), 1)
	case 6:
		p.head = append(p.head, fmt.Sprintf(`Content-Disposition: form-data; name="%s"`, other))
	case 7:
		p.head = append(p.head, "Content-Type: "+pick(g, "text/plain; charset=utf-7", "text/plain; charset=utf-16", "multipart/mixed; boundary=c", FormType, "message/rfc822", "text", octetStream))
	case 8:
		p.head = append(p.head, "Content-Transfer-Encoding: "+pick(g, "base64", "quoted-printable", "BASE64", "x"))
	case 9:
		*line = strings.Replace(*line, ":", pick(g, " :", "::", "", ":\t"), 1)
	case 10:
		d.eol = pick(g, "\n", "\r", "\r\r\n")
	case 11:
		d.preamble = pick(g, "\r\n", "\n", "preamble\r\n", "--"+d.boundary+"\n\r\n", "x--"+d.boundary+"\r\nContent-Disposition: form-data; name=\"id\"\r\n\r\n7\r\n")
	case 12:
		d.epilogue = pick(g, "\r\n", "epilogue", "--"+d.boundary+"\r\nContent-Disposition: form-data; name=\"id\"\r\n\r\n7\r\n--"+d.boundary+"--")
	case 13:
		d.end = pick(g, "", "-", "--", "\r\n", "--x", " --\r\n", "--\n")
	case 14:
		d.typeSuffix = pick(g, "; boundary=c", "; xboundary=c", "; charset=utf-7", "; charset=utf-16", "; charset=ISO-8859-1", ";", ",", `; x="boundary=c"`, "; charset=utf-8")
	case 15:
		d.media = pick(g, "multipart/form-data; xboundary=c", "Multipart/Form-Data", "multipart/mixed", "multipart/form-data; charset=utf-8", "multipart/form-data ", "multipart/form-data; boundary*=utf-8''c", FormType)
	case 16:
		p.content += "\r\n--" + d.boundary + pick(g, "", "x", " ", "\n", "\r", "-", "--") + "\r\nContent-Disposition: form-data; name=\"id\"\r\n\r\n7"
	case 17:
		p.content += "\n--" + d.boundary + "\r\nContent-Disposition: form-data; name=\"id\"\r\n\r\n7"
	case 18:
		p.head = append([]string{pick(g, "X-Other: y", "X-Other: y\r\n folded", "Content-Disposition", "content-disposition: form-data; name=id", "Content-Disposition: attachment; name=id")}, p.head...)
	case 19:
		*line = strings.Replace(*line, "name=", pick(g, "name =", "name= ", "NAME=", "nAme\t=", "name=\x00", "\"name\"="), 1)
	case 20:
		*line = strings.Replace(*line, "form-data", pick(g, "FORM-DATA", "form-data ", "attachment", "file", "", `"form-data"`), 1)
	case 21:
		*line = strings.ReplaceAll(*line, `"`, pick(g, `'`, `\"`, `""`, "`", "%22"))
	case 22:
		p.head = append(p.head, "")
	case 23:
		p.head = nil
	case 24:
		p.head = []string{fmt.Sprintf(`Content-Disposition: form-data; name="%s"; filename=""`, other)}
	case 25:
		p.head = []string{fmt.Sprintf(`Content-Disposition: form-data; name="a; filename=%s"`, other)}
	case 26:
		p.head = []string{fmt.Sprintf(`Content-Disposition: form-data; filename="x"; name="%s"`, other)}
	case 27:
		*line = strings.Replace(*line, `name="`, `name="`+pick(g, "\x00", "\x01", "\\", "\xff", "\x7f", " ", ";", "\""), 1)
	case 28:
		d.parts = append([]draftPart{{head: []string{`Content-Disposition: form-data; name="_charset_"`}, content: pick(g, "utf-7", "utf-16", "iso-8859-1", "UTF-8")}}, d.parts...)
	case 29:
		d.boundary = pick(g, strings.Repeat("b", 71), "a b", "a;b", "\"", "")
	}
}

// urlencoded makes the text of a query or an urlencoded body.
func (g generator) urlencoded(hostile bool) string {
	var pieces []string
	for range g.IntN(6) {
		piece := g.escape(g.fieldName())
		if !g.chance(8) {
			piece += "=" + g.escape(g.value())
		}
		pieces = append(pieces, piece)
	}
	text := strings.Join(pieces, "&")
	if !hostile {
		return text
	}

	odd := pick(g, ";id=7", "&", "&&", "=", "&=", "&=7", "%", "%4", "%zz", "%u0069d=7", "%00", "\x00", "&id%00=7", "%C0%AF", "&%69d=7", "&+id=7", "&id.x=7", "&id[=7", "&id]=7", "&id%5B%5D=7", "&ID=7", "&id==7", "&a[id=7", "#id=7", "?id=7",
		"&_charset_=utf-7", "&_charset_=UTF-8", "&amp;id=7", "%26id%3D7", "+", "%2B", "&\u00a0id=7", "\r\n", "&id=%0D%0A7")
	at := g.IntN(len(text) + 1)
	return text[:at] + odd + text[at:]
}

// escape encodes a text as one of many clients does.
func (g generator) escape(s string) string {
	var b strings.Builder
	all, lower, raw := g.chance(6), g.chance(3), g.chance(4)
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == ' ' && !all:
			b.WriteString(pick(g, "+", "%20"))
		case !all && isAlphanumeric(c), raw && !all && strings.IndexByte("-._~!*'(),:@/?$[]", c) >= 0, raw && c >= 0x80 && g.chance(4):
			b.WriteByte(c)
		case lower:
			fmt.Fprintf(&b, "%%%02x", c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// message makes one request with a form.
func (g generator) message(hostile bool) message {
	var m message
	if g.chance(2) {
		m = message{contentType: FormType, body: []byte(g.urlencoded(hostile))}
		if hostile && g.chance(4) {
			m.contentType += pick(g, "; charset=utf-7", "; charset=utf-16", "; charset=ISO-8859-1", "; charset=utf8", "; charset=UTF-8", ", text/plain", "; charset=utf-8; charset=utf-7")
		}
	} else {
		d := g.multipartDraft()
		if hostile {
			g.corrupt(d)
		}
		m = d.message()
	}
	if g.chance(2) {
		m.query = g.urlencoded(hostile && g.chance(4))
	}
	return m
}

// json makes a JSON text.
func (g generator) json(depth int) string {
	space := func() string { return pick(g, "", "", "", " ", "\n\t") }
	switch n := g.IntN(10); {
	case n < 3 && depth < 6:
		var members []string
		for range g.IntN(5) {
			members = append(members, space()+g.jsonString()+space()+":"+space()+g.json(depth+1))
		}
		return "{" + strings.Join(members, ",") + space() + "}"
	case n < 5 && depth < 6:
		var items []string
		for range g.IntN(5) {
			items = append(items, space()+g.json(depth+1))
		}
		return "[" + strings.Join(items, ",") + space() + "]"
	case n < 8:
		return g.jsonString()
	}
	return pick(g, "0", "-0", "1", "-17", "0.5", "1e3", "1E-2", "12345678901234567890", "1.7976931348623157e308", "true", "false", "null", "-0.0", "123456.789e-3")
}

func (g generator) jsonString() string {
	var b strings.Builder
	b.WriteByte('"')
	for range g.IntN(4) {
		b.WriteString(pick(g, "a", "id", "method", "x y", `\n`, `\"`, `\\`, `\/`, `\u0041`, `\u00e9`, "é", "日本", `\ud83d\ude00`, "😀", "<&>", `\b\f\r\t`, `\u001f`, "\u2028", `\u2029`, "'", "\x7f", "__proto__", "0", "a.b"))
	}
	b.WriteByte('"')
	return b.String()
}

// xml makes an element.
func (g generator) xml(depth int, prefixes []string) string {
	name := pick(g, "a", "id", "get", "x-y", "b.c", "_d", "größe")
	var attributes []string
	if g.chance(3) {
		prefix := pick(g, "s", "t")
		attributes = append(attributes, fmt.Sprintf(`xmlns:%s="urn:%s"`, prefix, pick(g, "one", "two", "http://example.org/x?y=z;~")))
		prefixes = append(prefixes, prefix)
	}
	if g.chance(5) {
		attributes = append(attributes, `xmlns="`+pick(g, "urn:d", "", "urn:e")+`"`)
	}
	for i := range g.IntN(3) {
		text := strings.ReplaceAll(g.xmlText(), "<", "")
		attributes = append(attributes, fmt.Sprintf("a%d%s%s'%s'", i, pick(g, "=", " = "), pick(g, "", " "), strings.ReplaceAll(text, "'", "")))
	}
	if len(prefixes) > 0 && g.chance(2) {
		attributes = append(attributes, prefixes[g.IntN(len(prefixes))]+`:id="1"`)
	}
	if len(prefixes) > 0 && g.chance(2) {
		name = prefixes[g.IntN(len(prefixes))] + ":" + name
	}

	start := "<" + name
	for _, a := range attributes {
		start += pick(g, " ", "\n", "  ") + a
	}
	if g.chance(5) {
		return start + pick(g, "/>", " />")
	}
	var inner strings.Builder
	for range g.IntN(5) {
		if depth < 5 && g.chance(2) {
			inner.WriteString(g.xml(depth+1, prefixes[:len(prefixes):len(prefixes)]))
		} else {
			inner.WriteString(g.xmlText())
		}
		inner.WriteString(pick(g, "", "", "", "<!-- comment -->", "<![CDATA[<x>&amp;]]>", "<![CDATA[]]>"))
	}
	return start + ">" + inner.String() + "</" + name + pick(g, "", " ") + ">"
}

func (g generator) xmlText() string {
	var b strings.Builder
	for range g.IntN(4) {
		b.WriteString(pick(g, "a", "text ", "\n", "\r\n", "\t", " ", "&lt;", "&gt;", ">", "&amp;", "&quot;", "&apos;", "é", "&#233;", "&#xe9;", "😀", "&#10;", "&#13;", "&#9;", "7", `"`, "]]&gt;", "\u2028", "&#x85;"))
	}
	return b.String()
}
