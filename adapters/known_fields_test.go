package adapters

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
)

// ownSecret is the value of a session cookie, so a secret that no agent may send.
const ownSecret = "9f1c27b4e0d85a63c1f7420b"

// TestI1KnownFieldsHideNoSecret sends heads that differ from the one before in a
// single field, which holds a secret: in each place, as name and as value, among more
// and longer fields than are kept, and in another order.
func TestI1KnownFieldsHideNoSecret(t *testing.T) {
	a := small(nil)
	s := sessionWith(a, "app.example", "/", "app_session="+ownSecret+"; Path=/")
	many := make([]Field, 0, 2*maxKnownFields)
	for i := range cap(many) {
		many = append(many, Field{Name: fmt.Sprintf("X-Field-%d", i), Value: strings.Repeat("v", 1+i%7)})
	}
	many[3].Value = strings.Repeat("long ", maxKnownField)

	for _, fields := range [][]Field{benchFields, benchFields[:1], many} {
		var known KnownFields
		if what, found := s.FindOwnInFields(&known, fields); found {
			t.Fatalf("%s was found in fields without a secret", what)
		}
		for i := range fields {
			for _, attack := range []Field{
				{Name: fields[i].Name, Value: ownSecret}, {Name: fields[i].Name, Value: fields[i].Value + ownSecret},
				{Name: ownSecret, Value: fields[i].Value}, {Name: fields[i].Name, Value: strings.ToUpper(ownSecret)},
			} {
				sent := append([]Field(nil), fields...)
				sent[i] = attack
				if _, found := s.FindOwnInFields(&known, sent); !found {
					t.Errorf("I1: field %d of %d: %.60q passed", i, len(fields), attack)
				}
				sent = append([]Field{attack}, fields...)
				if _, found := s.FindOwnInFields(&known, sent); !found {
					t.Errorf("I1: in front of %d fields: %.60q passed", len(fields), attack)
				}
			}
		}
	}
}

// TestI1KnownFieldsHoldForTheirSecretsAlone sends a field again after its value has
// become the session's, and in another session whose secret it is.
func TestI1KnownFieldsHoldForTheirSecretsAlone(t *testing.T) {
	const next = "77c0ffee19a2b3d4e5f60718"
	a := small(nil)
	s := sessionWith(a, "app.example", "/", "app_session="+ownSecret+"; Path=/")
	other := sessionWith(a, "app.example", "/", "app_session="+next+"; Path=/")
	fields := []Field{{Name: "Accept", Value: "text/html"}, {Name: "X-Guess", Value: next}}

	var known KnownFields
	for range 2 {
		if what, found := s.FindOwnInFields(&known, fields); found {
			t.Fatalf("%s was found before it was one", what)
		}
	}
	if _, found := other.FindOwnInFields(&known, fields); !found {
		t.Error("I1: the secret of another session passed because the first one did not have it")
	}
	a.keepCookies(s, []Field{{Name: "Set-Cookie", Value: "app_session=" + next + "; Path=/"}}, "app.example", "/", noon)
	if _, found := s.FindOwnInFields(&known, fields); !found {
		t.Error("I1: a value passed that has become the session's")
	}
}

// TestI1KnownFieldsOfAnswersHideNoSecret shows fields again after their value has become
// the session's, to exchanges that began before and after that, and fields that repeat
// the secret.
func TestI1KnownFieldsOfAnswersHideNoSecret(t *testing.T) {
	const next = "77c0ffee19a2b3d4e5f60718"
	a := small(nil)
	s := sessionWith(a, "app.example", "/", "app_session="+ownSecret+"; Path=/")
	check := func(m Masker, want string, fields ...Field) {
		t.Helper()
		for range 3 {
			if got := fmt.Sprint(a.Shield(nil, m, fields)); got != want {
				t.Errorf("I1: the agent got %s, want %s", got, want)
			}
		}
	}

	early := maskerAt(s, "app.example", "/")
	stars := strings.Repeat("*", len(ownSecret))
	check(early, "[{Server x} {X-A "+next+"}]", Field{Name: "Server", Value: "x"}, Field{Name: "X-A", Value: next})
	check(early, "[{Server x} {X-A "+stars+"}]", Field{Name: "Server", Value: "x"}, Field{Name: "X-A", Value: ownSecret})
	check(early, "[{Server x} {X-"+stars+" a}]", Field{Name: "Server", Value: "x"}, Field{Name: "X-" + ownSecret, Value: "a"})

	a.keepCookies(s, []Field{{Name: "Set-Cookie", Value: "app_session=" + next + "; Path=/"}}, "app.example", "/", noon)
	late := maskerAt(s, "app.example", "/")
	for _, m := range []Masker{late, early, late} {
		check(m, "[{Server x} {X-A "+stars+"}]", Field{Name: "Server", Value: "x"}, Field{Name: "X-A", Value: next})
		check(m, "[{Server x} {X-A "+stars+"}]", Field{Name: "Server", Value: "x"}, Field{Name: "X-A", Value: ownSecret})
	}
}

// TestKnownFieldsMayBeUsedConcurrently is for the race detector.
func TestKnownFieldsMayBeUsedConcurrently(t *testing.T) {
	s := sessionWith(small(nil), "app.example", "/", "app_session="+ownSecret+"; Path=/")
	var known KnownFields
	var wait sync.WaitGroup
	for worker := range 4 {
		wait.Go(func() {
			for i := range 200 {
				fields := []Field{{Name: "Accept", Value: "text/html"}, {Name: "X-Worker", Value: fmt.Sprint(worker, i/50)}}
				if what, found := s.FindOwnInFields(&known, fields); found {
					t.Errorf("%s was found", what)
				}
			}
		})
	}
	wait.Wait()
}

// BenchmarkFindOwnInFields measures fields that come again, and fields of which none
// does.
func BenchmarkFindOwnInFields(b *testing.B) {
	s := benchSession(small(nil))
	b.Run("known", func(b *testing.B) {
		var known KnownFields
		b.ReportAllocs()
		for b.Loop() {
			s.FindOwnInFields(&known, benchFields)
		}
	})
	b.Run("new", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var known KnownFields
			s.FindOwnInFields(&known, benchFields)
		}
	})
}

// TestI1NothingInATextMeansNothingInItsEnd checks what records rely on: if a mask leaves
// a path alone, it leaves every end of the path alone, such as the name of the resource.
func TestI1NothingInATextMeansNothingInItsEnd(t *testing.T) {
	s := sessionWith(small(nil), "app.example", "/", "app_session="+ownSecret+"; Path=/", "b_session=Tr0ub4dor&3-correct.horse; Path=/")
	m := s.Mask()
	random := rand.New(rand.NewPCG(1, 2))
	pieces := []string{"/", "page", "%", "%2", "%25", "\\u00", "&#", "&amp;", "=", "=\r\n", "0", "9f1c", "-", ".", " ", "é", "\xc3", "Tr0ub4dor", "VHIwdWI0ZG9yJjMt",
		ownSecret[:8], ownSecret[:13], ownSecret[12:], "Tr0ub4dor&3-corr", "%54r0ub", "3966316332376234"}
	for range 100_000 {
		var text string
		for range 1 + random.IntN(5) {
			text += pieces[random.IntN(len(pieces))]
		}
		if m.Text(text) != text {
			continue
		}
		for i := range text {
			if end := text[i:]; m.Text(end) != end {
				t.Fatalf("I1: %q is left as it is, its end %q becomes %q", text, end, m.Text(end))
			}
		}
	}
}
