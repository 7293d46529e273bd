package adapters

import "testing"

// Held cookies whose values are words, paths or zones are in every page.
func TestPlainHeldCookiesAreNotMasked(t *testing.T) {
	a := small(func(s *Spec) { s.Cookies = CookieSpec{} })
	s := &Session{sessionState: &sessionState{}}
	var set []Field
	for name, value := range map[string]string{
		"lastpage": "/p/list", "back": "%2Fprojects%2Fdefault%2Fsettings", "tz": "Europe/Berlin", "view": "dashboard", "seen": "2026-11-30",
		"session_id": "agent-dashboard", "device": "q7Xw93kdZp40mVt6",
	} {
		set = append(set, Field{Name: "Set-Cookie", Value: name + "=" + value + "; Path=/"})
	}
	a.Shield(nil, maskerAt(s, "app.example", "/"), set)

	const page = "/p/list /projects/default/settings Europe/Berlin dashboard 2026-11-30 "
	m := maskerAt(s, "app.example", "/")
	if got := m.Text(page + "agent-dashboard q7Xw93kdZp40mVt6"); got != page+"*************** ****************" {
		t.Errorf("masked to %q", got)
	}
	if starred := s.TakeStarred(); len(starred) != 2 {
		t.Errorf("TakeStarred returned %q, want the cookies session_id and device", starred)
	}
}
