package identity

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"
)

func basic(id, token string) Evidence {
	return Evidence{ProxyAuthorization: "Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+token))}
}

func bearer(token Token) Evidence {
	return Evidence{ProxyAuthorization: "Bearer " + token.Reveal()}
}

func TestTokenSourceContract(t *testing.T) {
	testSource(t, sourceContract{
		open:  func(r *Registry) Source { return tokenSource{r} },
		prove: func(_ *Task, token Token) Evidence { return bearer(token) },
		forged: []Evidence{
			bearer(newToken()),
			basic("t_x", newToken().Reveal()),
		},
		foreign: []Evidence{
			{ProxyAuthorization: "Negotiate YII="},
			{ProxyAuthorization: "Bearer eyJhbGciOiJFUzI1NiJ9.e30.c2ln"},
			{ProxyAuthorization: "Basic %%%"},
			{RemoteAddr: "192.0.2.1:4711"},
		},
	})
}

func TestI7OnlyTheRightTokenNamesATask(t *testing.T) {
	r := newTestRegistry(t)
	task, token := createTask(t, r, triage)
	other, _ := createTask(t, r, triage)

	for _, c := range []struct {
		name     string
		evidence Evidence
		want     error
	}{
		{"basic", basic(task.ID(), token.Reveal()), nil},
		{"bearer", bearer(token), nil},
		{"scheme in odd case", Evidence{ProxyAuthorization: "bEARER  " + token.Reveal()}, nil},
		{"nothing", Evidence{}, ErrNoCredentials},
		{"white space", Evidence{ProxyAuthorization: " "}, ErrNoCredentials},
		{"another task's id", basic(other.ID(), token.Reveal()), ErrUnknown},
		{"no id", basic("", token.Reveal()), ErrUnknown},
		{"no token", basic(task.ID(), ""), ErrUnknown},
		{"empty bearer", Evidence{ProxyAuthorization: "Bearer "}, ErrUnknown},
		{"one more letter", Evidence{ProxyAuthorization: "Bearer " + token.Reveal() + "x"}, ErrUnknown},
		{"not base64", Evidence{ProxyAuthorization: "Basic %%%"}, ErrUnknown},
		{"no colon", Evidence{ProxyAuthorization: "Basic " + base64.StdEncoding.EncodeToString([]byte(token.Reveal()))}, ErrUnknown},
		{"another scheme", Evidence{ProxyAuthorization: "Digest " + token.Reveal()}, ErrUnknown},
		{"the redacted form", Evidence{ProxyAuthorization: "Bearer " + token.String()}, ErrUnknown},
		{"the zero token", bearer(Token{}), ErrUnknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, _, err := r.Authenticate(t.Context(), c.evidence)
			if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
				t.Fatalf("%q: error %v, want %v", c.evidence.ProxyAuthorization, err, c.want)
			}
			if c.want == nil && got != task {
				t.Fatalf("%q: task %v, want %v", c.evidence.ProxyAuthorization, got.ID(), task.ID())
			}
		})
	}
}

func FuzzAuthenticate(f *testing.F) {
	r := NewRegistry(Config{})
	defer r.Close()
	_, token, err := r.Create(triage, time.Now())
	if err != nil {
		f.Fatal(err)
	}

	f.Add("Basic dDp4")
	f.Add("Bearer x")
	f.Add("\x00 \xff")
	f.Fuzz(func(t *testing.T, credentials string) {
		task, _, err := r.Authenticate(t.Context(), Evidence{ProxyAuthorization: credentials})
		if err == nil && !strings.Contains(credentials, token.Reveal()) {
			t.Fatalf("%q named task %s", credentials, task.ID())
		}
	})
}
