package css

import "testing"

func TestSelectors(t *testing.T) {
	const page = `<div class=nav><input name=t value=1></div><main id=m><form><br><img><p>A <b>bold</b> &amp; word<input name="t" data-x="a]b" value=2></form></main><meta name=csrf content=3>`
	for selector, want := range map[string]string{"input[name=t]": "1", "#m input[name=t]": "2", "main form input": "2", `[data-x="a]b"]`: "2", ".nav input": "1",
		"div.nav#m": "", "form div input": "", "*#m [name^=t]": "2"} {
		if got, _, err := Select([]byte(page), selector, "value"); err != nil || got != want {
			t.Errorf("%s: %q %v", selector, got, err)
		}
	}
	if got, _, _ := Select([]byte(page), "main p b", ""); got != "bold" {
		t.Errorf("text %q", got)
	}
	for _, bad := range []string{"", "a > b", "[", "a:hover", "#", "a[=x]", ".a b,c"} {
		if _, _, err := Select([]byte(page), bad, ""); err == nil {
			t.Errorf("selector %q is accepted", bad)
		}
	}
}

func FuzzSelect(f *testing.F) {
	f.Add("<a b=c>", "a[b=c]")
	f.Add("<p></p></p>", `[a="]`)
	f.Fuzz(func(t *testing.T, page, selector string) {
		if v, found, err := Select([]byte(page), selector, ""); err != nil && (found || v != "") {
			t.Fatal("a value with an error")
		}
	})
}
