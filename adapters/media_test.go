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
