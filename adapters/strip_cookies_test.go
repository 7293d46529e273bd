package adapters

import (
	"fmt"
	"testing"
)

func TestI2StripCookies(t *testing.T) {
	a := small(nil)
	in := []Field{
		{Name: "Cookie", Value: "csrftoken=a; wiki_session=b;ui_x=\"q\"; other=1;;  ui_y = 2; ui_z=a b"},
		{Name: "cOOKIE", Value: "csrftoken=c, wiki_session=d; UI_SESSION=e; ui_session=f; ui.session=g; $ui_a=1; =x; ui_%73=2; ui_ok="},
	}

	out, cookies, removed := a.Strip(nil, in)

	if len(out) != 0 {
		t.Errorf("went on as it is: %v, want no Cookie field", out)
	}
	if got, want := fmt.Sprint(cookies), `[{csrftoken a} {ui_x "q"} {ui_z a b} {ui_ok }]`; got != want {
		t.Errorf("passed %s, want %s", got, want)
	}
	if len(removed) != 10 {
		t.Errorf("removed %d cookies, want 10: %v", len(removed), removed)
	}
}

// TestCookieValuesPassAsBrowsersSendThem: browsers send any text without control characters.
func TestCookieValuesPassAsBrowsersSendThem(t *testing.T) {
	a := small(func(s *Spec) { s.Cookies.Pass = []string{"ui_*"} })
	for _, value := range []string{
		`{"theme":"dark","n":1}`, "a b, c", `"quoted"`, `[1,2,3]`, "caf\u00e9", `{"a":"b=c","d":"e"}`, "a, ui_y=2", `C:\x`, `{"a":"say \"hi\""}`, "a=b", "x,=y", "a,b", "\u65e5\u672c", "50%", "a\tb",
	} {
		_, cookies, removed := a.Strip(nil, []Field{{Name: "Cookie", Value: "ui_x=" + value + "; ui_last=1"}})
		if got, want := fmt.Sprint(cookies), fmt.Sprint([]Cookie{{Name: "ui_x", Value: value}, {Name: "ui_last", Value: "1"}}); got != want || len(removed) != 0 {
			t.Errorf("%q: passed %s, removed %v, want %s", value, got, removed, want)
		}
	}
	for _, value := range []string{
		`"a`, `a"`, `"a\"`, "a, wiki_session=b", "a,wiki_session=b", "a, $Path=/", "a\x01b", "\xff", "a,\tother = 1", `"x, wiki_session=b"`,
	} {
		_, cookies, _ := a.Strip(nil, []Field{{Name: "Cookie", Value: "ui_x=" + value + "; ui_last=1"}})
		if got := fmt.Sprint(cookies); got != "[{ui_last 1}]" {
			t.Errorf("%q: passed %s, want ui_last alone", value, got)
		}
	}
}

func TestI2PassNeverBeatsHold(t *testing.T) {
	a := small(func(s *Spec) { s.Cookies.Pass = []string{"*"} })

	_, cookies, _ := a.Strip(nil, []Field{{Name: "Cookie", Value: "a_session=1; A_Session=2; a.session=3; a%5fsession=4; $a=5; b=6"}})

	if got := fmt.Sprint(cookies); got != "[{b 6}]" {
		t.Errorf("passed %s, want b alone", got)
	}
}
