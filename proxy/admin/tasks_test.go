package admin

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

func TestTasksAreListedInPages(t *testing.T) {
	for _, c := range []struct {
		query  string
		want   TaskQuery
		next   string
		link   string
		status int
	}{
		{"", TaskQuery{}, "", "", 200},
		{"?state=active", TaskQuery{State: "active"}, "", "", 200},
		{"?state=ended&limit=2&after=7.t_7", TaskQuery{State: "ended", Limit: 2, After: "7.t_7"}, "6.t_6", `</v1/tasks?after=6.t_6&limit=2&state=ended>; rel="next"`, 200},
		{"?something=else", TaskQuery{}, "", "", 200},
		{"?state=dead", TaskQuery{}, "", "", 400},
		{"?limit=0", TaskQuery{}, "", "", 400},
		{"?limit=-1", TaskQuery{}, "", "", 400},
		{"?limit=many", TaskQuery{}, "", "", 400},
	} {
		got := TaskQuery{}
		a := &api{verbs: Verbs{Tasks: func(_ context.Context, q TaskQuery) (TaskPage, error) {
			got = q
			return TaskPage{Tasks: slices.Values([]Task{{ID: "t_1"}, {ID: "t_2"}}), Next: c.next}, nil
		}}}
		w := httptest.NewRecorder()
		a.serveTasks(w, httptest.NewRequest(http.MethodGet, "/v1/tasks"+c.query, nil))

		var tasks []Task
		switch {
		case w.Code != c.status:
			t.Errorf("%q: status %d, want %d: %s", c.query, w.Code, c.status, w.Body)
		case c.status != 200:
			if !strings.Contains(w.Body.String(), "bad_query") {
				t.Errorf("%q: the answer is %s, want the code bad_query", c.query, w.Body)
			}
		case got != c.want || w.Header().Get("Link") != c.link:
			t.Errorf("%q: asks for %+v and answers the Link %q, want %+v and %q", c.query, got, w.Header().Get("Link"), c.want, c.link)
		case json.Unmarshal(w.Body.Bytes(), &tasks) != nil || len(tasks) != 2 || w.Header().Get("Cache-Control") != "no-store":
			t.Errorf("%q: the answer is %s with %v, want two tasks and Cache-Control: no-store", c.query, w.Body, w.Header())
		}
	}
}
