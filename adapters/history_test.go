package adapters

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// forgeAdapter reads one history for each of many repositories.
const forgeAdapter = `
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

// loadForge loads forgeAdapter with changes: pairs of old and new text.
func loadForge(t *testing.T, changes ...string) (HistorySpec, error) {
	t.Helper()
	set, err := Load([]Source{{Name: "forge.yaml", Text: []byte(strings.NewReplacer(changes...).Replace(forgeAdapter))}})
	if err != nil {
		return HistorySpec{}, err
	}
	return set.ByName("forge").History(), nil
}

func TestAHistoryOfEachItemIsReadAtItsOwnPath(t *testing.T) {
	log, err := loadForge(t)
	if err != nil {
		t.Fatal(err)
	}
	r := &log.Read[0]
	from := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for name, want := range map[string]string{
		"app":         "/app/feed?since=2026-01-02T03%3A04%3A05Z&page=2",
		"a b/../c?&=": "/a%20b%2F..%2Fc%3F%26%3D/feed?since=2026-01-02T03%3A04%3A05Z&page=2",
	} {
		if got, err := r.Path(from, from, map[string]string{"name": name}, "2"); err != nil || got != want {
			t.Errorf("the path of item %q is %q, %v, want %q", name, got, err, want)
		}
	}

	if got, err := r.Path(from, from, map[string]string{"other": "x"}, ""); err == nil {
		t.Errorf("the path of an item without a name is %q, want an error", got)
	}
	if got, err := r.SamplePath(from, from); err != nil || !strings.HasPrefix(got, "/1/feed?") {
		t.Errorf("the sample path is %q, %v, want /1/feed?…", got, err)
	}
	if got, want := r.Each.Path("3"), "/repos?limit=2&page=3"; got != want {
		t.Errorf("the path of page 3 of the list is %q, want %q", got, want)
	}
}

func TestAnEntrysResourceHasWhatItsPatternsBind(t *testing.T) {
	log, err := loadForge(t)
	if err != nil {
		t.Fatal(err)
	}
	for content, want := range map[string]string{"7|hello|there": "issue/app/7", "07|hello": "", "hello": "", "": ""} {
		e, ours, err := log.Interpret(map[string]string{
			"created": "2026-01-02T03:04:05Z", "actor": "agent-01", "id": "1", "type": "comment", "repo": "App", "content": content,
		})
		if err != nil || !ours || e.Resource != want || want != "" && !slices.Equal(e.Also, []string{"repo/app"}) {
			t.Errorf("content %q is %+v, %v, %v, want an entry about %q", content, e, ours, err, want)
		}
	}
}

func TestMistakesInLogHaveTheirKey(t *testing.T) {
	for _, c := range []struct{ old, new, key string }{
		{"{n:digits}|*", "{n", "log.kinds[0].when"},
		{"get: /repos?limit=2", "get: repos", "log.read[0].each.get"},
	} {
		if _, err := loadForge(t, c.old, c.new); err == nil || !strings.Contains(err.Error(), c.key) {
			t.Errorf("%s instead of %s: %v, want a problem with %s", c.new, c.old, err, c.key)
		}
	}
}
