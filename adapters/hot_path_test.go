package adapters

import (
	"fmt"
	"strings"
	"testing"
)

var benchFields = []Field{{Name: "Accept", Value: "text/html"}, {Name: "Accept-Encoding", Value: "gzip"}, {Name: "Accept-Language", Value: "en"},
	{Name: "User-Agent", Value: "Mozilla/5.0"}, {Name: "Sec-Fetch-Site", Value: "same-origin"}, {Name: "X-Requested-With", Value: "XMLHttpRequest"},
	{Name: "Content-Type", Value: "application/json"}, {Name: "Referer", Value: "https://app.example/list?page=2"}}

func benchSession(a *Adapter) *Session {
	var set []string
	for i := range 4 {
		set = append(set, fmt.Sprintf("c%d_session=%032x; Path=/", i, 0x1e3779b97f4a7c15>>i))
	}
	s := sessionWith(a, "app.example", "/", set...)
	s.pins = []pinned{{Name: "User-Agent", Value: "Mozilla/5.0"}}
	return s
}

var benchAnswer = []Field{{Name: "Content-Type", Value: "text/html; charset=utf-8"}, {Name: "Date", Value: "Mon, 01 Jun 2026 12:00:00 GMT"},
	{Name: "Server", Value: "Apache"}, {Name: "Cache-Control", Value: "private, must-revalidate"}, {Name: "Vary", Value: "Accept-Encoding, Cookie"},
	{Name: "X-Content-Type-Options", Value: "nosniff"}}

// hotPath holds what runs on every request, with the allocations it may make.
func hotPath() []struct {
	name   string
	allocs float64
	run    func()
} {
	a := small(nil)
	s := benchSession(a)
	fields, answer := make([]Field, 0, 16), make([]Field, 0, 16)
	body := []byte(strings.Repeat("<p>The quick brown fox jumps over 0123456789abcdef dogs</p>\n", 18)[:1024])
	m := s.Mask()
	return []struct {
		name   string
		allocs float64
		run    func()
	}{
		{"Strip", 0, func() { a.Strip(fields, benchFields) }},
		{"StripQuery", 0, func() { a.StripQuery("title=Main_Page&action=view&oldid=12") }},
		{"Put", 1, func() {
			r := Outgoing{Method: "GET", Host: "app.example", Path: "/index.php", TLS: true, Fields: append(fields, benchFields[:4]...), Now: noon}
			a.Put(s, &r)
		}},
		{"Shield", 0, func() { a.Shield(answer, maskerAt(s, "app.example", "/"), benchAnswer) }},
		{"InPlace", 0, func() { m.InPlace(body) }},
	}
}

func TestHotPathAllocations(t *testing.T) {
	if raced {
		t.Skip("the race detector empties pools; make test also runs this test without it")
	}
	for _, step := range hotPath() {
		if got := testing.AllocsPerRun(100, step.run); got > step.allocs {
			t.Errorf("%s allocates %v times, not %v", step.name, got, step.allocs)
		}
	}
}

func BenchmarkHotPath(b *testing.B) {
	for _, step := range hotPath() {
		b.Run(step.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				step.run()
			}
		})
	}
}
