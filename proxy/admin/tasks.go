package admin

import (
	"bufio"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strconv"
)

// TaskQuery says which tasks to list. The zero value lists all of them.
type TaskQuery struct {
	State string // StateActive or StateEnded; empty: both
	Limit int    // how many at most; 0: all
	After string // [TaskPage.Next] of the page before; empty: from the newest
}

// TaskPage is a part of the list of tasks, newest first. Tasks that are created or
// forgotten between two pages neither repeat nor hide others.
type TaskPage struct {
	Tasks iter.Seq[Task]
	Next  string // TaskQuery.After of the page that follows; empty: this is the last
}

// Encode returns the query of a request for the page.
func (q TaskQuery) Encode() string {
	v := url.Values{}
	if q.State != "" {
		v.Set("state", q.State)
	}
	if q.Limit > 0 {
		v.Set("limit", strconv.Itoa(q.Limit))
	}
	if q.After != "" {
		v.Set("after", q.After)
	}
	return v.Encode()
}

// parseTaskQuery reads what Encode writes. Members that it does not know are ignored.
func parseTaskQuery(v url.Values) (q TaskQuery, err error) {
	q = TaskQuery{State: v.Get("state"), After: v.Get("after")}
	if q.State != "" && q.State != StateActive && q.State != StateEnded {
		return q, badQuery(fmt.Sprintf("state=%q is neither %s nor %s", q.State, StateActive, StateEnded))
	}

	limit := v.Get("limit")
	if limit == "" {
		return q, nil
	}
	q.Limit, err = strconv.Atoi(limit)
	if err != nil || q.Limit < 1 {
		return q, badQuery(fmt.Sprintf("limit=%q is not a number above 0", limit))
	}
	return q, nil
}

func badQuery(detail string) *Problem {
	return &Problem{Status: http.StatusBadRequest, Code: "bad_query", Detail: detail, Remedy: "state is active or ended, limit is a number, after comes from the Link of the page before"}
}

// serveTasks lists tasks, one after the other, so that the list is never in memory as a
// whole. If more follow, the field Link names them with rel="next" (RFC 8288).
func (a *api) serveTasks(w http.ResponseWriter, r *http.Request) {
	if a.verbs.Tasks == nil {
		a.answer(w, 0, nil, errNoVerb)
		return
	}
	q, err := parseTaskQuery(r.URL.Query())
	if err != nil {
		a.answer(w, 0, nil, err)
		return
	}
	page, err := a.verbs.Tasks(r.Context(), q)
	if err != nil {
		a.answer(w, 0, nil, err)
		return
	}

	if page.Next != "" {
		next := q
		next.After = page.Next
		w.Header().Set("Link", fmt.Sprintf(`<%s?%s>; rel="next"`, r.URL.Path, next.Encode()))
	}
	setAnswerFields(w, "application/json")
	w.WriteHeader(http.StatusOK)

	// The writes fail only if the client has gone.
	out := bufio.NewWriterSize(w, 32<<10)
	defer out.Flush()
	separator := "["
	for t := range page.Tasks {
		text, err := json.Marshal(t)
		if err != nil {
			panic(err) // strings and times always encode
		}
		_, _ = out.WriteString(separator)
		_, err = out.Write(text)
		if err != nil {
			return
		}
		separator = ","
	}
	if separator == "[" {
		_, _ = out.WriteString("[")
	}
	_, _ = out.WriteString("]\n")
}
