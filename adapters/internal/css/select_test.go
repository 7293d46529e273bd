package css

import "testing"

func TestSelect(t *testing.T) {
	const page = `<div class=nav><input name=t value=1></div>` +
		`<main id=m><form><br><img><p>A <b>bold</b> &amp; word<input name="t" data-x="a]b" value=2></form></main>` +
		`<meta name=csrf content=3>`
	for _, c := range []struct{ selector, attr, want string }{
		{"input[name=t]", "value", "1"},
		{"#m input[name=t]", "value", "2"},
		{"main form input", "value", "2"},
		{`[data-x="a]b"]`, "value", "2"},
		{".nav input", "value", "1"},
		{"*#m [name^=t]", "value", "2"},
		{"[name$=srf]", "content", "3"},
		{"meta[name*=sr]", "CONTENT", "3"},
		{"main p b", "", "bold"},

		{"div.nav#m", "value", ""},
		{"form div input", "value", ""},
	} {
		got, found, err := Select([]byte(page), c.selector, c.attr)
		if err != nil || got != c.want || found != (c.want != "") {
			t.Errorf("Select(%q, %q) = %q, %v, %v, want %q", c.selector, c.attr, got, found, err, c.want)
		}
	}
}

func TestSelectRefusesOtherSelectors(t *testing.T) {
	for _, selector := range []string{"", "a > b", "[", "a:hover", "#", "a[=x]", ".a b,c", `[a="b]"`, "[a]b"} {
		if _, _, err := Select([]byte("<p>"), selector, ""); err == nil {
			t.Errorf("the selector %q is accepted", selector)
		}
	}
}

// FuzzSelect: no page and no selector make Select panic, and an error comes without a value.
func FuzzSelect(f *testing.F) {
	f.Add("<a b=c>", "a[b=c]")
	f.Add("<p></p></p>", `[a="]`)
	f.Fuzz(func(t *testing.T, page, selector string) {
		v, found, err := Select([]byte(page), selector, "")
		if err != nil && (found || v != "") {
			t.Fatalf("Select(%q, %q) = %q, %v, %v, want no value", page, selector, v, found, err)
		}
	})
}
