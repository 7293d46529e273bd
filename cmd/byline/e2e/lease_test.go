package e2e

import (
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/byline-proxy/byline/cmd/byline/e2e/apps"
	"github.com/byline-proxy/byline/cmd/byline/e2e/testenv"
)

// userInfoPath is MediaWiki's answer to the question who is logged in.
const userInfoPath = "/api.php?action=query&meta=userinfo&format=json"

// userNameIn returns the user name in an answer to userInfoPath, or the empty
// string if no account was free.
func userNameIn(t *testing.T, a testenv.Answer) string {
	t.Helper()
	if a.Code == "lease_unavailable" {
		return ""
	}
	var info struct {
		Query struct{ UserInfo struct{ Name string } }
	}
	if a.Err != nil || a.Status != 200 || json.Unmarshal([]byte(a.Body), &info) != nil {
		t.Errorf("status %d, code %q, error %v; want the JSON of a user:\n%.300s", a.Status, a.Code, a.Err, a.Body)
	}
	return info.Query.UserInfo.Name
}

func TestI5TwoTasksNeverShareAnAccount(t *testing.T) {
	const accounts = 3
	app := testenv.MediaWiki(t)
	env := testenv.New(t, "lease: {wait: 2s}")
	env.AddAdapter(app, "")
	for n := range accounts {
		env.AddAccount(app, fmt.Sprintf("Agent-%02d", n+1))
	}
	env.Start()
	spec := testenv.TaskSpec{Allow: []string{"mediawiki:api.query"}}

	var tasks []*testenv.Task
	users := map[string]bool{}
	for range accounts {
		task := env.CreateTask(spec)
		tasks = append(tasks, task)
		users[userNameIn(t, env.NewAgent(task, app, nil).Get(userInfoPath))] = true
	}
	if len(users) != accounts || users[""] {
		t.Fatalf("%d tasks are the users %v at the application, want %d different ones", accounts, users, accounts)
	}

	// One task more than there are accounts is refused after lease.wait.
	late := env.NewAgent(env.CreateTask(spec), app, nil)
	refusal := late.Get(userInfoPath).WantRefusal(t, "lease_unavailable")
	if refusal.Status != 503 || refusal.Header.Get("Retry-After") == "" {
		t.Errorf("refusal with status %d, Retry-After %q; want 503 and a Retry-After", refusal.Status, refusal.Header.Get("Retry-After"))
	}

	// It gets an account that another task gives back in the meantime.
	freed := userNameIn(t, env.NewAgent(tasks[0], app, nil).Get(userInfoPath))
	got := make(chan string, 1)
	go func() { got <- userNameIn(t, late.Get(userInfoPath)) }()
	time.Sleep(100 * time.Millisecond) // usually enough for the request to wait
	env.EndTask(tasks[0])
	if user := <-got; user != freed {
		t.Errorf("the waiting task is user %q, want %q, whose account was given back", user, freed)
	}
	for _, task := range tasks[1:] {
		env.EndTask(task)
	}

	runConcurrentTasks(t, env, app, 8)
	checkLeases(t, env)
}

// runConcurrentTasks runs more tasks than there are accounts at the same time.
// Each sends several requests at once, repeats them until it has an account,
// and ends.
func runConcurrentTasks(t *testing.T, env *testenv.Env, app *apps.App, tasks int) {
	t.Helper()
	var running sync.WaitGroup
	for range tasks {
		task := env.CreateTask(testenv.TaskSpec{Allow: []string{"mediawiki:api.query"}})
		agent := env.NewAgent(task, app, nil)
		running.Go(func() {
			var requests sync.WaitGroup
			var mu sync.Mutex
			users := map[string]bool{}
			for range 3 {
				requests.Go(func() {
					user := ""
					for deadline := time.Now().Add(time.Minute); user == "" && time.Now().Before(deadline); {
						user = userNameIn(t, agent.Get(userInfoPath))
					}
					mu.Lock()
					defer mu.Unlock()
					users[user] = true
				})
			}
			requests.Wait()

			if len(users) != 1 || users[""] {
				t.Errorf("task %s is the users %v at the application, want one", task.ID, users)
			}
			env.EndTask(task)
		})
	}
	running.Wait()
}

// checkLeases checks in the record that an account is checked out to one task
// until that task checks it in, and that all requests with it in the meantime
// belong to that task.
func checkLeases(t *testing.T, env *testenv.Env) {
	t.Helper()
	holder := map[string]string{} // account → task
	leases := map[string]string{} // account → lease
	checkOuts := 0
	for _, r := range env.Records() {
		account := r.Adapter + "/" + r.Account
		switch {
		case r.Kind == "lease" && r.Detail == "checked out":
			if holder[account] != "" {
				t.Errorf("I5: %s is checked out to %s while %s holds it", account, r.Task, holder[account])
			}
			holder[account] = r.Task
			leases[account] = r.Lease
			checkOuts++

		case r.Kind == "lease" && r.Detail == "checked in":
			if holder[account] != r.Task {
				t.Errorf("I5: %s is checked in by %s, but %q holds it", account, r.Task, holder[account])
			}
			delete(holder, account)

		case r.Kind == "intent":
			if holder[account] != r.Task || leases[account] != r.Lease {
				t.Errorf("I5: %s sends a request as %s, which %q holds: %+v", r.Task, account, holder[account], r)
			}
		}
	}
	if checkOuts < 10 {
		t.Errorf("%d leases are on record, want at least 10", checkOuts)
	}
}
