package adapters

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/byline-proxy/byline/adapters/internal/body"
)

// smallWithMembers returns an adapter whose sessions have members in JSON bodies, and a session of it.
func smallWithMembers(t testing.TB, members map[string]string, session ...Field) (*Adapter, *Session) {
	t.Helper()
	a := small(func(s *Spec) { s.Login.JSON = members })
	return a, &Session{sessionState: &sessionState{members: session}}
}

func TestI2ABorrowedSessionInTheBodyIsReplaced(t *testing.T) {
	auth := map[string]string{"auth": "${token}"}
	deep := map[string]string{"params.args.1": "${password}"}
	for _, c := range []struct {
		members      map[string]string
		ctype, body  string
		removed, out string
		refused      string // why the body is refused; "": it is not
	}{
		{auth, "application/json-rpc", `{"method":"a","auth":"alice's","id":1.0}`, "auth", `{"method":"a","auth":"ours","id":1.0}`, ""},
		{auth, "application/json", `{"method": "a"}`, "", `{"method":"a","auth":"ours"}`, ""},
		{auth, "application/json", `{}`, "", `{"auth":"ours"}`, ""},
		{auth, "application/json", `{"auth":null}`, "", `{"auth":"ours"}`, ""},
		{auth, "application/json", `{"auth":{"of":"alice"}}`, "auth", `{"auth":"ours"}`, ""},
		{auth, "application/json", `[{"id":1,"auth":"x"},{"id":2}]`, "auth", `[{"id":1,"auth":"ours"},{"id":2,"auth":"ours"}]`, ""},
		{auth, "application/json", `{"params":{"auth":"a page's own"},"n":12345678901234567890}`, "", `{"params":{"auth":"a page's own"},"n":12345678901234567890,"auth":"ours"}`, ""},
		{auth, "application/x-www-form-urlencoded", `auth=x`, "", `auth=x`, ""},
		{auth, "", ``, "", ``, ""},
		{deep, "application/json", `{"params":{"args":["db","alice's",{"<": 1}]}}`, "params.args.1", `{"params":{"args":["db","ours",{"<": 1}]}}`, ""},

		// There is not exactly one place for the session, however an application reads the body.
		{auth, "application/json", `{"auth":"x","auth":"y"}`, "", "", "twice"},
		{auth, "application/json", `{"auth":"x","Auth":"y"}`, "", "", "twice but for case"},
		{auth, "application/json", `{"AUTH":"x"}`, "", "", "another spelling"},
		{auth, "application/json", `[]`, "", "", "no call"},
		{auth, "application/json", `[1]`, "", "", "no object"},
		{auth, "application/json", `"auth"`, "", "", "no object"},
		{auth, "application/json", `{"auth":"x"`, "", "", "cut off"},
		{auth, "application/json", `{"auth":"x"} {}`, "", "", "two values"},
		{auth, "text/plain", `{"auth":"x"}`, "", "", "JSON under another type"},
		{auth, "", "\ufeff {\"auth\":\"x\"}", "", "", "JSON without a type"},
		{auth, "application/json", `{"\u0061uth":"x","auth":"y"}`, "", "", "twice, once escaped"},
		{deep, "application/json", `{"params":{"args":["db"]}}`, "", "", "no place"},
		{deep, "application/json", `{"method":"a"}`, "", "", "no parent"},
	} {
		a, s := smallWithMembers(t, c.members, Field{Name: slices.Sorted(maps.Keys(c.members))[0], Value: "ours"})

		removed, err := a.StripJSON(Query{Method: "POST", Path: "/rpc", ContentType: c.ctype, Body: []byte(c.body)})

		if (err != nil) != (c.refused != "") {
			t.Errorf("%s: %v, want it refused: %q", c.body, err, c.refused)
		}
		if err != nil {
			continue
		}
		var names []string
		for _, b := range removed {
			names = append(names, b.Name)
		}
		if got := strings.Join(names, " "); got != c.removed {
			t.Errorf("%s: removed %q, want %q", c.body, got, c.removed)
		}
		if out := string(putJSON([]byte(c.body), s)); out != c.out {
			t.Errorf("%s became %s, want %s", c.body, out, c.out)
		}
	}
}

func TestI2ABodyThatIsCutOffIsRefused(t *testing.T) {
	a, _ := smallWithMembers(t, map[string]string{"auth": "${token}"})

	if _, err := a.StripJSON(Query{ContentType: "application/json", Body: []byte(`{`), Truncated: true}); err == nil {
		t.Error("a body that is cut off is accepted: the rest may have another place for the session")
	}
}

func TestASessionInTheBodyIsStoredAndMasked(t *testing.T) {
	a := loadLogin(t, "\n  kind: query\n  json: {auth: \"${token}\"}")
	d := a.Login(alice, nil)
	if step, err := d.Next(nil); step != nil || err != nil {
		t.Fatal(step, err)
	}

	text, err := d.Session().Marshal()
	if err != nil {
		t.Fatal(err)
	}
	s, err := a.Restore(text)
	if err != nil {
		t.Fatal(err)
	}

	if out, want := string(putJSON([]byte(`{}`), s)), `{"auth":"tok-123456789"}`; out != want {
		t.Errorf("{} became %s, want %s", out, want)
	}
	echo := []byte("your token is tok-123456789")
	s.Mask().InPlace(echo)
	if strings.Contains(string(echo), "tok-") {
		t.Errorf("I1: the agent gets %s", echo)
	}
}

// FuzzPutJSON: a body that StripJSON accepts is JSON after putJSON and has the session's value.
func FuzzPutJSON(f *testing.F) {
	f.Add(`{"a":{"auth":1}}`, "auth")
	f.Add(`[{"params":["x"]}]`, "params.0")
	f.Add(`{"auth":"x","Auth":"y"}`, "auth")
	f.Fuzz(func(t *testing.T, text, pointer string) {
		if !utf8.ValidString(pointer) {
			return // checkMembers refuses it
		}
		a, s := smallWithMembers(t, map[string]string{pointer: "x"}, Field{Name: pointer, Value: "ours"})
		q := Query{ContentType: "application/json", Body: []byte(text)}
		if _, err := a.StripJSON(q); err != nil || text == "" {
			return
		}
		var doc body.JSON
		out := putJSON([]byte(text), s)
		if err := doc.Parse(out, body.JSONOptions{}); err != nil {
			t.Fatalf("%q became %q: %v", text, out, err)
		}
		v := doc.Root()
		if v.Kind() == body.JSONArray {
			v = v.Index(0)
		}
		if got := jsonAt(v, pointer); got.text != "ours" {
			t.Fatalf("%q became %q, which holds %q", text, out, got.text)
		}
	})
}
