package cookie

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// jarWith returns the jar after an answer of host to a request for path, with these Set-Cookie fields.
func jarWith(host, path string, fields ...string) *Jar {
	j := &Jar{}
	for _, field := range fields {
		store(j, host, path, field, noon)
	}
	return j
}

func store(j *Jar, host, path, field string, now time.Time) {
	set, ok := ParseSet(field)
	if !ok {
		return
	}
	if c, ok := set.At(host, path, now); ok {
		j.Put(c, now, isSID)
	}
}

func TestJar(t *testing.T) {
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
	} {
		j := jarWith("app.example.org", "/dir/page", c.set...)

		if got := HeaderValue(j.Cookies(), nil, "app.example.org", c.path, true, noon); got != c.want {
			t.Errorf("%s: sent %q, want %q", c.name, got, c.want)
		}
	}
}

func TestJarSendsByHostAndScheme(t *testing.T) {
	j := jarWith("app.example.org", "/", "only=1", "wide=2; Domain=example.org", "safe=3; Secure")

	if got := HeaderValue(j.Cookies(), nil, "other.example.org", "/", true, noon); got != "wide=2" {
		t.Errorf("another host gets %q, want only the cookie with a Domain", got)
	}
	if got := HeaderValue(j.Cookies(), nil, "app.example.org", "/", false, noon); got != "only=1; wide=2" {
		t.Errorf("without TLS: sent %q, want no Secure cookie", got)
	}
}

func TestHeaderValueNeverSendsAnAgentsCookieOfAHeldName(t *testing.T) {
	j := jarWith("app.example.org", "/", "s=held")

	if got := HeaderValue(j.Cookies(), []Pair{{Name: "s", Value: "theirs"}, {Name: "ui", Value: "1"}}, "app.example.org", "/", true, noon); got != "s=held; ui=1" {
		t.Errorf("sent %q, want the held value of s and the agent's ui", got)
	}
}

// TestJarModel compares the jar with a map by name and path.
func TestJarModel(t *testing.T) {
	type key struct{ name, path string }
	rapid.Check(t, func(t *rapid.T) {
		j := &Jar{}
		model := map[key]string{}
		for i := range rapid.IntRange(1, 30).Draw(t, "steps") {
			k := key{rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "name"), rapid.SampledFrom([]string{"/", "/x", "/x/y"}).Draw(t, "path")}
			value, gone := fmt.Sprint("v", i), rapid.Bool().Draw(t, "gone")
			field := fmt.Sprintf("%s=%s; Path=%s", k.name, value, k.path)
			model[k] = value
			if gone {
				field += "; Max-Age=0"
				delete(model, k)
			}
			store(j, "h", "/", field, noon)
		}

		path := rapid.SampledFrom([]string{"/", "/x", "/x/y/z", "/xy"}).Draw(t, "at")
		var want []string
		for k, v := range model {
			if k.path == "/" || path == k.path || strings.HasPrefix(path, k.path+"/") {
				want = append(want, k.name+"="+v)
			}
		}

		line := HeaderValue(j.Cookies(), nil, "h", path, true, noon)
		got := strings.FieldsFunc(line, func(r rune) bool { return r == ';' || r == ' ' })
		length := 99
		for _, c := range j.Cookies() {
			if len(c.Path) > length {
				t.Fatal("a shorter path comes before a longer one")
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

// isSID takes the cookie sid for the session.
func isSID(c Cookie) bool { return c.Name == "sid" }

// TestOtherCookiesNeverTakeThePlaceOfTheSession: an application sets far more cookies than a jar holds, on any path and
// before the session and after it.
func TestOtherCookiesNeverTakeThePlaceOfTheSession(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, path := range []string{"/", "/a/very/long/path/of/the/application"} {
		for _, others := range []string{"/", "/x/y/z"} {
			var j Jar
			put := func(name, path string, expires time.Time) {
				j.Put(Cookie{Name: name, Value: "v", Domain: "app.example", Path: path, Expires: expires}, now, isSID)
			}
			for i := range 150 {
				put(fmt.Sprintf("before%d", i), others, time.Time{})
			}
			put("sid", path, time.Time{})
			for i := range 500 {
				put(fmt.Sprintf("after%d", i), others, time.Time{})
			}
			list := j.Cookies()
			if len(list) != MaxCookies || !slices.ContainsFunc(list, isSID) || !slices.ContainsFunc(list, func(c Cookie) bool { return c.Name == "after499" }) {
				t.Errorf("session at %s, others at %s: %d cookies, with the session %v", path, others, len(list), slices.ContainsFunc(list, isSID))
			}
		}
	}

	var j Jar
	for i := range MaxCookies {
		j.Put(Cookie{Name: fmt.Sprintf("old%d", i), Value: "v", Domain: "app.example", Path: "/", Expires: now.Add(time.Minute)}, now, isSID)
	}
	j.Put(Cookie{Name: "new", Value: "v", Domain: "app.example", Path: "/"}, now.Add(time.Hour), isSID)
	if list := j.Cookies(); len(list) != 1 || list[0].Name != "new" {
		t.Errorf("after the others had expired the jar has %d cookies, want the new one alone", len(list))
	}
}
