package adapters

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"
)

// ticketKind is a kind that the rest of the package does not know. It sends the secret's token to get a
// ticket, and puts the ticket into a header of every request.
type ticketKind struct{}

func (ticketKind) Check(d *draft) {
	if d.spec.Login.Header == "" {
		d.at("login", "header: X-Ticket", "login kind \"ticket\" needs header")
	}
}

func (ticketKind) Next(d *Dialogue, last *Reply) (*Step, error) {
	if last == nil {
		token, err := d.lookUpVariable("token")
		if err != nil {
			return nil, err
		}
		step := &Step{Method: "POST", Path: "/ticket"}
		step.setBody("text/plain", []byte(token))
		return step, nil
	}

	if last.Status != http.StatusOK {
		return nil, errors.New("the application gave no ticket")
	}
	d.keepValue("ticket", string(last.Body))
	return nil, d.addHeader(d.a.spec.Login.Header, "${ticket}")
}

// addKind registers a kind until the end of a test.
func addKind(t *testing.T, k loginKind) {
	t.Helper()
	registerKind(k)
	t.Cleanup(func() { delete(kinds, k.name) })
}

func TestANewLoginKindIsOneFile(t *testing.T) {
	addKind(t, loginKind{name: "ticket", summary: "a ticket", Kind: ticketKind{}})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var token [64]byte
		n, _ := r.Body.Read(token[:])
		if r.Method != "POST" || r.URL.Path != "/ticket" || string(token[:n]) != alice["token"] {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		fmt.Fprint(w, "ticket-number-1234")
	}))
	defer server.Close()

	a := loadLogin(t, "\n  kind: ticket\n  header: X-Ticket")
	d := a.Login(alice, firstRequest)
	if err := converse(t, d, server.URL); err != nil {
		t.Fatal(err)
	}

	r := Outgoing{Method: "GET", Host: "app.example", Path: "/", Now: time.Now()}
	m := a.Put(d.Session(), &r)
	if got := fmt.Sprint(r.Fields); got != "[{X-Ticket ticket-number-1234}]" {
		t.Errorf("put on %s, want the ticket in its header", got)
	}
	echo := []byte("your ticket-number-1234 for tok-123456789")
	m.InPlace(echo)
	if strings.Contains(string(echo), "1234") {
		t.Errorf("I1: the agent gets %s, want token and ticket masked", echo)
	}
}

func TestANewLoginKindIsChecked(t *testing.T) {
	addKind(t, loginKind{name: "ticket", summary: "a ticket", Kind: ticketKind{}})
	good := "name: a\n" + strings.Replace(hostsAndInterim, "HOST", "a.example", 1) + "actions: [{name: x, match: {path: /}}]\n"

	for login, want := range map[string]string{
		"login: {kind: ticket}\n": "a.yaml:5: login kind \"ticket\" needs header (header: X-Ticket)",
		"login: {kind: ticket, header: X-Ticket, json: {auth: \"${token}\"}}\n": "a.yaml:5: login.json goes with the kinds form, json, query, not with \"ticket\"",
		"login: {kind: tickets}\n": "a.yaml:5: unknown login.kind \"tickets\" (known: basic, bearer, digest, form, header, json, oauth2, query, ticket)",
	} {
		_, err := Load([]Source{{Name: "a.yaml", Text: []byte(good + login)}})
		if err == nil || err.Error() != want {
			t.Errorf("%s: got  %v\nwant %s", login, err, want)
		}
	}
}

func TestEveryLoginKindIsRegisteredByItsFile(t *testing.T) {
	for _, name := range kindNames() {
		text, err := os.ReadFile("kind_" + name + ".go")
		if err != nil || !strings.Contains(string(text), `registerKind(loginKind{name: "`+name+`"`) {
			t.Errorf("login kind %q is not registered by kind_%s.go: %v", name, name, err)
		}
	}
}

func TestLoginKindsHaveDifferentNames(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a second kind of the same name is registered, want a panic")
		}
	}()
	registerKind(loginKind{name: "basic", Kind: ticketKind{}})
}
