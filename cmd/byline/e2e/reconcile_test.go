package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/byline-proxy/byline/cmd/byline/e2e/apps"
	"github.com/byline-proxy/byline/cmd/byline/e2e/testenv"
	"github.com/byline-proxy/byline/cmd/byline/reports"
)

// reconcileScenario is what happens at an application before byline reconcile
// compares its history with the record.
type reconcileScenario struct {
	app      func(testing.TB) *apps.App
	allow    []string
	perAgent int // changes of each of two agents

	// change makes n changes as the agent called name.
	change func(t *testing.T, agent *testenv.Agent, name string, n int)

	// settle, if not nil, waits until the history has everything that was done.
	settle func(t *testing.T, app *apps.App)

	// changeDirectly makes one change without the proxy; n tells it from others.
	changeDirectly func(t *testing.T, d *directClient, n int)
}

var reconcileScenarios = map[string]reconcileScenario{
	"mediawiki": {
		app:      testenv.MediaWiki,
		allow:    []string{"mediawiki:api.query", "mediawiki:page.edit,page.move@page/Sandbox*"},
		perAgent: 150,
		change:   changeWiki,
		changeDirectly: func(t *testing.T, d *directClient, n int) {
			token := wikiToken(d.get(t, wikiTokenPath))
			d.post(t, "/api.php", url.Values{
				"action": {"edit"}, "title": {fmt.Sprint("Planted ", n)}, "text": {"by hand"}, "token": {token}, "format": {"json"},
			})
		},
	},
	"requesttracker": {
		app:      testenv.RequestTracker,
		allow:    []string{"requesttracker:ticket.create,ticket.comment,ticket.reply,ticket.update,log.read"},
		perAgent: 100,
		change:   changeTracker,
		changeDirectly: func(t *testing.T, d *directClient, n int) {
			waitUntilTicketIsQuiet(t, d.app, "ticket/1")
			d.post(t, "/Ticket/Update.html", url.Values{
				"id": {"1"}, "UpdateType": {"private"}, "UpdateContent": {fmt.Sprint("planted ", n)}, "Action": {"Comment"}, "SubmitTicket": {"Update"},
			})
		},
	},
}

// waitUntilTicketIsQuiet waits until agents have created a ticket and have not
// changed it for a while. byline reconcile rightly matches a direct change with
// an agent's if the same account made both within a few seconds.
func waitUntilTicketIsQuiet(t *testing.T, app *apps.App, title string) {
	t.Helper()
	testenv.WaitUntil(t, "agents have left "+title, func() bool {
		time.Sleep(300 * time.Millisecond) // reading the history is expensive
		var last time.Time
		for _, c := range app.History() {
			if c.Title == title && !strings.HasPrefix(c.Comment, "planted ") && c.Time.After(last) {
				last = c.Time
			}
		}
		return !last.IsZero() && time.Since(last) > 6*time.Second
	})
}

const wikiTokenPath = "/api.php?action=query&meta=tokens&format=json"

// wikiToken returns the edit token in an answer to wikiTokenPath.
func wikiToken(page string) string {
	var answer struct {
		Query struct{ Tokens struct{ CSRFToken string } }
	}
	_ = json.Unmarshal([]byte(page), &answer) // an edit without a token fails and says so
	return answer.Query.Tokens.CSRFToken
}

// changeWiki edits pages, moves some of them, and reads after each change.
func changeWiki(t *testing.T, agent *testenv.Agent, name string, n int) {
	token := wikiToken(agent.Get(wikiTokenPath).Want(t, 200, "csrftoken").Body)
	for i := range n {
		page := fmt.Sprintf("Sandbox/%s %d", name, i%20)
		form := url.Values{"action": {"edit"}, "title": {page}, "text": {fmt.Sprint("text ", i)}, "token": {token}, "format": {"json"}}
		if i%25 == 24 {
			target := fmt.Sprintf("Sandbox/%s moved %d", name, i)
			form = url.Values{"action": {"move"}, "from": {page}, "to": {target}, "noredirect": {"1"}, "token": {token}, "format": {"json"}}
		}
		if a := agent.Post("/api.php", form).Want(t, 200, ""); strings.Contains(a.Body, `"error"`) {
			t.Errorf("%s %s: %s", form.Get("action"), page, a.Body)
		}

		agent.Get("/api.php?action=query&prop=info&titles=" + url.QueryEscape(page) + "&format=json") // adds nothing to the history
	}
}

// changeTracker creates tickets and comments on, answers and renames them.
func changeTracker(t *testing.T, agent *testenv.Agent, name string, n int) {
	ticket := ""
	for i := range n {
		switch i % 5 {
		case 0:
			body := fmt.Sprintf(`{"Queue":"General","Subject":"%s %d","Content":"made"}`, name, i)
			location := agent.SendJSON("POST", "/REST/2.0/ticket", body).Want(t, 201, "").Header.Get("Location")
			ticket = "/REST/2.0/ticket/" + location[strings.LastIndex(location, "/")+1:]
		case 1, 3:
			agent.SendJSON("POST", ticket+"/comment", `{"ContentType":"text/plain","Content":"a comment"}`).Want(t, 201, "")
		case 2:
			agent.SendJSON("POST", ticket+"/correspond", `{"ContentType":"text/plain","Content":"an answer"}`).Want(t, 201, "")
		case 4:
			agent.SendJSON("PUT", ticket, fmt.Sprintf(`{"Subject":"changed %d"}`, i)).Want(t, 200, "")
		}
	}
}

// directClient is a person who uses a compensating account's password without
// the proxy.
type directClient struct {
	app     *apps.App
	cookies []*http.Cookie
}

func (d *directClient) get(t *testing.T, path string) string {
	t.Helper()
	return d.send(t, "GET", path, nil)
}

func (d *directClient) post(t *testing.T, path string, form url.Values) string {
	t.Helper()
	return d.send(t, "POST", path, form)
}

func (d *directClient) send(t *testing.T, method, path string, form url.Values) string {
	t.Helper()

	req, err := http.NewRequest(method, d.app.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Host = strings.TrimPrefix(d.app.PublicURL, "https://")
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Referer", d.app.PublicURL+"/")
	for _, c := range d.cookies {
		req.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
	}

	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= 400 || strings.Contains(string(body), `"error"`) {
		t.Fatalf("%s %s: %s, error %v\n%.500s", method, path, resp.Status, err, body)
	}
	return string(body)
}

// TestReconcileMatchesActionsAndFindsDirectChanges makes hundreds of changes as
// agents and three directly with the password of an account. byline reconcile
// matches each of the former to its record and reports each of the latter.
func TestReconcileMatchesActionsAndFindsDirectChanges(t *testing.T) {
	for name, s := range reconcileScenarios {
		t.Run(name, func(t *testing.T) {
			app := s.app(t)
			env := testenv.New(t, "")
			env.AddAdapter(app, "")
			accounts := []apps.Login{env.AddAccount(app, "Agent-01"), env.AddAccount(app, "Agent-02")}
			env.Start()

			time.Sleep(1100 * time.Millisecond) // histories have whole seconds: exclude the changes of earlier tests
			since := time.Now().UTC().Truncate(time.Second)
			acts, planted := s.run(t, env, app, accounts)
			if s.settle != nil {
				s.settle(t, app)
			}

			var got reports.Reconciliation
			r := env.Byline("reconcile", "--adapter", name, "--since", since.Format(time.RFC3339), "--sponsor", "auditor@acme.test", "--json")
			if err := json.Unmarshal([]byte(r.Out), &got); err != nil {
				t.Fatalf("byline reconcile: decode the output: %v\n%s", err, r)
			}
			checkReconciliation(t, got, acts, planted)
			if r.Code != 1 {
				t.Errorf("byline reconcile: exit %d, want 1 as there are %d direct changes", r.Code, planted)
			}
			t.Logf("%d actions, %d entries matched, %d direct changes; clock %+v, within %v", acts, len(got.Matched), planted, got.Skew, got.Tolerance)
		})
	}
}

// run runs two agents concurrently and makes direct changes in the meantime. It
// returns the numbers of both.
func (s *reconcileScenario) run(t *testing.T, env *testenv.Env, app *apps.App, accounts []apps.Login) (acts, planted int) {
	t.Helper()

	var agents sync.WaitGroup
	for i := range accounts {
		task := env.CreateTask(testenv.TaskSpec{
			Agent: fmt.Sprint("spiffe://acme.test/agent/", i), Sponsor: "alice@acme.test", Purpose: "INC-9", Allow: s.allow,
		})
		agent := env.NewAgent(task, app, nil)
		agents.Go(func() {
			s.change(t, agent, fmt.Sprint("worker", i), s.perAgent)
			env.EndTask(task)
		})
		acts += s.perAgent
	}

	for i := range 3 {
		time.Sleep(700 * time.Millisecond)
		l := accounts[i%len(accounts)]
		cookies, err := app.LoginAs(l.User, l.Password)
		if err != nil {
			t.Fatal(err)
		}
		s.changeDirectly(t, &directClient{app, cookies}, i)
		planted++
	}
	agents.Wait()
	return acts, planted
}

// checkReconciliation checks that every act is matched and every direct change
// is reported, and nothing else.
func checkReconciliation(t *testing.T, got reports.Reconciliation, acts, planted int) {
	t.Helper()

	matched := map[string]bool{} // records with at least one entry
	for _, m := range got.Matched {
		matched[m.Act.Record] = true
		if m.Act.Agent == "" || m.Act.Sponsor != "alice@acme.test" || m.Act.Grant == "" {
			t.Errorf("a matched action does not name agent, sponsor and grant: %+v", m.Act)
		}
	}
	if len(matched) != acts {
		t.Errorf("%d actions are matched, want %d", len(matched), acts)
	}
	if n := len(got.RecordOnly); n != 0 {
		t.Errorf("%d actions are in the record only, want 0; the first are %+v", n, got.RecordOnly[:min(3, n)])
	}

	if got.Verdict != reports.VerdictOutside || len(got.Findings) != 1 {
		t.Errorf("the verdict is %s with the findings %+v, want %s for the direct changes alone", got.Verdict, got.Findings, reports.VerdictOutside)
	}
	if n := len(got.ApplicationOnly); n != planted {
		t.Errorf("%d changes are in the history only, want %d: %+v", n, planted, got.ApplicationOnly)
	}
	for _, e := range got.ApplicationOnly {
		if !strings.HasPrefix(e.User, "Agent-0") {
			t.Errorf("a change in the history only is by %q, want a compensating account: %+v", e.User, e)
		}
	}
}
