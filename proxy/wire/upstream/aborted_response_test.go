package upstream

import (
	"errors"
	"net/http"
	"testing"

	"github.com/byline-proxy/byline/proxy/wire"
)

func TestAnAbortedAnswerIsNotTakenForACancelledOne(t *testing.T) {
	for _, to := range []string{"http/1.1", "h2"} {
		_, target := origin(t, to, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
		target.Protocol = map[string]string{"http/1.1": "h1", "h2": "h2"}[to]
		_, err := newPool(t, wire.Config{}).RoundTrip(t.Context(), target, &wire.Request{Head: wire.Head{Method: "GET", Scheme: "https", Authority: "example.com", Path: "/"}})
		var e *wire.Error
		if !errors.As(err, &e) || e.Stage != "head" {
			t.Errorf("%s: %v", to, err)
		}
	}
}
