package adapters

import "testing"

func TestMaskable(t *testing.T) {
	for contentType, want := range map[string]bool{"": true, "text/html; charset=utf-8": true, "application/json": true, "image/png": false,
		"image/svg+xml": true, "application/x-unheard-of": true, "Application/PDF": false, "text/event-stream": true} {
		if Maskable(contentType) != want {
			t.Errorf("%q: %v", contentType, !want)
		}
	}
}

func TestIsStream(t *testing.T) {
	for contentType, want := range map[string]bool{
		"": false, "text/html": false, "text/event-stream": true, "Text/Event-Stream; charset=utf-8": true, "multipart/x-mixed-replace; boundary=b": true,
		"application/x-ndjson": true, "application/jsonl": true, "application/json-seq": true, "application/stream+json": true,
		"application/grpc": true, "application/grpc+proto": true, "application/json": false,
	} {
		if got := isStream(contentType); got != want {
			t.Errorf("isStream(%q) = %v, want %v", contentType, got, want)
		}
	}

	a := small(func(s *Spec) { s.Login.Ended = []Condition{{Body: "id=login"}} })
	if a.EndedNeedsBody(200, []Field{{Name: "Content-Type", Value: "application/jsonl"}}) {
		t.Error("the beginning of a stream is waited for")
	}
}
