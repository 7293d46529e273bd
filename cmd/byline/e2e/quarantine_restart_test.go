package e2e

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/byline-proxy/byline/cmd/byline/e2e/testenv"
	"github.com/byline-proxy/byline/proxy/admin"
	"github.com/byline-proxy/byline/proxy/audit"
)

// TestI1QuarantinesAndEndsSurviveKills kills the server as soon as an agent has the
// refusal of a request with its account's password. The account stays in quarantine and
// the task is over, however often the server is killed, until an operator releases the
// account.
func TestI1QuarantinesAndEndsSurviveKills(t *testing.T) {
	a := newGateApp(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/login" {
			logIn(w, r)
		}
	})
	env, _ := startGateEnv(t, a, "", false)
	password := "Zt4-kk" + testenv.NewSecret()
	env.PutAccount("gate", "agent-01", map[string]string{"username": "agent-01", "password": password})

	for range 3 {
		task := env.CreateTask(testenv.TaskSpec{Allow: []string{"gate:*"}})
		attacker := newGateAgentOf(env, task)
		attacker.Get("/").Want(t, 200, "")
		attacker.Get("/search?q="+url.QueryEscape("candidate "+password)).WantRefusal(t, "secret_in_request")

		for range 2 {
			env.Kill()
			env.Start()
			if a := attacker.Get("/"); a.Code != "task_ended" {
				t.Errorf("after a kill the task of the attack gets status %d, code %q, error %v; want task_ended", a.Status, a.Code, a.Err)
			}
			if got := accountState(env); got != admin.AccountQuarantined {
				t.Errorf("after a kill the account is %q, want quarantined", got)
			}
			newGateAgent(env).Get("/").WantRefusal(t, "lease_unavailable")
		}
		if r := env.Byline("account", "retry", "gate/agent-01"); r.Code != 0 {
			t.Fatalf("byline account retry: %s", r)
		}
		endTasks(env)
	}
	alerts := 0
	for _, r := range env.Records() {
		if r.Kind == "alert" && r.Code == "secret_in_request" {
			alerts++
		}
	}
	if alerts != 3 {
		t.Errorf("%d alerts are on record, want 3", alerts)
	}
	verifyAudit(t, env)
}

// TestI6LogoutsThatAKillInterrupted kills the server while the application has a logout
// and has not answered. The task stays over, and the next one gets the account only
// when the session has been ended.
func TestI6LogoutsThatAKillInterrupted(t *testing.T) {
	var mu sync.Mutex
	var order []string
	hang := make(chan struct{})
	note := func(what string) {
		mu.Lock()
		defer mu.Unlock()
		order = append(order, what)
	}
	arrived := make(chan struct{}, 16)
	a := newGateApp(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/login":
			note("login")
			logIn(w, r)
		case "/logout":
			arrived <- struct{}{}
			select {
			case <-hang:
				note("logout")
			case <-r.Context().Done():
			}
		default:
			note("page")
		}
	})
	env, _ := startGateEnv(t, a, "lease: {wait: 30s}", false)
	first := env.CreateTask(testenv.TaskSpec{Allow: []string{"gate:*"}})
	agent := newGateAgentOf(env, first)
	agent.Get("/").Want(t, 200, "")

	go env.Byline("task", "end", first.ID)
	<-arrived
	for range 2 {
		env.Kill()
		env.Start()
		agent.Get("/").WantRefusal(t, "task_ended")
		<-arrived // the logout is tried again
	}

	next := newGateAgent(env)
	answer := make(chan testenv.Answer, 1)
	go func() { answer <- next.Get("/") }()
	select {
	case a := <-answer:
		t.Errorf("while the logout hangs the next task got status %d, code %q, want that it waits", a.Status, a.Code)
	case <-time.After(500 * time.Millisecond):
	}
	close(hang)
	(<-answer).Want(t, 200, "")

	mu.Lock()
	defer mu.Unlock()
	if want := []string{"login", "page", "logout", "login", "page"}; !slices.Equal(order, want) {
		t.Errorf("the application saw %s, want %s", strings.Join(order, ", "), strings.Join(want, ", "))
	}
	if !slices.ContainsFunc(env.Records(), func(r audit.Record) bool { return r.Kind == "logout" && r.Task == first.ID }) {
		t.Error("no record of a logout names the first task")
	}
}
