package adapters

import (
	"slices"
	"strings"
	"testing"
	"time"
)

const eachAdapter = `
name: forge
interim: {reason: test, owner: secops@acme.example, review_by: 2099-01-01}
hosts: [forge.acme.example]
login: {kind: basic}
actions:
  - {name: issue.comment, match: {method: POST, path: "/{repo}/issues/{n}"}, resource: "issue/{repo}/{n}"}
  - {name: log.read, match: {method: GET, path: "/{repo}/feed"}, resource: "repo/{repo}"}
log:
  read:
    - each: {get: /repos?limit=2, next: {param: page}}
      get: /${name}/feed?since=${from|query}
      next: {param: page}
  entry: {time: created, user: actor, id: id}
  kinds:
    - {when: {type: comment, content: "{n:digits}|*"}, actions: [issue.comment], resource: ["issue/${repo|lower}/${n}", "repo/${repo|lower}"]}
    - {when: {type: comment}, actions: [issue.comment]}
`

func forge(t *testing.T, change ...string) (*Set, error) {
	t.Helper()
	return Load([]Source{{Name: "forge.yaml", Text: []byte(strings.NewReplacer(change...).Replace(eachAdapter))}})
}

func TestAHistoryOfEachItemIsReadAtItsOwnPath(t *testing.T) {
	set, err := forge(t)
	if err != nil {
		t.Fatal(err)
	}
	log := set.ByName("forge").History()
	r := &log.Read[0]
	from := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for name, want := range map[string]string{
		"app":         "/app/feed?since=2026-01-02T03%3A04%3A05Z&page=2",
		"a b/../c?&=": "/a%20b%2F..%2Fc%3F%26%3D/feed?since=2026-01-02T03%3A04%3A05Z&page=2",
	} {
		if got, err := r.Path(from, from, map[string]string{"name": name}, "2"); err != nil || got != want {
			t.Errorf("%q: %q, %v, want %q", name, got, err, want)
		}
	}
	if _, err := r.Path(from, from, map[string]string{"other": "x"}, ""); err == nil {
		t.Error("an item without the name has a path")
	}
	if got, err := r.SamplePath(from, from); err != nil || !strings.HasPrefix(got, "/1/feed?") {
		t.Errorf("sample %q, %v", got, err)
	}
	if got := r.Each.Path("3"); got != "/repos?limit=2&page=3" {
		t.Errorf("list: %q", got)
	}
}

func TestAnEntryIsAboutWhatItsPatternsBind(t *testing.T) {
	set, err := forge(t)
	if err != nil {
		t.Fatal(err)
	}
	log := set.ByName("forge").History()
	for content, want := range map[string]string{"7|hello|there": "issue/app/7", "07|hello": "", "hello": "", "": ""} {
		e, ours, err := log.Interpret(map[string]string{"created": "2026-01-02T03:04:05Z", "actor": "agent-01", "id": "1", "type": "comment", "repo": "App", "content": content})
		if err != nil || !ours || e.Resource != want || want != "" && !slices.Equal(e.Also, []string{"repo/app"}) {
			t.Errorf("%q: %+v, %v, %v, want %q", content, e, ours, err, want)
		}
	}
	if _, err := forge(t, "{n:digits}|*", "{n"); err == nil || !strings.Contains(err.Error(), "log.kinds[0].when") {
		t.Errorf("a broken pattern: %v", err)
	}
	if _, err := forge(t, "get: /repos?limit=2", "get: repos"); err == nil || !strings.Contains(err.Error(), "log.read[0].each.get") {
		t.Errorf("a list at no path: %v", err)
	}
}
