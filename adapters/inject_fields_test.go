package adapters

import (
	"fmt"
	"testing"
)

func TestPutReplacesTheFieldsOfTheSession(t *testing.T) {
	a := small(nil)
	s := sessionWith(a, "app.example", "/", "x_session=held")
	s.headers = []Field{{Name: "Authorization", Value: "Bearer ours"}}
	s.pins = []pinned{{Name: "User-Agent", Value: "first"}, {Name: "Accept-Language", Absent: true}}
	in := []Field{
		{Name: "accept_language", Value: "de"}, {Name: "Accept", Value: "*/*"}, {Name: "USER-AGENT", Value: "later"},
		{Name: "Cookie", Value: "x=1"}, {Name: "authorization", Value: "theirs"},
	}

	out := a.putFields(in, s, []Cookie{{"x_session", "theirs"}, {"csrftoken", "t"}}, "app.example:8443", "/", true, noon)

	want := "[{Accept */*} {Authorization Bearer ours} {User-Agent first} {Cookie x_session=held; csrftoken=t}]"
	if got := fmt.Sprint(out); got != want {
		t.Errorf("put on %s, want %s", got, want)
	}
}
