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
