package body

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// compareOriginals sends forms as the generator made them to the parsers, too. Many of
// those that this package understands are read differently then: the comparison with
// the canonical spelling is not vacuous.
func compareOriginals(t *testing.T, programs []program) {
	g := newGenerator(*seed + 3)
	var messages []message
	var all []*understood
	for len(messages) < 800 {
		m := g.message(true)
		if u, err := understand(m, FormOptions{}); err == nil && !u.canonical.isMultipart() || err == nil && len(u.parts) > 0 {
			messages, all = append(messages, m), append(all, u)
		}
	}

	differ := map[string]int{}
	for i, said := range askAll(t, programs, messages) {
		for reader, r := range said {
			if all[i].compare(reader, r) != "" {
				differ[reader]++
			}
		}
	}
	t.Logf("of %d original forms that were understood, this many were read otherwise: %v", len(messages), differ)
	total := 0
	for _, n := range differ {
		total += n
	}
	if total == 0 {
		t.Error("no parser reads any original otherwise: the comparison shows nothing")
	}
}

// hostileForm is a request that somebody sends who wants two readers to read two
// requests.
type hostileForm struct {
	name string
	message
}

func hostileForms() []hostileForm {
	const multipartB = "multipart/form-data; boundary=b"
	part := func(name string, parts ...string) hostileForm {
		return hostileForm{name, message{multipartB, "", []byte(formOf(parts...))}}
	}
	whole := func(name, contentType, body string) hostileForm {
		return hostileForm{name, message{contentType, "", []byte(body)}}
	}
	form := func(name, body string) hostileForm {
		return hostileForm{name, message{FormType, "", []byte(body)}}
	}
	aa := strings.ReplaceAll(formOf(disposition(`name="id"`), "7"), "--b", "--aa")
	bb := strings.ReplaceAll(formOf(disposition(`name="note"`), "1"), "--b", "--bb")

	return []hostileForm{
		// Shown by the applications' own logs.
		part("escaped quote in a name", disposition(`name="form-\"; name=form-0-id; x=\""`), "7"),
		part("escaped quote in another parameter", disposition(`name="body"; foo="\"; name=_popup; x=\""`), "1"),
		part("x-name", disposition(`x-name="id"; name="note"`), "7"),
		whole("xboundary", "multipart/form-data; xboundary=aa; boundary=bb", aa+bb),
		part("file name on a field", disposition(`name="id"; filename="x"`), "7"),
		{"UTF-7 in the type of a request with a query", message{FormType + "; charset=utf-7", "note=+ACY-id+AD0-7", nil}},
		whole("UTF-7 form", FormType+"; charset=utf-7", "note=%2BACY-id%2BAD0-7"),
		part("UTF-7 part", disposition(`name="note"`)+"\r\nContent-Type: text/plain; charset=utf-7", "+ACY-"),

		// Others of their kind.
		part("two names", disposition(`name="note"; name="id"`), "7"),
		part("name*", disposition(`name="note"; name*=utf-8''id`), "7"),
		part("name*0", disposition(`name="note"; name*0="id"`), "7"),
		part("single quotes", disposition(`name='id'`), "7"),
		part("single quotes around a semicolon", disposition(`name='a; name="id"'`), "7"),
		part("empty file name", disposition(`name="id"; filename=""`), "7"),
		part("empty file name with a type", disposition(`name="id"; filename=""`)+"\r\nContent-Type: application/octet-stream", "7"),
		part("bytes without a file name", disposition(`name="id"`)+"\r\nContent-Type: application/octet-stream", "7"),
		part("field with a type", disposition(`name="id"`)+"\r\nContent-Type: text/plain", "7"),
		part("file without a type", disposition(`name="id"; filename="x.txt"`), "7"),
		part("filename* alone", disposition(`name="id"; filename*=utf-8''x`), "7"),
		part("file name in a name", disposition(`name="id; filename=x"`), "7"),
		part("name in a file name", disposition(`name="note"; filename="x; name=id"`), "7"),
		part("quote as browsers escape it", disposition(`name="a%22b"`), "7"),
		part("line end as browsers escape it", disposition(`name="a%0Ab"`), "7"),
		part("white space before a name", disposition(`name=" id"`), "7"),
		part("Latin-1 in a name", disposition("name=\"\xfc\""), "1", disposition(`name="id"`), "7"),
		part("two dispositions", disposition(`name="note"`)+"\r\n"+disposition(`name="id"`), "7"),
		part("folded line", "Content-Disposition: form-data;\r\n name=\"id\"", "7"),
		part("folded line in another field", "X: y\r\n Content-Disposition: form-data; name=\"id\"\r\n"+disposition(`name="note"`), "7"),
		part("blank before the colon", `Content-Disposition : form-data; name="id"`, "7"),
		part("blanks around =", disposition(`name = "id"`), "7"),
		part("no disposition type", `Content-Disposition: name="id"`, "7"),
		part("attachment", `Content-Disposition: attachment; name="id"`, "7"),
		part("base64", disposition(`name="id"`)+"\r\nContent-Transfer-Encoding: base64", "Nw=="),
		part("quoted-printable", disposition(`name="id"`)+"\r\nContent-Transfer-Encoding: quoted-printable", "=37"),
		part("nested form", disposition(`name="a"`)+"\r\nContent-Type: multipart/mixed; boundary=c", "--c\r\n"+disposition(`name="id"`)+"\r\n\r\n7\r\n--c--"),
		part("urlencoded part", disposition(`name="a"`)+"\r\nContent-Type: application/x-www-form-urlencoded", "id=7"),
		part("charset field", disposition(`name="_charset_"`), "utf-16", disposition(`name="id"`), "7\x00"),
		part("LF in a head", "X: y\n"+disposition(`name="id"`), "7"),
		part("NUL in a name", disposition("name=\"id\x00x\""), "7"),
		whole("LF alone", multipartB, strings.ReplaceAll(formOf(disposition(`name="id"`), "7"), "\r\n", "\n")),
		whole("LF before a boundary", multipartB, "--b\r\n"+disposition(`name="note"`)+"\r\n\r\n1\n--b\r\n"+disposition(`name="id"`)+"\r\n\r\n7\r\n--b--\r\n"),
		whole("part in the preamble", multipartB, "x--b\r\n"+disposition(`name="id"`)+"\r\n\r\n7\r\n"+formOf(disposition(`name="note"`), "1")),
		whole("part in the epilogue", multipartB, formOf(disposition(`name="note"`), "1")+formOf(disposition(`name="id"`), "7")),
		whole("boundary that goes on", multipartB, "--b\r\n"+disposition(`name="note"`)+"\r\n\r\n1\r\n--bx\r\n"+disposition(`name="id"`)+"\r\n\r\n7\r\n--b--\r\n"),
		whole("blanks after a boundary", multipartB, "--b\r\n"+disposition(`name="note"`)+"\r\n\r\n1\r\n--b \r\n"+disposition(`name="id"`)+"\r\n\r\n7\r\n--b--\r\n"),
		whole("no final boundary", multipartB, strings.TrimSuffix(formOf(disposition(`name="id"`), "7"), "--b--\r\n")),
		whole("no line end before the first boundary", multipartB, "\r\n"+formOf(disposition(`name="id"`), "7")),
		whole("two boundaries", "multipart/form-data; boundary=aa; boundary=bb", aa+bb),
		whole("boundary in another parameter", `multipart/form-data; x="boundary=aa"; boundary=bb`, aa+bb),
		whole("boundary and a comma", "multipart/form-data; boundary=aa, boundary=bb", aa+bb),
		whole("extended boundary", "multipart/form-data; boundary*=utf-8''aa; boundary=bb", aa+bb),
		whole("escape in a boundary", `multipart/form-data; boundary="a\a"`, aa),
		whole("another type first", FormType+", multipart/form-data; boundary=b", formOf(disposition(`name="id"`), "7")),
		form("semicolon", "note=1;id=7"),
		form("lone percent", "id=%zz"),
		form("UTF-16 escape", "id=%u0037"),
		form("NUL in a name, urlencoded", "id%00x=7"),
		form("no name", "=7&id=1"),
		form("bracket first", "[id]=7"),
		form("overlong UTF-8", "id=%C0%B7"),
		form("twice", "id=1&id=7"),
		form("bare and with a value", "id&id=7"),
	}
}

// compareHostile prints with -v who reads what in hostile forms, and holds that the
// parsers do not agree about most of them, and do about what this package makes of them.
func compareHostile(t *testing.T, programs []program) {
	forms := hostileForms()
	messages := make([]message, len(forms))
	for i := range forms {
		messages[i] = forms[i].message
	}

	var canonical []message
	var all []*understood
	disputed, rewritten, alone := 0, 0, map[string]int{}
	for i, said := range askAll(t, programs, messages) {
		byReading := map[string][]string{}
		for _, reader := range slices.Sorted(maps.Keys(said)) {
			reading := describeReading(said[reader])
			byReading[reading] = append(byReading[reading], reader)
		}
		delete(byReading, "another type")

		u, err := understand(messages[i], FormOptions{})
		fate := "refused: " + string(KindOf(err))
		if err == nil {
			fate = "rewritten"
			canonical, all = append(canonical, u.canonical), append(all, u)
		}
		if len(byReading) > 1 {
			disputed++
			if err == nil {
				rewritten++
			}
		}
		table := ""
		for _, reading := range slices.Sorted(maps.Keys(byReading)) {
			table += fmt.Sprintf("\n    %-40s %s", reading, strings.Join(byReading[reading], ", "))
			if readers := byReading[reading]; len(readers) == 1 && len(byReading) > 1 {
				alone[readers[0]]++
			}
		}
		t.Logf("%s (%s)%s", forms[i].name, fate, table)
	}
	t.Logf("%d of %d are disputed, of which %d are rewritten; alone with their reading are %v", disputed, len(forms), rewritten, alone)
	if len(programs) >= 5 && (disputed < len(forms)*3/4 || rewritten < 5) {
		t.Errorf("only %d of %d hostile forms are read differently, %d of them rewritten", disputed, len(forms), rewritten)
	}

	for i, said := range askAll(t, programs, canonical) {
		for reader, r := range said {
			if difference := all[i].compare(reader, r); difference != "" {
				t.Errorf("%s reads another form\n%s\nin %.1500q", reader, difference, canonical[i].body)
			}
		}
	}
}

// describeReading is short, and the same for two readers that read the same.
func describeReading(r *reading) string {
	if r == nil || strings.Contains(r.Error, "not multipart") {
		return "another type"
	}
	if r.Error != "" {
		return "an error"
	}
	var texts []string
	for _, list := range []struct {
		kind    string
		entries []entry
	}{{"query", r.Query}, {"", r.Fields}, {"file", r.Files}} {
		for _, e := range list.entries {
			texts = append(texts, strings.TrimSpace(fmt.Sprintf("%s %.20q=%.20q", list.kind, e[0], e[len(e)-1])))
		}
	}
	if len(texts) == 0 {
		return "nothing"
	}
	slices.Sort(texts)
	return strings.Join(texts, " ")
}

// compareHostileTrees prints with -v who reads what in JSON and XML that is hostile or
// merely odd.
func compareHostileTrees(t *testing.T, programs []program) {
	const dtd = `<!DOCTYPE a [<!ENTITY x "7">]>`
	var messages []message
	for _, text := range []string{
		`{"id":1,"id":7}`, `{"id":1,"\u0069d":7}`, `{"id":"\ud800"}`, `{"id":NaN}`, `{"id":/**/7}`, "\ufeff{\"id\":7}", "{\"id\":\"\xff\"}", "{\"id\":\"\xc0\xb7\"}",
		`{"id":07}`, `{"id":7,}`, `{"id":"\u0000"}`, `{"\u0000id":7}`, `{"id":7}x`, `{'id':7}`, `{"id":123456789012345678901234567890}`, "{\"id\":\"a\tb\"}", strings.Repeat("[", 600) + strings.Repeat("]", 600),
	} {
		messages = append(messages, message{"application/json", "", []byte(text)})
	}
	for _, text := range []string{
		dtd + `<a>&x;</a>`, `<!DOCTYPE a [<!ATTLIST a id CDATA "7">]><a/>`, `<a>1<!-- -->2</a>`, `<a>1<?x?>2</a>`, `<a><![CDATA[7]]></a>`, `<?xml version="1.1"?><a>&#1;</a>`, `<?xml version="1.0" encoding="utf-7"?><a>+ADw-b/+AD4-</a>`,
		"<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><a>\xc3\xbc</a>", `<a id="1" id="7"/>`, `<a xmlns="u&amp;v"/>`, `<x:a/>`, "<a>\x0b</a>", "<a>\xc0\xbc</a>", `<a>&nbsp;</a>`, `<a/>7`, `<a b=7/>`, `<a:b:c xmlns:a="u"/>`,
	} {
		messages = append(messages, message{"application/xml", "", []byte(text)})
	}

	var canonical []message
	var all []*understood
	disputed := 0
	for i, said := range askAll(t, programs, messages) {
		byReading := map[string][]string{}
		for _, reader := range slices.Sorted(maps.Keys(said)) {
			reading := "an error"
			if r := said[reader]; r.Error == "" {
				reading = strings.ReplaceAll(fmt.Sprintf("%.60q", r.Tree), " ", "")
			}
			byReading[reading] = append(byReading[reading], reader)
		}
		if len(byReading) > 1 {
			disputed++
		}

		u, err := understand(messages[i], FormOptions{})
		fate := "refused: " + string(KindOf(err))
		if err == nil {
			fate = "rewritten"
			canonical, all = append(canonical, u.canonical), append(all, u)
		}
		table := ""
		for _, reading := range slices.Sorted(maps.Keys(byReading)) {
			table += fmt.Sprintf("\n    %-40s %s", reading, strings.Join(byReading[reading], ", "))
		}
		t.Logf("%.80q (%s)%s", messages[i].body, fate, table)
	}
	t.Logf("%d of %d are disputed", disputed, len(messages))
	if len(programs) >= 5 && disputed < len(messages)/3 {
		t.Errorf("only %d of %d hostile bodies are read differently", disputed, len(messages))
	}

	for i, said := range askAll(t, programs, canonical) {
		for reader, r := range said {
			if !all[i].isTree(r) {
				t.Errorf("%s reads %.500q, error %q in\n%.500s", reader, r.Tree, r.Error, canonical[i].body)
			}
		}
	}
}
