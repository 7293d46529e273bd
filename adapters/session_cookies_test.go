package adapters

import (
	"fmt"
	"io"
	"strings"
	"testing"
)

// The application replaces cookies more often than the session remembers old values, and repeats what
// it was sent: in the head, and in a body that arrives in pieces.
func TestI1ValuesThatWereSentStayMaskedHoweverOftenTheyAreReplaced(t *testing.T) {
	a := small(func(s *Spec) { s.Cookies.Hold = []string{"sid"} })
	s := &Session{sessionState: &sessionState{}}
	setCookie := func(n int) {
		field := Field{Name: "Set-Cookie", Value: fmt.Sprintf("sid=session/number%%20%d; Path=/", n)}
		a.Shield(nil, maskerAt(s, "app.example", "/"), []Field{field})
	}
	echo := func(n int) string { return fmt.Sprintf("session/number %d session/number%%20%d ", n, n) }

	setCookie(0)
	m := maskerAt(s, "app.example", "/") // of an exchange that sends value 0
	feed, body := io.Pipe()
	r := m.Reader(feed)
	for n := range 2 * maxRotated {
		setCookie(n + 1)
	}

	text := echo(0) + echo(2*maxRotated)
	if got := a.Shield(nil, m, []Field{{Name: "X-Echo", Value: text}})[0].Value; strings.Contains(got, "number") {
		t.Errorf("the head has %s, want all values masked", got)
	}

	last := "session/number%201000 "
	go func() {
		io.WriteString(body, text[:9])
		io.WriteString(body, text[9:])
		setCookie(1000)
		io.WriteString(body, last+text)
		body.Close()
	}()
	got, err := io.ReadAll(r)
	if err != nil || strings.Contains(string(got), "number") || len(got) != len(text)+len(last)+len(text) {
		t.Errorf("the body is %s, %v, want all values masked and the length as it was", got, err)
	}
}

func BenchmarkRotate(b *testing.B) {
	a := small(func(s *Spec) { s.Cookies.Hold = []string{"sid"} })
	s := &Session{sessionState: &sessionState{}}
	b.ReportAllocs()
	for n := range b.N {
		field := Field{Name: "Set-Cookie", Value: fmt.Sprintf("sid=0123456789abcdef/0123456789%%20abcdef%d; Path=/", n)}
		a.Shield(nil, maskerAt(s, "app.example", "/"), []Field{field})
	}
}
