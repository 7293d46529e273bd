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

// sessionWith returns a session after answers to requests for path with these Set-Cookie fields.
func sessionWith(a *Adapter, host, path string, setCookies ...string) *Session {
	s := &Session{sessionState: &sessionState{scheme: "https", authority: host}}
	for _, value := range setCookies {
		a.keepCookies(s, []Field{{Name: "Set-Cookie", Value: value}}, host, path, noon)
	}
	return s
}

// maskerAt returns the Masker of an exchange that begins now.
func maskerAt(s *Session, host, path string) Masker {
	return s.masker(&Outgoing{Host: host, Path: path, Now: noon})
}

func TestI1ShieldAndRotation(t *testing.T) {
	a := small(nil)
	s := sessionWith(a, "app.example", "/", "x_session=first-value")
	if _, err := s.Marshal(); err != nil || s.Changed() {
		t.Fatalf("after Marshal: changed %v, %v, want no change", s.Changed(), err)
	}

	out := a.Shield(nil, maskerAt(s, "app.example", "/"), []Field{
		{Name: "Set-Cookie", Value: "x_session=second-value; HttpOnly"},
		{Name: "set-cookie", Value: "csrftoken=c; path=/; HttpOnly; samesite=Lax"},
		{Name: "Set-Cookie", Value: "unnamed=z"},
		{Name: "Alt-Svc", Value: "h3"},
		{Name: "X-Auth-Token", Value: "t"},
		{Name: "X-CSRF-Token", Value: "echo"},
		{Name: "Location", Value: "/?s=first-value&t=second-value"},
		{Name: "ETag", Value: "e"},
	})

	want := "[{Set-Cookie csrftoken=c; Path=/; HttpOnly; SameSite=Lax} {X-CSRF-Token echo} {Location /?s=***********&t=************} {ETag e}]"
	if got := fmt.Sprint(out); got != want {
		t.Errorf("the agent gets %s, want %s", got, want)
	}
	if !s.Changed() {
		t.Error("the session has not changed, although the application replaced a cookie")
	}
	body := []byte("first-value second-value")
	s.Mask().InPlace(body)
	if string(body) != "*********** ************" {
		t.Errorf("masked %s, want the old and the new value masked", body)
	}
}

func TestI1ARestoredSessionMasksReplacedValues(t *testing.T) {
	a := small(nil)
	s := sessionWith(a, "app.example", "/", "x_session=first-value", "x_session=second-value", "unnamed=z")
	text, err := s.Marshal()
	if err != nil {
		t.Fatal(err)
	}

	restored, err := a.Restore(text)
	if err != nil {
		t.Fatal(err)
	}

	if restored.Changed() {
		t.Error("a restored session has changed")
	}
	if got, want := cookie.HeaderValue(restored.jar.Cookies(), nil, "app.example", "/", true, noon), "x_session=second-value; unnamed=z"; got != want {
		t.Errorf("the restored session sends %q, want %q", got, want)
	}
	body := []byte("first-value")
	restored.Mask().InPlace(body)
	if string(body) != "***********" {
		t.Errorf("masked %s, want the replaced value masked", body)
	}
}

func TestI1RestoreErrorsHoldNothingOfTheSession(t *testing.T) {
	for _, text := range []string{"", "{}", `{"v":2}`, "nonsense second-value"} {
		_, err := small(nil).Restore([]byte(text))
		if err == nil || strings.Contains(err.Error(), "second-value") {
			t.Errorf("%q: %v, want an error without the text", text, err)
		}
	}
}

func TestASessionIsSafeForConcurrentUse(t *testing.T) {
	a := small(nil)
	s := sessionWith(a, "app.example", "/", "x_session=first-value")
	var wait sync.WaitGroup
	for i := range 8 {
		wait.Go(func() {
			for j := range 50 {
				field := Field{Name: "Set-Cookie", Value: fmt.Sprintf("x%d=value-%d-%d", i, i, j)}
				a.Shield(nil, maskerAt(s, "app.example", "/"), []Field{field})
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
		t.Errorf("the jar has %d cookies, want 9", n)
	}
}
