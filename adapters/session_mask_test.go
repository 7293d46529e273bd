package adapters

import (
	"fmt"
	"io"
	"strings"
	"testing"
)

// The application replaces cookies faster than any list of old ones is long,
// and repeats what it was sent: in the head, and in a body that goes on.
func TestI1ValuesThatWereSentStayMaskedHoweverOftenTheyAreReplaced(t *testing.T) {
	a := small(func(s *Spec) { s.Cookies.Hold = []string{"sid"} })
	s := &Session{sessionState: &sessionState{}}
	set := func(n int) []Field {
		return []Field{{Name: "Set-Cookie", Value: fmt.Sprintf("sid=session/number%%20%d; Path=/", n)}}
	}
	value := func(n int) string { return fmt.Sprintf("session/number %d session/number%%20%d ", n, n) }
	a.Shield(nil, maskerAt(s, "app.example", "/"), set(0))
	v := maskerAt(s, "app.example", "/")
	feed, body := io.Pipe()
	r := v.Reader(feed)
	for n := range 2 * maxRotated {
		a.Shield(nil, maskerAt(s, "app.example", "/"), set(n+1))
	}
	text := value(0) + value(2*maxRotated)
	if got := a.Shield(nil, v, []Field{{Name: "X-Echo", Value: text}})[0].Value; strings.Contains(got, "number") {
		t.Errorf("in the head: %s", got)
	}
	go func() {
		for _, piece := range []string{text[:9], text[9:]} {
			io.WriteString(body, piece)
		}
		a.Shield(nil, maskerAt(s, "app.example", "/"), set(1000))
		io.WriteString(body, "session/number%201000 "+text)
		body.Close()
	}()
	if got, err := io.ReadAll(r); err != nil || strings.Contains(string(got), "number") || len(got) != 2*len(text)+22 {
		t.Errorf("in the body: %s, %v", got, err)
	}
}

func BenchmarkRotate(b *testing.B) {
	a := small(func(s *Spec) { s.Cookies.Hold = []string{"sid"} })
	s := &Session{sessionState: &sessionState{}}
	b.ReportAllocs()
	for n := range b.N {
		a.Shield(nil, maskerAt(s, "app.example", "/"), []Field{{Name: "Set-Cookie", Value: fmt.Sprintf("sid=0123456789abcdef/0123456789%%20abcdef%d; Path=/", n)}})
	}
}
