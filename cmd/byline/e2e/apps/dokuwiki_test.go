package apps

import (
	"html"
	"net/url"
	"strings"
	"testing"
)

func TestDokuWiki(t *testing.T) {
	slow(t)
	a := StartDokuWiki(t, "https://pages.acme.test")
	cookies := loginAs(t, a, a.AddUser("Bob", "bob-of-the-pages-1"))
	_, page := browse(t, a, cookies, "GET", "/doku.php?id=sandbox&do=edit", nil)
	_, form, _ := strings.Cut(page, `id="dw__editform"`)
	status, page := browse(t, a, cookies, "POST", "/doku.php?id=sandbox&do=edit", url.Values{"sectok": {html.UnescapeString(field(form, "sectok"))},
		"id": {"sandbox"}, "rev": {"0"}, "date": {""}, "prefix": {"."}, "suffix": {""}, "changecheck": {field(form, "changecheck")},
		"wikitext": {"hello"}, "summary": {"first words"}, "do[save]": {"1"}})
	if status != 302 {
		t.Fatalf("edit: %d %.2000s", status, page)
	}
	if _, page := browse(t, a, nil, "GET", "/doku.php?id=sandbox", nil); strings.Contains(page, "hello") {
		t.Error("a page is shown to anybody")
	}
	checkRecord(t, a, cookies, "sandbox", "first words", func() bool {
		_, page := browse(t, a, cookies, "GET", "/doku.php?id=sandbox", nil)
		return strings.Contains(page, "hello")
	})
}
