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
	if got, want := fmt.Sprint(cookies), `[{csrftoken a} {ui_x "q"} {ui_ok }]`; got != want {
		t.Errorf("passed %s, want %s", got, want)
	}
	if len(removed) != 11 {
		t.Errorf("removed %d cookies, want 11: %v", len(removed), removed)
	}
}

func TestI2PassNeverBeatsHold(t *testing.T) {
	a := small(func(s *Spec) { s.Cookies.Pass = []string{"*"} })

	_, cookies, _ := a.Strip(nil, []Field{{Name: "Cookie", Value: "a_session=1; A_Session=2; a.session=3; a%5fsession=4; $a=5; b=6"}})

	if got := fmt.Sprint(cookies); got != "[{b 6}]" {
		t.Errorf("passed %s, want b alone", got)
	}
}
