package adapters

import (
	"reflect"
	"strings"
	"testing"
)

const parentAdapter = `
name: parent
cookies: {hold: [p_hold], pass: [p_pass], share: [p_share], mask: [p_mask], person: [p_person]}
headers: {strip: [P-Strip], pass: [P-Pass]}
query: {strip: [p_strip], pass: [p_pass], semicolon: true}
login: {kind: basic}
actions: [{name: parent.read, match: {path: /p}}]
`

// loadExtending loads a file that extends parentAdapter.
func loadExtending(t *testing.T, extra string) *Adapter {
	t.Helper()
	own := "name: child\nextends: parent\n" + strings.Replace(hostsAndInterim, "HOST", "child.example", 1) + extra
	set, err := load([]Source{{Name: "child.yaml", Text: []byte(own)}}, []Source{{Name: "parent.yaml", Text: []byte(parentAdapter)}})
	if err != nil {
		t.Fatal(err)
	}
	return set.ByName("child")
}

func TestExtendsJoinsEveryListOfASection(t *testing.T) {
	got := loadExtending(t, `
cookies: {hold: [c_hold], pass: [c_pass], share: [c_share], mask: [c_mask], person: [c_person]}
headers: {strip: [C-Strip], pass: [C-Pass]}
query: {strip: [c_strip], pass: [c_pass]}
`).Spec()

	for name, pair := range map[string][2]any{
		"cookies": {got.Cookies, CookieSpec{Hold: []string{"c_hold", "p_hold"}, Pass: []string{"c_pass", "p_pass"}, Share: []string{"c_share", "p_share"},
			Mask: []string{"c_mask", "p_mask"}, Person: []string{"c_person", "p_person"}}},
		"headers": {got.Headers, HeaderSpec{Strip: []string{"C-Strip", "P-Strip"}, Pass: []string{"C-Pass", "P-Pass"}}},
		"query":   {got.Query, QuerySpec{Strip: []string{"c_strip", "p_strip"}, Pass: []string{"c_pass", "p_pass"}, Semicolon: true}},
	} {
		if !reflect.DeepEqual(pair[0], pair[1]) {
			t.Errorf("%s: joined to %+v, want %+v", name, pair[0], pair[1])
		}
	}
}

func TestExtendsLeavesAbsentListsAbsent(t *testing.T) {
	// cookies.mask that is absent means something else than an empty one.
	text := strings.Replace(parentAdapter, ", mask: [p_mask]", "", 1)
	own := "name: child\nextends: parent\n" + strings.Replace(hostsAndInterim, "HOST", "child.example", 1)
	set, err := load([]Source{{Name: "child.yaml", Text: []byte(own)}}, []Source{{Name: "parent.yaml", Text: []byte(text)}})
	if err != nil {
		t.Fatal(err)
	}
	if mask := set.ByName("child").Spec().Cookies.Mask; mask != nil {
		t.Errorf("cookies.mask is %#v, want nil", mask)
	}
}

func TestExtendsTriesOwnActionsFirst(t *testing.T) {
	a := loadExtending(t, "actions: [{name: child.read, match: {path: /c}}]\nlogin: {kind: bearer}\n")

	if kind := a.Spec().Login.Kind; kind != "bearer" {
		t.Errorf("login.kind is %q, want the file's own", kind)
	}
	var names []string
	for _, action := range a.Actions() {
		names = append(names, action.Name)
	}
	if got := strings.Join(names, " "); got != "child.read parent.read" {
		t.Errorf("actions %s, want the file's own before the inherited ones", got)
	}
}

func TestASharedCookieOfTheLibraryIsShared(t *testing.T) {
	a := loadExtending(t, "")
	s := sessionWith(a, "child.example", "/", "p_share=token; Path=/")

	fields := a.Shield(nil, maskerAt(s, "child.example", "/"), nil)
	if len(fields) != 1 || !strings.HasPrefix(fields[0].Value, "p_share=token;") {
		t.Errorf("the agent gets %v, want the inherited shared cookie", fields)
	}
}
