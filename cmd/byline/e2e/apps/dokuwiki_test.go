package apps

import (
	"html"
	"net/url"
	"strings"
	"testing"
)

func TestDokuWiki(t *testing.T) {
	skipIfShort(t)
	a := StartDokuWiki(t, "https://pages.acme.test")
	cookies := checkLogin(t, a, a.AddUser("Bob", "bob-of-the-pages-1"))

	_, page := sendThroughRecorder(t, a, cookies, "GET", "/doku.php?id=sandbox&do=edit", nil)
	_, form, _ := strings.Cut(page, `id="dw__editform"`)
	status, page := sendThroughRecorder(t, a, cookies, "POST", "/doku.php?id=sandbox&do=edit", url.Values{
		"sectok": {html.UnescapeString(formField(form, "sectok"))}, "changecheck": {formField(form, "changecheck")},
		"id": {"sandbox"}, "rev": {"0"}, "date": {""}, "prefix": {"."}, "suffix": {""},
		"wikitext": {"hello"}, "summary": {"first words"}, "do[save]": {"1"},
	})
	if status != 302 {
		t.Fatalf("edit a page: status %d, want 302:\n%.2000s", status, page)
	}
	if _, page := sendThroughRecorder(t, a, nil, "GET", "/doku.php?id=sandbox", nil); strings.Contains(page, "hello") {
		t.Error("the page is shown without a login")
	}

	checkApp(t, a, cookies, "sandbox", "first words", func() bool {
		_, page := sendThroughRecorder(t, a, cookies, "GET", "/doku.php?id=sandbox", nil)
		return strings.Contains(page, "hello")
	})
}
