package adapters

import "testing"

func TestMaskable(t *testing.T) {
	for contentType, want := range map[string]bool{
		"": true, "text/html; charset=utf-8": true, "application/json": true, "text/event-stream": true,
		"image/svg+xml": true, "application/x-unheard-of": true,
		"image/png": false, "Application/PDF": false,
	} {
		if got := Maskable(contentType); got != want {
			t.Errorf("Maskable(%q) = %v, want %v", contentType, got, want)
		}
	}
}

func TestIsStream(t *testing.T) {
	for contentType, want := range map[string]bool{
		"": false, "text/html": false, "application/json": false,
		"text/event-stream": true, "Text/Event-Stream; charset=utf-8": true, "multipart/x-mixed-replace; boundary=b": true,
		"application/x-ndjson": true, "application/jsonl": true, "application/json-seq": true, "application/stream+json": true,
		"application/grpc": true, "application/grpc+proto": true,
	} {
		if got := isStream(contentType); got != want {
			t.Errorf("isStream(%q) = %v, want %v", contentType, got, want)
		}
	}
}

func TestEndedDoesNotWaitForAStream(t *testing.T) {
	a := small(func(s *Spec) { s.Login.Ended = []Condition{{Body: "id=login"}} })

	if a.EndedNeedsBody(200, []Field{{Name: "Content-Type", Value: "application/jsonl"}}) {
		t.Error("EndedNeedsBody is true for application/jsonl, whose start may take forever to arrive")
	}
}

func TestWhatLooksBinary(t *testing.T) {
	for _, c := range []struct {
		name, beginning string
		want            bool
	}{
		{"text", "<p>hello</p>", false},
		{"text in UTF-8", "<p>Zq7\"pä9vW€ 😀</p>", false},
		{"UTF-8 that is cut", "<p>\xc3", false},
		{"UTF-8 whose beginning is cut", "\xa49vW&k", false},
		{"a mark of byte order", "\ufeffname;value", false},
		{"nothing", "", false},
		{"text in Latin-1", "<p>p\xe49</p>", true},
		{"PNG", "\x89PNG\r\n\x1a\n", true},
		{"JPEG", "\xff\xd8\xff\xe0", true},
		{"PDF with the usual comment", "%PDF-1.4\n%\xe2\xe3\xcf\xd3\n", true},
		{"ZIP", "PK\x03\x04", true},
		{"DEL", "a\x7f", true},
	} {
		if got := LooksBinary([]byte(c.beginning)); got != c.want {
			t.Errorf("%s, %q: looks binary: %v, want %v", c.name, c.beginning, got, c.want)
		}
	}
}
