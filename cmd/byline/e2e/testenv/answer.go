package testenv

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
)

// Answer is an answer that an agent has read to its end.
type Answer struct {
	Status int
	Header http.Header
	Body   string
	Code   string // of a refusal, else empty
	Record string // value of Byline-Record
	Err    error  // of the request, or of a body that was cut off
}

// readAnswer reads the body of resp and adds its trailers to tr, which may be
// nil if there are none.
func readAnswer(resp *http.Response, tr *transcript) Answer {
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	tr.addTrailers(resp)

	a := Answer{Status: resp.StatusCode, Header: resp.Header, Body: string(body), Record: resp.Header.Get("Byline-Record"), Err: err}
	if resp.Header.Get("Content-Type") == "application/problem+json" {
		var problem struct{ Code string }
		_ = json.Unmarshal(body, &problem) // Code stays empty if the body is not a problem document
		a.Code = problem.Code
	}
	return a
}

// Want fails the test unless the answer has that status and text in its body.
func (a Answer) Want(t testing.TB, status int, text string) Answer {
	t.Helper()
	if a.Err != nil || a.Status != status || !strings.Contains(a.Body, text) {
		t.Fatalf("got status %d, code %q, error %v; want status %d and %q in the body:\n%.3000s", a.Status, a.Code, a.Err, status, text, a.Body)
	}
	return a
}

// WantRefusal fails the test unless the answer is a refusal with that code that
// names its record.
func (a Answer) WantRefusal(t testing.TB, code string) Answer {
	t.Helper()
	if a.Err != nil || a.Code != code || a.Record == "" {
		t.Fatalf("got status %d, code %q, record %q, error %v; want a refusal with code %s and a record:\n%.1000s",
			a.Status, a.Code, a.Record, a.Err, code, a.Body)
	}
	return a
}
