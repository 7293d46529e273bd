package adapters

import "testing"

func TestEnded(t *testing.T) {
	a := small(func(s *Spec) {
		s.Login.Ended = []Condition{
			{Redirect: "*Special:UserLogin*"},
			{Deletes: "*UserID"},
			{Status: Ints{401}},
			{Status: Ints{200}, ContentType: "text/html", Body: "id=login"},
			{Status: Ints{200}, CSS: "form#signin"},
			{Status: Ints{403}, JSON: map[string]string{"error.code": "session_*"}},
			{Header: "X-Login-State: anonymous"},
		}
	})
	sets := func(cookies ...string) (fields []Field) {
		for _, c := range cookies {
			fields = append(fields, Field{Name: "Set-Cookie", Value: c})
		}
		return fields
	}
	html := []Field{{Name: "content-type", Value: "text/html; charset=utf-8"}}

	for _, c := range []struct {
		name         string
		status       int
		fields       []Field
		body         string
		needs, ended bool
	}{
		{"redirect to the login", 302, []Field{{Name: "location", Value: "/index.php?title=Special%3AUserLogin&x=1"}}, "", false, true},
		{"redirect elsewhere", 302, []Field{{Name: "Location", Value: "/home"}}, "", false, false},

		{"deleted by Max-Age", 200, sets("wikiUserID=deleted; expires=Thu, 01 Jan 1970 00:00:01 GMT; Max-Age=0; path=/"), "", true, true},
		{"deleted by an empty value", 200, sets("wikiUserID=; path=/"), "", true, true},
		{"set", 200, sets("wikiUserID=7; path=/"), "", true, false},
		{"deleted, then set", 200, sets("wikiUserID=deleted; Max-Age=0; path=/", "wikiUserID=7; path=/"), "", true, false},
		{"another cookie deleted", 200, sets("other=deleted; Max-Age=0; path=/"), "", true, false},

		{"status", 401, nil, "", false, true},
		{"text on a page", 200, html, "<form id=login>", true, true},
		{"another page", 200, html, "<p>", true, false},
		{"text, but not HTML", 200, nil, "<form id=login>", true, false},
		{"element on a page", 200, nil, "<form id=signin>", true, true},
		{"stream", 200, []Field{{Name: "Content-Type", Value: "text/event-stream"}}, "", false, false},

		{"JSON", 403, nil, `{"error": {"code": "session_gone"}}`, true, true},
		{"other JSON", 403, nil, `{"error": {"code": "forbidden"}}`, true, false},
		{"broken JSON", 403, nil, `{"error": {"code": "session_gone"}`, true, false},

		{"header", 204, []Field{{Name: "x-login-state", Value: "anonymous"}}, "", false, true},
	} {
		if got := a.EndedNeedsBody(c.status, c.fields); got != c.needs {
			t.Errorf("%s: EndedNeedsBody(%d, %v) = %v, want %v", c.name, c.status, c.fields, got, c.needs)
		}
		if got := a.Ended(c.status, c.fields, []byte(c.body)); got != c.ended {
			t.Errorf("%s: Ended(%d, %v, %q) = %v, want %v", c.name, c.status, c.fields, c.body, got, c.ended)
		}
	}
}
