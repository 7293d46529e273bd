package adapters

import (
	"fmt"
	"strings"
	"testing"
)

func BenchmarkClassify200(b *testing.B) {
	var y strings.Builder
	y.WriteString("name: b\n" + strings.Replace(hostsAndInterim, "HOST", "b.example", 1) + "login: {kind: basic}\nactions:\n")
	for i := range 200 {
		fmt.Fprintf(&y, "  - {name: a%d, match: {method: GET, path: \"/part%d/{id}\", query: {action: [view, \"\"]}}, resource: \"r/{id}\"}\n", i, i)
	}
	set, err := Load([]Source{{Name: "b.yaml", Text: []byte(y.String())}})
	if err != nil {
		b.Fatal(err)
	}
	a := set.ByName("b")
	b.ReportAllocs()
	for b.Loop() {
		if _, why := a.Classify(Query{Method: "GET", Path: "/part150/7", RawQuery: "action=view&x=1"}); why != nil {
			b.Fatal(why.Lines(true))
		}
	}
}

// BenchmarkClassifyBody is an edit of a page: a text of 4 KiB with a few fields that decide.
func BenchmarkClassifyBody(b *testing.B) {
	a := loadActions(b, "",
		`name: save, match: {method: POST, path: /form, form: {do: save, id: "{id}"}}, resource: "p/{id}"`,
		`name: call, match: {method: POST, path: /json, json: {method: save, params.id: "{id}"}}, resource: "p/{id}"`)
	text := strings.Repeat("the quick brown fox jumps over the lazy dog. ", 90)

	for _, c := range []struct{ name, path, ctype, body string }{
		{"form", "/form", formType, "do=save&id=7&token=0123456789abcdef&text=" + strings.ReplaceAll(text, " ", "+")},
		{"json", "/json", "application/json", `{"method":"save","params":{"id":7,"text":"` + text + `"},"id":1}`},
		{"multipart", "/form", "multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"do\"\r\n\r\nsave\r\n" +
			"--b\r\nContent-Disposition: form-data; name=\"id\"\r\n\r\n7\r\n" + multipartBody("text", text)},
	} {
		q := Query{Method: "POST", Path: c.path, ContentType: c.ctype, Body: []byte(c.body)}
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(c.body)))
			for b.Loop() {
				if _, why := a.Classify(q); why != nil {
					b.Fatal(why.Lines(true))
				}
			}
		})
	}
}
