package e2e

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/byline-proxy/byline/cmd/byline/e2e/apps"
	"github.com/byline-proxy/byline/cmd/byline/e2e/testenv"
)

// browser is where playwright-core and Debian's Chromium are.
func browser(t *testing.T) (program, modules string) {
	t.Helper()
	missing := func(what string) {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is missing: run cmd/byline/e2e/install.sh", what)
		}
		t.Skipf("%s is missing: run cmd/byline/e2e/install.sh", what)
	}
	program, err := exec.LookPath("chromium")
	if err != nil {
		missing("chromium")
	}
	if _, err := exec.LookPath("certutil"); err != nil {
		missing("certutil")
	}
	cache := os.Getenv("BYLINE_E2E_CACHE")
	if cache == "" {
		dir, err := os.UserCacheDir()
		if err != nil {
			t.Fatal(err)
		}
		cache = filepath.Join(dir, "byline-e2e")
	}
	modules = filepath.Join(cache, "browser", "node_modules")
	if _, err := os.Stat(filepath.Join(modules, "playwright-core")); err != nil {
		missing("playwright-core")
	}
	return program, modules
}

// inBrowser is what a person does in a browser at each application.
var inBrowser = map[string]struct {
	title string
	allow []string
	whole bool // every request of its pages is within the scope
}{
	"mediawiki":      {"Sandbox/Chromium", []string{"mediawiki:page.read,static.read", "mediawiki:page.edit@page/Sandbox*"}, true},
	"requesttracker": {"The printer is on fire", []string{"requesttracker:home.read,static.read,ticket.read,ticket.create"}, false},
	"wordpress": {"Printers on fire", []string{"wordpress:account.read,dashboard.read,static.read,site.read,taxonomy.read,editor.read,ajax.heartbeat",
		"wordpress:post.create,post.edit,post.read,post.list,media.list"}, false}, // the editor also asks for settings and themes, and goes on without
}

// TestI2ABrowserWithAPersonsSessionWorksUnderTheAccount drives a real browser
// whose profile holds alice's session. Its screenshots are kept in artefacts.
func TestI2ABrowserWithAPersonsSessionWorksUnderTheAccount(t *testing.T) {
	for name, work := range inBrowser {
		t.Run(name, func(t *testing.T) {
			app := jobs[name].app(t)
			program, modules := browser(t)
			h := testenv.New(t, "")
			h.AddAdapter(app, "")
			h.AddAccount(app, "Agent-01")
			h.Start()
			lent := testenv.BorrowCookies(t, app)
			h.AddBorrowed(lent)
			cookies, err := json.Marshal(plain(lent))
			if err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			r := h.RunToEnd(h.RunCommand(testenv.TaskSpec{Allow: work.allow}, "clients", []string{"APP=" + name, "BASE=" + app.PublicURL, "TITLE=" + work.title,
				"TEXT=Says a browser.", "COOKIES=" + string(cookies), "SHOTS=" + artefacts(t), "BROWSER=" + program, "NODE_PATH=" + modules}, "node", "chromium.cjs"))
			if r.Code != 0 {
				t.Fatal(r)
			}
			var said page
			if err := json.Unmarshal([]byte(r.Out), &said); err != nil {
				t.Fatalf("%v: %s", err, r)
			}
			said.check(t, work.title, work.whole)
			checkChange(t, app, began)
			checkBackground(t, h, strings.TrimPrefix(app.PublicURL, "https://"), work.whole)
			checkEnded(t, h, app)
		})
	}
}

func artefacts(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("artefacts")
	if err == nil {
		err = os.MkdirAll(dir, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// page is what a browser says of what it showed.
type page struct {
	User, Body, Shown        string // whom it takes its owner for, first and last
	Protocols, Failed, Wrong []string
}

func (p *page) check(t *testing.T, title string, whole bool) {
	t.Helper()
	if p.User != "Agent-01" || strings.TrimSpace(p.Shown) != "Agent-01" || !whole && !strings.Contains(p.Body, title) || whole && !strings.Contains(p.Body, "Says a browser.") {
		t.Errorf("whoever sits before the browser sees %+v", p)
	}
	if len(p.Protocols) != 1 || p.Protocols[0] != "h2" {
		t.Errorf("the browser speaks %v", p.Protocols)
	}
	if whole && len(p.Failed)+len(p.Wrong) > 0 {
		t.Errorf("a page is not whole: %v %v", p.Failed, p.Wrong)
	}
}

// checkChange wants what was done since to be by the account.
func checkChange(t *testing.T, app *apps.App, began time.Time) {
	t.Helper()
	done := 0
	for _, c := range app.History() {
		switch {
		case c.Time.Before(began.Add(-2 * time.Second)):
		case c.User == "Agent-01":
			done++
		case strings.EqualFold(c.User, "alice"):
			t.Errorf("the application says that alice did it: %+v", c)
		}
	}
	if done == 0 {
		t.Errorf("the application knows of no change by Agent-01: %+v", app.History())
	}
}

// checkBackground wants whatever a browser asks of its maker, for updates and
// lists of dangerous sites, to be refused as a host that no adapter names.
func checkBackground(t *testing.T, h *testenv.Env, host string, whole bool) {
	t.Helper()
	background := 0
	for _, r := range h.Records() {
		name, _, _ := strings.Cut(r.Host, ":")
		switch {
		case name == host:
			if whole && r.Kind == "refusal" && r.Code != "auth_required" {
				t.Errorf("the page's own request is refused: %+v", r)
			}
			if r.Kind == "intent" && r.Method == "POST" && len(r.Stripped) == 0 {
				t.Errorf("alice's cookies are not on record as stripped: %+v", r)
			}
		case name == "":
		case r.Kind != "refusal" || r.Code != "host_not_adapted" && r.Code != "auth_required":
			t.Errorf("a request to another host was not refused: %+v", r)
		default:
			background++
		}
	}
	if background == 0 {
		t.Error("the browser asked its maker for nothing: this test shows less than it says")
	}
	if strings.Contains(h.ServerLog(), `"level":"error"`) {
		t.Error("that is an error in the operator's log")
	}
}

type nameValue struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

func plain(cookies []*http.Cookie) (all []nameValue) {
	for _, c := range cookies {
		all = append(all, nameValue{c.Name, c.Value})
	}
	return all
}
