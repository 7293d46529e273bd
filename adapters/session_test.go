package adapters

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/byline-proxy/byline/adapters/internal/cookie"
)

var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

func sessionWith(a *Adapter, host, path string, set ...string) *Session {
	s := &Session{sessionState: &sessionState{scheme: "https", authority: host}}
	for _, c := range set {
		a.keepCookies(s, []Field{{Name: "Set-Cookie", Value: c}}, host, path, noon)
	}
	return s
}

// maskerAt is the Masker of an exchange that begins now.
func maskerAt(s *Session, host, path string) Masker {
	return s.masker(&Outgoing{Host: host, Path: path, Now: noon})
}

func TestInject(t *testing.T) {
	a := small(nil)
	s := sessionWith(a, "app.example", "/", "x_session=held")
	s.headers = []Field{{Name: "Authorization", Value: "Bearer ours"}}
	s.pins = []pinned{{Name: "User-Agent", Value: "first"}, {Name: "Accept-Language", Absent: true}}
	in := []Field{{Name: "accept_language", Value: "de"}, {Name: "Accept", Value: "*/*"}, {Name: "USER-AGENT", Value: "later"}, {Name: "Cookie", Value: "x=1"}, {Name: "authorization", Value: "theirs"}}
	out := a.putFields(in, s, []Cookie{{"x_session", "theirs"}, {"csrftoken", "t"}}, "app.example:8443", "/", true, noon)
	if got := fmt.Sprint(out); got != "[{Accept */*} {Authorization Bearer ours} {User-Agent first} {Cookie x_session=held; csrftoken=t}]" {
		t.Error(got)
	}
}

func TestI1ShieldAndRotation(t *testing.T) {
	a := small(nil)
	s := sessionWith(a, "app.example", "/", "x_session=first-value")
	if _, err := s.Marshal(); err != nil || s.Changed() {
		t.Fatal("Marshal does not clear Changed", err)
	}
	out := a.Shield(nil, maskerAt(s, "app.example", "/"), []Field{{Name: "Set-Cookie", Value: "x_session=second-value; HttpOnly"}, {Name: "set-cookie", Value: "csrftoken=c; path=/; HttpOnly; samesite=Lax"},
		{Name: "Set-Cookie", Value: "unnamed=z"}, {Name: "Alt-Svc", Value: "h3"}, {Name: "X-Auth-Token", Value: "t"}, {Name: "X-CSRF-Token", Value: "echo"},
		{Name: "Location", Value: "/?s=first-value&t=second-value"}, {Name: "ETag", Value: "e"}})
	if got := fmt.Sprint(out); got != "[{Set-Cookie csrftoken=c; Path=/; HttpOnly; SameSite=Lax} {X-CSRF-Token echo} {Location /?s=***********&t=************} {ETag e}]" {
		t.Error(got)
	}
	if !s.Changed() {
		t.Error("a rotated cookie is no change")
	}
	body := []byte("first-value second-value")
	if s.Mask().InPlace(body); string(body) != "*********** ************" {
		t.Errorf("%s", body)
	}
	text, err := s.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	again, err := a.Restore(text)
	if err != nil || again.Changed() {
		t.Fatal("restored", err)
	}
	if got := cookie.HeaderValue(again.jar.Cookies(), nil, "app.example", "/", true, noon); got != "x_session=second-value; unnamed=z" {
		t.Errorf("restored %q", got)
	}
	body = []byte("first-value")
	if again.Mask().InPlace(body); string(body) != "***********" {
		t.Error("the replaced value is not masked after Restore")
	}
	for _, broken := range []string{"", "{}", `{"v":2}`, "nonsense second-value"} {
		if _, err := a.Restore([]byte(broken)); err == nil || strings.Contains(err.Error(), "second-value") {
			t.Errorf("%q: %v", broken, err)
		}
	}
}

func TestSessionConcurrent(t *testing.T) {
	a := small(nil)
	s := sessionWith(a, "app.example", "/", "x_session=first-value")
	var wait sync.WaitGroup
	for i := range 8 {
		wait.Go(func() {
			for j := range 50 {
				a.Shield(nil, maskerAt(s, "app.example", "/"), []Field{{Name: "Set-Cookie", Value: fmt.Sprintf("x%d=value-%d-%d", i, i, j)}})
				a.putFields(nil, s, nil, "app.example", "/", true, noon)
				s.Mask().InPlace([]byte("value-1-1"))
				if _, err := s.Marshal(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
	if n := len(s.jar.Cookies()); n != 9 {
		t.Errorf("%d cookies", n)
	}
}
