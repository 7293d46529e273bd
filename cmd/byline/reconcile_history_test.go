package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/cmd/byline/reports"
	"github.com/byline-proxy/byline/proxy/audit"
)

const forgeAdapter = `
name: forge
interim: {reason: test, owner: secops@acme.example, review_by: 2099-01-01}
hosts: [forge.acme.example]
login: {kind: basic}
actions:
  - {name: push, match: {method: POST, path: "/{repo}/push"}, resource: "repo/{repo}"}
  - {name: log.read, match: {method: GET, path: "/{repo}/feed"}, resource: "repo/{repo}"}
  - {name: search, match: {method: GET, path: "/repos"}, resource: repos}
log:
  read:
    - each: {get: /repos, items: data, next: {param: page}}
      get: /${name}/feed
      next: {param: page}
      newest_first: true
  entry: {time: at, time_format: unix, user: who, id: id}
  kinds: [{actions: [push], resource: "repo/${repo}"}]
`

// TestHistoriesOfManyThingsAreReadAsFarAsThePeriodGoes reads a list of repositories, each with
// a feed, newest entry first. Both have pages. One entry moves to the next page while the
// feed is read.
func TestHistoriesOfManyThingsAreReadAsFarAsThePeriodGoes(t *testing.T) {
	from := time.Unix(1_000_000, 0)
	feeds := map[string][][]int64{ // seconds after from, page by page
		"a": {{90, 80}, {80, 70}, {60, -10}, {-20, -30}},
		"b": {},
		"c": {{50}},
	}
	var asked []string
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		page, _ := strconv.Atoi(q.URL.Query().Get("page"))
		page = max(page, 1)
		asked = append(asked, fmt.Sprintf("%s %d", q.URL.Path, page))
		if q.URL.Path == "/repos" {
			names := [][]string{{"a", "b"}, {"c"}, {}}[page-1]
			for i, n := range names {
				names[i] = fmt.Sprintf("{%q:%q}", "name", n)
			}
			fmt.Fprintf(w, `{"data":[%s]}`, strings.Join(names, ","))
			return
		}
		name := q.URL.Path[1:2]
		var items []string
		if pages := feeds[name]; page <= len(pages) {
			for _, at := range pages[page-1] {
				items = append(items, fmt.Sprintf(`{"at":%d,"who":"agent-01","id":"%s%d","repo":%q}`, from.Unix()+at, name, at, name))
			}
		}
		fmt.Fprintf(w, "[%s]", strings.Join(items, ","))
	}))
	defer app.Close()

	set, err := adapters.Load([]adapters.Source{{Name: "forge.yaml", Text: []byte(forgeAdapter)}})
	must(t, err)
	forge := set.ByName("forge")
	log := forge.History()
	period := reports.Period{From: from, To: from.Add(time.Hour)}

	scope, err := historyScope(forge, &log, period)
	must(t, err)
	if len(scope) != 2 || scope[0].Actions[0] != "log.read" || scope[1].Actions[0] != "search" {
		t.Errorf("the scope of the task that reads is %+v, want log.read and search", scope)
	}

	r := reports.NewReconciler(forge, reports.Period{From: from.Add(-time.Hour), To: from.Add(time.Hour)}, map[string][]string{"agent-01": nil})
	must(t, r.ReadRecords(func(func(audit.Record, error) bool) {}))
	into := r.History()
	must(t, (&historyReader{ctx: t.Context(), client: app.Client(), base: app.URL, into: into, period: period}).read(&log.Read[0]))
	var got []string
	for _, e := range r.Finish(true).ApplicationOnly {
		got = append(got, e.ID+" "+e.Resource)
	}
	slices.Sort(got)
	want := []string{"a-10 repo/a", "a60 repo/a", "a70 repo/a", "a80 repo/a", "a90 repo/a", "c50 repo/c"}
	if !slices.Equal(got, want) {
		t.Errorf("read %q, want %q", got, want)
	}
	if slices.Contains(asked, "/a/feed 4") || !slices.Contains(asked, "/repos 3") {
		t.Errorf("requests %q, want /repos 3 and not /a/feed 4", asked)
	}
}
