package adapters

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

func sessionWith(a *Adapter, host, path string, set ...string) *Session {
	s := &Session{&sessionState{scheme: "https", authority: host}}
	for _, c := range set {
		a.keepCookies(s, []Field{{Name: "Set-Cookie", Value: c}}, host, path, noon)
	}
	return s
}

func TestJar(t *testing.T) {
	a := small(nil)
	for _, c := range []struct {
		name string
		set  []string
		path string
		want string
	}{
		{"two paths, longer first", []string{"s=root; Path=/", "s=admin; Path=/admin"}, "/admin/x", "s=admin; s=root"},
		{"path boundary", []string{"s=1; Path=/admin"}, "/administrator", ""},
		{"default path", []string{"s=1"}, "/dir/other", "s=1"},
		{"default path elsewhere", []string{"s=1"}, "/", ""},
		{"deleted, then set", []string{"s=old; Path=/", "s=deleted; Path=/; Max-Age=0", "s=new; Path=/"}, "/", "s=new"},
		{"deleted by date", []string{"s=old; Path=/", "s=; Path=/; Expires=Thu, 01-Jan-1970 00:00:01 GMT"}, "/", ""},
		{"max-age wins", []string{"s=1; Path=/; Expires=Thu, 01-Jan-1970 00:00:01 GMT; Max-Age=60"}, "/", "s=1"},
		{"foreign domain", []string{"s=1; Path=/; Domain=evil.example"}, "/", ""},
		{"parent domain", []string{"s=1; Path=/; Domain=.example.org"}, "/", "s=1"},
		{"whole top level", []string{"s=1; Path=/; Domain=org"}, "/", ""},
		{"order of creation survives", []string{"a=1; Path=/", "b=2; Path=/", "a=3; Path=/"}, "/", "a=3; b=2"},
		{"passed ones are not kept", []string{"csrftoken=1; Path=/"}, "/", ""},
	} {
		s := sessionWith(a, "app.example.org", "/dir/page", c.set...)
		if got := cookieLine(s.jar.cookies(), nil, "app.example.org", c.path, true, noon); got != c.want {
			t.Errorf("%s: %q, not %q", c.name, got, c.want)
		}
	}
	s := sessionWith(a, "app.example.org", "/", "only=1", "wide=2; Domain=example.org", "safe=3; Secure")
	if got := cookieLine(s.jar.cookies(), nil, "other.example.org", "/", true, noon); got != "wide=2" {
		t.Errorf("another host gets %q", got)
	}
	if got := cookieLine(s.jar.cookies(), nil, "app.example.org", "/", false, noon); got != "only=1; wide=2" {
		t.Errorf("without TLS: %q", got)
	}
}

// The jar against a model: one map entry by name, domain and path, sorted when it is read.
func TestJarModel(t *testing.T) {
	type key struct{ name, path string }
	rapid.Check(t, func(t *rapid.T) {
		a := small(nil)
		s := &Session{&sessionState{}}
		model := map[key]string{}
		for i := range rapid.IntRange(1, 30).Draw(t, "steps") {
			k := key{rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "name"), rapid.SampledFrom([]string{"/", "/x", "/x/y"}).Draw(t, "path")}
			value, gone := fmt.Sprint("v", i), rapid.Bool().Draw(t, "gone")
			line := fmt.Sprintf("%s=%s; Path=%s", k.name, value, k.path)
			if model[k] = value; gone {
				line += "; Max-Age=0"
				delete(model, k)
			}
			a.keepCookies(s, []Field{{Name: "Set-Cookie", Value: line}}, "h", "/", noon)
		}
		path := rapid.SampledFrom([]string{"/", "/x", "/x/y/z", "/xy"}).Draw(t, "at")
		var want []string
		for k, v := range model {
			if k.path == "/" || path == k.path || strings.HasPrefix(path, k.path+"/") {
				want = append(want, k.name+"="+v)
			}
		}
		line := cookieLine(s.jar.cookies(), nil, "h", path, true, noon)
		got := strings.FieldsFunc(line, func(r rune) bool { return r == ';' || r == ' ' })
		length := 99
		for _, c := range s.jar.cookies() {
			if len(c.Path) > length {
				t.Fatal("a shorter path comes first")
			}
			length = len(c.Path)
		}
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Fatalf("sent %v, the model has %v", got, want)
		}
	})
}

func TestInject(t *testing.T) {
	a := small(nil)
	s := sessionWith(a, "app.example", "/", "x_session=held")
	s.headers = []Field{{Name: "Authorization", Value: "Bearer ours"}}
	s.pins = []pinned{{Name: "User-Agent", Value: "first"}, {Name: "Accept-Language", Absent: true}}
	in := []Field{{Name: "accept_language", Value: "de"}, {Name: "Accept", Value: "*/*"}, {Name: "USER-AGENT", Value: "later"}, {Name: "Cookie", Value: "x=1"}, {Name: "authorization", Value: "theirs"}}
	out := a.Inject(in, s, []Cookie{{"x_session", "theirs"}, {"csrftoken", "t"}}, "app.example:8443", "/", true, noon)
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
	out := a.Shield(nil, s.Veil(), []Field{{Name: "Set-Cookie", Value: "x_session=second-value; HttpOnly"}, {Name: "set-cookie", Value: "csrftoken=c; path=/; HttpOnly; samesite=Lax"},
		{Name: "Set-Cookie", Value: "unnamed=z"}, {Name: "Alt-Svc", Value: "h3"}, {Name: "X-Auth-Token", Value: "t"}, {Name: "X-CSRF-Token", Value: "echo"},
		{Name: "Location", Value: "/?s=first-value&t=second-value"}, {Name: "ETag", Value: "e"}}, "app.example", "/", noon)
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
	if got := cookieLine(again.jar.cookies(), nil, "app.example", "/", true, noon); got != "x_session=second-value; unnamed=z" {
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
				a.Shield(nil, s.Veil(), []Field{{Name: "Set-Cookie", Value: fmt.Sprintf("x%d=value-%d-%d", i, i, j)}}, "app.example", "/", noon)
				a.Inject(nil, s, nil, "app.example", "/", true, noon)
				s.Mask().InPlace([]byte("value-1-1"))
				if _, err := s.Marshal(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
	if n := len(s.jar.cookies()); n != 9 {
		t.Errorf("%d cookies", n)
	}
}
