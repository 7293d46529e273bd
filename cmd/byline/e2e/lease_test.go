package e2e

import (
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/byline-proxy/byline/cmd/byline/e2e/testenv"
)

const askWho = "/api.php?action=query&meta=userinfo&format=json"

// whoIs is the user that the wiki takes the agent for; "" when it was refused.
func whoIs(t *testing.T, a testenv.Answer) string {
	t.Helper()
	if a.Code == "lease_unavailable" {
		return ""
	}
	var answer struct {
		Query struct{ UserInfo struct{ Name string } }
	}
	if a.Err != nil || a.Status != 200 || json.Unmarshal([]byte(a.Body), &answer) != nil {
		t.Errorf("status %d, code %q, error %v: %.300s", a.Status, a.Code, a.Err, a.Body)
	}
	return answer.Query.UserInfo.Name
}

func TestI5TwoTasksNeverShareAnAccount(t *testing.T) {
	app := testenv.MediaWiki(t)
	h := testenv.New(t, "lease: {wait: 2s}")
	h.AddAdapter(app, "")
	const accounts = 3
	for n := range accounts {
		h.AddAccount(app, fmt.Sprintf("Agent-%02d", n+1))
	}
	h.Start()
	spec := testenv.TaskSpec{Allow: []string{"mediawiki:api.query"}}

	var tasks []*testenv.Task
	users := map[string]bool{}
	for range accounts {
		tasks = append(tasks, h.CreateTask(spec))
		users[whoIs(t, h.NewAgent(tasks[len(tasks)-1], app, nil).Get(askWho))] = true
	}
	if len(users) != accounts || users[""] {
		t.Fatalf("%d tasks are %v at the application", accounts, users)
	}

	// One more than there are accounts waits, and is told so in the end.
	late := h.NewAgent(h.CreateTask(spec), app, nil)
	refused := late.Get(askWho).WantRefusal(t, "lease_unavailable")
	if refused.Status != 503 || refused.Header.Get("Retry-After") == "" {
		t.Errorf("status %d, Retry-After %q", refused.Status, refused.Header.Get("Retry-After"))
	}
	// Another waits for an account that becomes free meanwhile.
	freed := whoIs(t, h.NewAgent(tasks[0], app, nil).Get(askWho))
	got := make(chan string, 1)
	go func() { got <- whoIs(t, late.Get(askWho)) }()
	time.Sleep(100 * time.Millisecond) // so that it waits; it may also come later
	h.EndTask(tasks[0])
	if user := <-got; user != freed {
		t.Errorf("the task that waited is %q, the freed account is %q", user, freed)
	}
	for _, task := range tasks[1:] {
		h.EndTask(task)
	}

	crowd(t, h, 8)
	checkLeases(t, h)
}

// crowd has more tasks than accounts work at the same time, each with several
// requests at once, and end as soon as each was answered.
func crowd(t *testing.T, h *testenv.Env, size int) {
	t.Helper()
	app := testenv.MediaWiki(t)
	var wait sync.WaitGroup
	for range size {
		task := h.CreateTask(testenv.TaskSpec{Allow: []string{"mediawiki:api.query"}})
		agent := h.NewAgent(task, app, nil)
		wait.Go(func() {
			var all sync.WaitGroup
			var mu sync.Mutex
			users := map[string]bool{}
			for range 3 {
				all.Go(func() {
					user := ""
					for end := time.Now().Add(time.Minute); user == "" && time.Now().Before(end); {
						user = whoIs(t, agent.Get(askWho))
					}
					mu.Lock()
					defer mu.Unlock()
					users[user] = true
				})
			}
			all.Wait()
			if len(users) != 1 || users[""] {
				t.Errorf("task %s was %v at the application", task.ID, users)
			}
			h.EndTask(task)
		})
	}
	wait.Wait()
}

// checkLeases reads the record: an account is checked out to one task until
// that checks it in, and every request under it is that task's.
func checkLeases(t *testing.T, h *testenv.Env) {
	t.Helper()
	holder := map[string]string{}
	leases := map[string]string{}
	out := 0
	for _, r := range h.Records() {
		account := r.Adapter + "/" + r.Account
		switch {
		case r.Kind == "lease" && r.Detail == "checked out":
			if holder[account] != "" {
				t.Errorf("%s is checked out to %s while %s holds it", account, r.Task, holder[account])
			}
			holder[account], leases[account] = r.Task, r.Lease
			out++
		case r.Kind == "lease" && r.Detail == "checked in":
			if holder[account] != r.Task {
				t.Errorf("%s is checked in by %s, but %q holds it", account, r.Task, holder[account])
			}
			delete(holder, account)
		case r.Kind == "intent":
			if holder[account] != r.Task || leases[account] != r.Lease {
				t.Errorf("%s works as %s, which %q holds: %+v", r.Task, account, holder[account], r)
			}
		}
	}
	if out < 10 {
		t.Errorf("only %d leases are on record", out)
	}
}
