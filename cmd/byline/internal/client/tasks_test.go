package client

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/byline-proxy/byline/proxy/admin"
)

// serveTaskList serves n tasks, each with a purpose of that length, in pages if pages is
// true.
func serveTaskList(t *testing.T, n, purpose int, pages bool) *Client {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		from, limit := 0, n
		if pages {
			from, _ = strconv.Atoi(r.URL.Query().Get("after"))
			limit, _ = strconv.Atoi(r.URL.Query().Get("limit"))
		}
		to := min(n, from+limit)
		if to < n {
			w.Header().Set("Link", fmt.Sprintf(`</v1/tasks?after=%d&limit=%d>; rel="next"`, to, limit))
		}
		text := strings.Repeat("p", purpose)
		fmt.Fprint(w, "[")
		for i := from; i < to; i++ {
			if i > from {
				fmt.Fprint(w, ",")
			}
			fmt.Fprintf(w, `{"id":"t_%d","purpose":"%s"}`, i, text)
		}
		fmt.Fprint(w, "]\n")
	}))
	t.Cleanup(server.Close)
	return &Client{http: server.Client(), base: server.URL}
}

func TestTasksOfAllPagesAreListed(t *testing.T) {
	for _, c := range []struct {
		what       string
		n, purpose int
		pages      bool
		limit      int
		want       int
	}{
		{"no task", 0, 1, true, 0, 0},
		{"one page", 10, 1, true, 0, 10},
		{"several pages", 2*tasksAtOnce + 1, 1, true, 0, 2*tasksAtOnce + 1},
		{"whole pages", 2 * tasksAtOnce, 1, true, 0, 2 * tasksAtOnce},
		{"a limit within the first page", 100, 1, true, 7, 7},
		{"a limit within the second page", 2 * tasksAtOnce, 1, true, tasksAtOnce + 3, tasksAtOnce + 3},
		{"pages that are too long", tasksAtOnce, maxAnswer / 1000, true, 0, tasksAtOnce},
		{"a server without pages", 10, 1, false, 0, 10},
		{"a server without pages, and a limit", 10, 1, false, 3, 3},
	} {
		control := serveTaskList(t, c.n, c.purpose, c.pages)
		listed := 0
		for task, err := range control.Tasks(t.Context(), admin.TaskQuery{Limit: c.limit}) {
			if err != nil {
				t.Fatalf("%s: %v", c.what, err)
			}
			if want := fmt.Sprint("t_", listed); task.ID != want {
				t.Fatalf("%s: task %d is %s, want %s", c.what, listed, task.ID, want)
			}
			listed++
		}
		if listed != c.want {
			t.Errorf("%s: %d tasks are listed, want %d", c.what, listed, c.want)
		}
	}
}

// TestAnswersThatAreTooLongAreErrors: an answer that is cut must not pass for a whole one.
func TestAnswersThatAreTooLongAreErrors(t *testing.T) {
	control := serveTaskList(t, 1, maxAnswer, true)
	for _, err := range control.Tasks(t.Context(), admin.TaskQuery{}) {
		if err == nil || !strings.Contains(err.Error(), errTooLong.Error()) {
			t.Errorf("the error is %v, want one that says %q", err, errTooLong)
		}
	}
	control = serveTaskList(t, 1, maxAnswer, false)
	_, err := control.Ask(t.Context(), http.MethodGet, TasksPath, nil)
	if err == nil {
		t.Error("Ask returns an answer that is cut, want an error")
	}
}
