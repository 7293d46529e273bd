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

// browserScenario is what a person does in a browser at one application; the
// steps are in clients/chromium.cjs.
type browserScenario struct {
	title string // of what is created
	allow []string

	// complete: the scope permits every request of the pages. Otherwise pages
	// also request what the scope leaves out, and work without it.
	complete bool
}

var browserScenarios = map[string]browserScenario{
	"mediawiki": {
		title:    "Sandbox/Chromium",
		allow:    []string{"mediawiki:page.read,static.read", "mediawiki:page.edit@page/Sandbox*"},
		complete: true,
	},
	"requesttracker": {
		title: "The printer is on fire",
		allow: []string{"requesttracker:home.read,static.read,ticket.read,ticket.create"},
	},
	"wordpress": { // the editor also requests settings and themes
		title: "Printers on fire",
		allow: []string{
			"wordpress:account.read,dashboard.read,static.read,site.read,taxonomy.read,editor.read,ajax.heartbeat",
			"wordpress:post.create,post.edit,post.read,post.list,media.list",
		},
	},
}

// browserText is the text that the browser writes.
const browserText = "Says a browser."

// TestI2BrowserWithBorrowedSessionActsAsAccount drives Chromium with Alice's
// session in its profile. Screenshots are written to the folder artefacts.
func TestI2BrowserWithBorrowedSessionActsAsAccount(t *testing.T) {
	for name, s := range browserScenarios {
		t.Run(name, func(t *testing.T) {
			app := scenarios[name].app(t)
			chromium, modules := findBrowser(t)
			env := startEnv(t, app, "", "Agent-01")
			borrowed := testenv.BorrowCookies(t, app)
			env.AddBorrowed(borrowed)

			began := time.Now()
			command := env.RunCommand(testenv.TaskSpec{Allow: s.allow}, "clients", []string{
				"APP=" + name, "BASE=" + app.PublicURL, "TITLE=" + s.title, "TEXT=" + browserText, "COOKIES=" + encodeCookies(t, borrowed),
				"SHOTS=" + artefactsFolder(t), "BROWSER=" + chromium, "NODE_PATH=" + modules,
			}, "node", "chromium.cjs")
			r := env.RunToEnd(command)
			if r.Code != 0 {
				t.Fatalf("node chromium.cjs: want exit 0, got %s", r)
			}
			var report browserReport
			if err := json.Unmarshal([]byte(r.Out), &report); err != nil {
				t.Fatalf("node chromium.cjs: decode the output: %v: %s", err, r)
			}

			report.check(t, s)
			checkChangesSince(t, app, began)
			checkBrowserRecords(t, env, strings.TrimPrefix(app.PublicURL, "https://"), s.complete)
			checkTasksEnded(t, env)
			checkLoggedOut(t, env)
		})
	}
}

// findBrowser returns the path of Debian's Chromium and the folder of Node
// modules with playwright-core. It skips the test if one is missing, and fails
// it in CI.
func findBrowser(t *testing.T) (chromium, modules string) {
	t.Helper()
	requireInstalled := func(what string, err error) {
		t.Helper()
		if err == nil {
			return
		}
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is missing: run cmd/byline/e2e/install.sh", what)
		}
		t.Skipf("%s is missing: run cmd/byline/e2e/install.sh", what)
	}

	chromium, err := exec.LookPath("chromium")
	requireInstalled("chromium", err)
	_, err = exec.LookPath("certutil")
	requireInstalled("certutil", err)

	cache := os.Getenv("BYLINE_E2E_CACHE")
	if cache == "" {
		dir, err := os.UserCacheDir()
		if err != nil {
			t.Fatal(err)
		}
		cache = filepath.Join(dir, "byline-e2e")
	}
	modules = filepath.Join(cache, "browser", "node_modules")
	_, err = os.Stat(filepath.Join(modules, "playwright-core"))
	requireInstalled("playwright-core", err)
	return chromium, modules
}

func artefactsFolder(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("artefacts")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// encodeCookies encodes names and values as JSON for chromium.cjs.
func encodeCookies(t *testing.T, cookies []*http.Cookie) string {
	t.Helper()
	type nameValue struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
	var pairs []nameValue
	for _, c := range cookies {
		pairs = append(pairs, nameValue{c.Name, c.Value})
	}
	text, err := json.Marshal(pairs)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// browserReport is the output of chromium.cjs.
type browserReport struct {
	User      string   // that the first page shows as logged in
	Shown     string   // that the last page shows as logged in
	Body      string   // of the last page
	Protocols []string // of all requests
	Failed    []string // requests
	Wrong     []string // errors of scripts in the pages
}

func (r *browserReport) check(t *testing.T, s browserScenario) {
	t.Helper()

	if r.User != "Agent-01" || strings.TrimSpace(r.Shown) != "Agent-01" {
		t.Errorf("the pages show the user %q first and %q last, want Agent-01", r.User, r.Shown)
	}
	text := s.title
	if s.complete {
		text = browserText
	}
	if !strings.Contains(r.Body, text) {
		t.Errorf("the last page does not show %q: %s", text, r.Body)
	}
	if len(r.Protocols) != 1 || r.Protocols[0] != "h2" {
		t.Errorf("the browser used the protocols %v, want h2 only", r.Protocols)
	}
	if s.complete && len(r.Failed)+len(r.Wrong) > 0 {
		t.Errorf("a page is incomplete: failed requests %v, errors of scripts %v", r.Failed, r.Wrong)
	}
}

// checkChangesSince checks that the history has changes by the account since
// began, and none by Alice.
func checkChangesSince(t *testing.T, app *apps.App, began time.Time) {
	t.Helper()
	byAccount := 0
	for _, c := range app.History() {
		switch {
		case c.Time.Before(began.Add(-2 * time.Second)):
		case c.User == "Agent-01":
			byAccount++
		case strings.EqualFold(c.User, "alice"):
			t.Errorf("the history attributes a change to Alice: %+v", c)
		}
	}
	if byAccount == 0 {
		t.Errorf("the history has no change by Agent-01: %+v", app.History())
	}
}

// checkBrowserRecords checks that requests to host were permitted, and that the
// requests that Chromium sends to its maker in the background, for updates and
// lists of dangerous sites, were refused as hosts that no adapter names.
func checkBrowserRecords(t *testing.T, env *testenv.Env, host string, complete bool) {
	t.Helper()
	background := 0
	for _, r := range env.Records() {
		name, _, _ := strings.Cut(r.Host, ":")
		switch {
		case name == host:
			if complete && r.Kind == "refusal" && r.Code != "auth_required" {
				t.Errorf("a request of the page was refused: %+v", r)
			}
			if r.Kind == "intent" && r.Method == "POST" && len(r.Stripped) == 0 {
				t.Errorf("the intent does not record that Alice's cookies were stripped: %+v", r)
			}
		case name == "":
		case r.Kind != "refusal" || r.Code != "host_not_adapted" && r.Code != "auth_required":
			t.Errorf("a request to another host was not refused: %+v", r)
		default:
			background++
		}
	}

	if background == 0 {
		t.Error("Chromium sent no request in the background, so the test did not show that they are refused")
	}
	if strings.Contains(env.ServerLog(), `"level":"error"`) {
		t.Error("the log has an error, want none: such refusals are not errors")
	}
}
