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

// deeds are what agents do at one application, and what somebody does there who
// has an account's password.
type deeds struct {
	app    func(testing.TB) *apps.App
	allow  []string
	each   int // for each of two agents
	agent  func(t *testing.T, g *testenv.Agent, who string, n int) (acts int)
	direct func(t *testing.T, d *direct, n int)
}

var logged = map[string]deeds{
	"mediawiki": {app: testenv.MediaWiki, each: 150, agent: changeWiki, direct: func(t *testing.T, d *direct, n int) {
		d.post(t, "/api.php", url.Values{"action": {"edit"}, "title": {fmt.Sprint("Planted ", n)}, "text": {"by hand"}, "token": {wikiToken(d.get(t, tokenPath))}, "format": {"json"}})
	}, allow: []string{"mediawiki:api.query", "mediawiki:page.edit,page.move@page/Sandbox*"}},
	"requesttracker": {app: testenv.RequestTracker, each: 100, agent: changeTracker, direct: func(t *testing.T, d *direct, n int) {
		testenv.WaitUntil(t, "somebody has made ticket 1", func() bool { return len(d.app.History()) > 0 })
		d.post(t, "/Ticket/Update.html", url.Values{"id": {"1"}, "UpdateType": {"private"}, "UpdateContent": {fmt.Sprint("planted ", n)}, "Action": {"Comment"}, "SubmitTicket": {"Update"}})
	}, allow: []string{"requesttracker:ticket.create,ticket.comment,ticket.reply,ticket.update,log.read"}},
}

const tokenPath = "/api.php?action=query&meta=tokens&format=json"

func wikiToken(page string) string {
	var answer struct {
		Query struct{ Tokens struct{ CSRFToken string } }
	}
	_ = json.Unmarshal([]byte(page), &answer) // the edit says what is wrong with the token
	return answer.Query.Tokens.CSRFToken
}

// changeWiki edits and moves pages in turn.
func changeWiki(t *testing.T, g *testenv.Agent, who string, n int) (acts int) {
	token := wikiToken(g.Get(tokenPath).Want(t, 200, "csrftoken").Body)
	for i := range n {
		page := fmt.Sprintf("Sandbox/%s %d", who, i%20)
		form := url.Values{"action": {"edit"}, "title": {page}, "text": {fmt.Sprint("text ", i)}, "token": {token}, "format": {"json"}}
		if i%25 == 24 {
			form = url.Values{"action": {"move"}, "from": {page}, "to": {fmt.Sprintf("Sandbox/%s moved %d", who, i)}, "noredirect": {"1"}, "token": {token}, "format": {"json"}}
		}
		if a := g.Post("/api.php", form).Want(t, 200, ""); strings.Contains(a.Body, `"error"`) {
			t.Errorf("%s: %s", form.Get("action"), a.Body)
		}
		g.Get("/api.php?action=query&prop=info&titles=" + url.QueryEscape(page) + "&format=json") // reading leaves no entry
	}
	return n
}

// changeTracker makes tickets and comments on, answers and changes them.
func changeTracker(t *testing.T, g *testenv.Agent, who string, n int) (acts int) {
	ticket := ""
	for i := range n {
		switch i % 5 {
		case 0:
			made := g.SendJSON("POST", "/REST/2.0/ticket", fmt.Sprintf(`{"Queue":"General","Subject":"%s %d","Content":"made"}`, who, i)).Want(t, 201, "")
			ticket = made.Header.Get("Location")[strings.LastIndex(made.Header.Get("Location"), "/")+1:]
		case 1, 3:
			g.SendJSON("POST", "/REST/2.0/ticket/"+ticket+"/comment", `{"ContentType":"text/plain","Content":"a comment"}`).Want(t, 201, "")
		case 2:
			g.SendJSON("POST", "/REST/2.0/ticket/"+ticket+"/correspond", `{"ContentType":"text/plain","Content":"an answer"}`).Want(t, 201, "")
		case 4:
			g.SendJSON("PUT", "/REST/2.0/ticket/"+ticket, fmt.Sprintf(`{"Subject":"changed %d"}`, i)).Want(t, 200, "")
		}
	}
	return n
}

// direct is a person with an account's password, past the proxy.
type direct struct {
	app     *apps.App
	cookies []*http.Cookie
}

func (d *direct) get(t *testing.T, path string) string { return d.do(t, "GET", path, nil) }

func (d *direct) post(t *testing.T, path string, form url.Values) string {
	return d.do(t, "POST", path, form)
}

func (d *direct) do(t *testing.T, method, path string, form url.Values) string {
	t.Helper()
	q, err := http.NewRequest(method, d.app.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	q.Host = strings.TrimPrefix(d.app.PublicURL, "https://")
	q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	q.Header.Set("Referer", d.app.PublicURL+"/")
	for _, c := range d.cookies {
		q.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
	}
	a, err := http.DefaultTransport.RoundTrip(q)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	b, err := io.ReadAll(a.Body)
	if err != nil || a.StatusCode >= 400 || strings.Contains(string(b), `"error"`) {
		t.Fatalf("%s %s: %s %v\n%.500s", method, path, a.Status, err, b)
	}
	return string(b)
}

// TestReconcileFindsEveryDeedAndEveryPlantedLogin: each of hundreds of mixed
// actions is matched, and each of three changes that somebody made with an
// account's own password is found.
func TestReconcileFindsEveryDeedAndEveryPlantedLogin(t *testing.T) {
	for name, d := range logged {
		t.Run(name, func(t *testing.T) {
			app := d.app(t)
			h := testenv.New(t, "")
			h.AddAdapter(app, "")
			logins := []apps.Login{h.AddAccount(app, "Agent-01"), h.AddAccount(app, "Agent-02")}
			h.Start()
			time.Sleep(1100 * time.Millisecond) // applications count seconds: what others did before is not ours
			since := time.Now().UTC().Truncate(time.Second)
			acts, planted := d.carryOut(t, h, app, logins)

			var got reports.Reconciliation
			r := h.Byline("reconcile", "--adapter", name, "--since", since.Format(time.RFC3339), "--sponsor", "auditor@acme.test", "--json")
			if err := json.Unmarshal([]byte(r.Out), &got); err != nil {
				t.Fatalf("%v\n%s", err, r)
			}
			causes := map[string]bool{}
			for _, m := range got.Matched {
				causes[m.Act.Record] = true
				if m.Act.Agent == "" || m.Act.Sponsor != "alice@acme.test" || m.Act.Grant == "" {
					t.Errorf("a match without its task: %+v", m.Act)
				}
			}
			if len(causes) != acts || len(got.RecordOnly) != 0 {
				t.Errorf("%d of %d actions matched, record only: %d %+v", len(causes), acts, len(got.RecordOnly), got.RecordOnly[:min(3, len(got.RecordOnly))])
			}
			if len(got.ApplicationOnly) != planted || r.Code != 1 {
				t.Errorf("%d of %d planted changes found, exit %d: %+v", len(got.ApplicationOnly), planted, r.Code, got.ApplicationOnly)
			}
			for _, e := range got.ApplicationOnly {
				if !strings.HasPrefix(e.User, "Agent-0") {
					t.Errorf("found outside: %+v", e)
				}
			}
			t.Logf("%d actions, %d entries matched, %d planted; clock %+v, within %v", acts, len(got.Matched), planted, got.Skew, got.Tolerance)
		})
	}
}

// carryOut lets two agents work side by side, and plants what somebody else does
// meanwhile.
func (d *deeds) carryOut(t *testing.T, h *testenv.Env, app *apps.App, logins []apps.Login) (acts, planted int) {
	var wait sync.WaitGroup
	var mu sync.Mutex
	for i := range logins {
		task := h.CreateTask(testenv.TaskSpec{Agent: fmt.Sprint("spiffe://acme.test/agent/", i), Sponsor: "alice@acme.test", Purpose: "INC-9", Allow: d.allow})
		agent := h.NewAgent(task, app, nil)
		wait.Go(func() {
			n := d.agent(t, agent, fmt.Sprint("worker", i), d.each)
			mu.Lock()
			acts += n
			mu.Unlock()
			h.EndTask(task)
		})
	}
	for i := range 3 {
		time.Sleep(700 * time.Millisecond)
		l := logins[i%len(logins)]
		cookies, err := app.LoginAs(l.User, l.Password)
		if err != nil {
			t.Fatal(err)
		}
		d.direct(t, &direct{app, cookies}, i)
		planted++
	}
	wait.Wait()
	return acts, planted
}
