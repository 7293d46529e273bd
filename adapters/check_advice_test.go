package adapters

import (
	"os"
	"strings"
	"testing"
)

func TestAdviceOnWhatIsAllowedAndSeldomMeant(t *testing.T) {
	text := "name: a\nhosts: [a.example]\ninterim: {reason: r, owner: o, review_by: 2027-06-30}\n" + `upstream: {url: "http://10.0.0.7"}
cookies: {pass: ["*"]}
login:
  kind: form
  steps: [{post: /login, form: {p: "${password}"}}]
  success: {status: 200}
actions:
  - {name: all.read, match: {method: GET, path: "/**"}}
  - {name: any, match: {path: /x}}
  - {name: token.create, match: {method: POST, path: /profile/api-keys}}
  - {name: token.delete, privileged: true, match: {path: /profile/api-keys/x}}
  - {name: build.read, match: {method: GET, path: "/build/{project}-{id:digits}"}}
  - {name: log.read, match: {method: GET, path: "/log/{project}-{branch}"}}
`
	got := Advise([]Source{{Name: "a.yaml", Text: []byte(text)}})
	want := []string{"a.yaml:4: passwords", "a.yaml:5: every cookie", "a.yaml:7: the login does not say", "a.yaml:7: there is no identity", "a.yaml:7: there is no logout", "a.yaml:9: success is the status 200",
		"a.yaml:11: action \"all.read\" is every path", "a.yaml:12: action \"any\" is every method", "a.yaml:13: action \"token.create\" has \"api-key\"",
		"a.yaml:15: action \"build.read\": {project} takes as little", "a.yaml:16: action \"log.read\": {project} takes as little"}
	if len(got) != len(want) {
		t.Fatalf("%d pieces of advice, want %d:\n%v", len(got), len(want), got)
	}
	for i := range want {
		if !strings.HasPrefix(got[i].Error(), want[i]) {
			t.Errorf("%v\nwant %s…", got[i], want[i])
		}
	}
}

func TestNoAdviceOnWhatShips(t *testing.T) {
	var own []Source
	for _, src := range LibrarySources() {
		name := strings.TrimSuffix(strings.TrimPrefix(src.Name, "library/"), ".yaml")
		text := strings.Replace(string(src.Text), "\nname: ", "\n"+strings.Replace(hostsAndInterim, "HOST", name+".example", 1)+"name: ", 1)
		own = append(own, Source{Name: src.Name, Text: []byte(text)})
	}
	for _, path := range examples(t) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		own = append(own, Source{Name: path, Text: []byte(strings.ReplaceAll(string(text), "SSO_HOST", "sso.acme.example"))})
	}
	for _, p := range Advise(own) {
		t.Error(p)
	}
}
