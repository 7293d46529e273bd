package identity

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

var triage = Spec{Agent: "spiffe://acme.example/agent/triage", Sponsor: "alice@acme.example", Purpose: "INC-1234", TTL: "30m",
	Scope: []ScopeEntry{{Adapter: "mediawiki", Actions: []string{"page.read"}, Resources: []string{"page/Sandbox*"}}}}

func registry(t *testing.T) *Registry {
	t.Helper()
	r := NewRegistry(Config{})
	t.Cleanup(r.Close)
	return r
}

func create(t *testing.T, r *Registry, s Spec) (*Task, Token) {
	t.Helper()
	task, token, err := r.Create(s, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return task, token
}

func basic(id, token string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+token))
}

func TestI7OnlyTheRightTokenNamesATask(t *testing.T) {
	r := registry(t)
	task, token := create(t, r, triage)
	other, _ := create(t, r, triage)
	for _, c := range []struct {
		name, credentials string
		want              error
	}{
		{"basic", basic(task.ID(), token.Reveal()), nil},
		{"bearer", "Bearer " + token.Reveal(), nil},
		{"scheme in odd case", "bEARER  " + token.Reveal(), nil},
		{"nothing", "", ErrNoCredentials},
		{"another task's id", basic(other.ID(), token.Reveal()), ErrUnknown},
		{"no id", basic("", token.Reveal()), ErrUnknown},
		{"no token", basic(task.ID(), ""), ErrUnknown},
		{"empty bearer", "Bearer ", ErrUnknown},
		{"a letter more", "Bearer " + token.Reveal() + "x", ErrUnknown},
		{"not base64", "Basic %%%", ErrUnknown},
		{"no colon", "Basic " + base64.StdEncoding.EncodeToString([]byte(token.Reveal())), ErrUnknown},
		{"another scheme", "Digest " + token.Reveal(), ErrUnknown},
		{"the redacted form", "Bearer " + token.String(), ErrUnknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := r.Authenticate(c.credentials)
			if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
				t.Fatalf("error %v, want %v", err, c.want)
			}
			if c.want == nil && got != task {
				t.Fatalf("named %v, want %v", got, task.ID())
			}
		})
	}
}

func TestI7ZeroTokenOpensNothing(t *testing.T) {
	r := registry(t)
	create(t, r, triage)
	if _, err := r.Authenticate("Bearer " + Token{}.Reveal()); !errors.Is(err, ErrUnknown) {
		t.Fatalf("the zero token got %v", err)
	}
}

func TestI6EndingCutsTheContext(t *testing.T) {
	r := registry(t)
	task, token := create(t, r, triage)
	if _, first := r.End(task.ID(), "revoked"); !first {
		t.Fatal("the first End did not say so")
	}
	if _, again := r.End(task.ID(), "again"); again {
		t.Fatal("the second End claims to have been the first")
	}
	if cause := context.Cause(task.Context()); !errors.Is(cause, ErrEnded) {
		t.Fatalf("cause %v", cause)
	}
	if _, err := r.Authenticate("Bearer " + token.Reveal()); !errors.Is(err, ErrEnded) {
		t.Fatalf("an ended task authenticates: %v", err)
	}
	if _, why, ok := task.Ended(); !ok || why != "revoked" {
		t.Fatalf("ended %v because %q", ok, why)
	}
}

func TestI6ExpiryCutsTheContextAndIsTold(t *testing.T) {
	r := registry(t)
	short := triage
	short.TTL = "20ms"
	task, _ := create(t, r, short)
	if got := <-r.Expired(); got != task {
		t.Fatalf("told of %v", got.ID())
	}
	if err := task.Active(); !errors.Is(err, ErrExpired) || !errors.Is(err, ErrEnded) {
		t.Fatalf("active says %v", err)
	}
	if cause := context.Cause(task.Context()); !errors.Is(cause, ErrExpired) {
		t.Fatalf("cause %v", cause)
	}
}

func TestRestoreKeepsWhatATaskWas(t *testing.T) {
	before := registry(t)
	alive, token := create(t, before, triage)
	dead, _ := create(t, before, triage)
	before.End(dead.ID(), "done")

	after := registry(t)
	for _, d := range [][]byte{alive.Doc(), dead.Doc()} {
		if _, err := after.Restore(d); err != nil {
			t.Fatal(err)
		}
	}
	got, err := after.Authenticate(basic(alive.ID(), token.Reveal()))
	if err != nil {
		t.Fatal(err)
	}
	if got.Principal() != alive.Principal() || !got.Expires().Equal(alive.Expires()) {
		t.Fatalf("restored %+v until %v", got.Principal(), got.Expires())
	}
	if _, why, over := after.Find(dead.ID()).Ended(); !over || why != "done" {
		t.Fatalf("the ended task came back %v, %q", over, why)
	}
	for _, damaged := range []string{"", "{}", `{"id":"t_x","token_sha256":"00"}`, string(alive.Doc()[1:])} {
		if _, err := after.Restore([]byte(damaged)); err == nil {
			t.Errorf("restored %q", damaged)
		}
	}
}

func TestSpecProblemsComeAllAtOnce(t *testing.T) {
	_, _, err := registry(t).Create(Spec{Agent: "a\nb", TTL: "25h", Scope: []ScopeEntry{{Adapter: "wiki"}}}, time.Now())
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{"agent: holds a control character", "sponsor: is missing", "purpose: is missing", "ttl: \"25h\"", "scope[0].actions: is empty"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in:\n%v", want, err)
		}
	}
}

func TestGrantIsAboutWhatWasApprovedAlone(t *testing.T) {
	same := triage
	same.TTL = "1h"
	wider := triage
	wider.Scope = []ScopeEntry{{Adapter: "mediawiki", Actions: []string{"page.*"}}}
	if triage.Grant() != same.Grant() || triage.Grant() == wider.Grant() {
		t.Fatal("the digest does not follow the approval")
	}
	const want = "sha256:"
	if !strings.HasPrefix(triage.Grant(), want) || len(triage.Grant()) != len(want)+64 {
		t.Fatalf("grant %q", triage.Grant())
	}
}

func TestI1TokensNeverPrint(t *testing.T) {
	_, token := create(t, registry(t), triage)
	asJSON, err := json.Marshal(map[string]any{"token": token, "list": []Token{token}})
	if err != nil {
		t.Fatal(err)
	}
	out := string(asJSON)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%T"} {
		out += fmt.Sprintf(verb, token) + fmt.Sprintf(verb, &token) + fmt.Sprintf(verb, struct{ T Token }{token})
	}
	if strings.Contains(out, token.Reveal()[4:]) {
		t.Fatalf("the token is in %s", out)
	}
}

func TestI1StoredTasksHoldNoToken(t *testing.T) {
	task, token := create(t, registry(t), triage)
	if strings.Contains(string(task.Doc()), token.Reveal()[4:]) {
		t.Fatal("the token is in the stored document")
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
		if task, err := r.Authenticate(credentials); err == nil && !strings.Contains(credentials, token.Reveal()) {
			t.Fatalf("%q named %s", credentials, task.ID())
		}
	})
}
