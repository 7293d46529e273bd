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

	"github.com/byline-proxy/byline/cmd/byline/e2e/house"
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

// TestI2ABrowserWithAPersonsSessionWorksUnderTheAccount drives a real browser
// whose profile holds alice's session.
func TestI2ABrowserWithAPersonsSessionWorksUnderTheAccount(t *testing.T) {
	app := house.Wiki(t)
	program, modules := browser(t)
	h := house.New(t, "")
	h.Serves(app, "")
	h.Account(app, "Agent-01")
	h.Start()
	shots, err := filepath.Abs("artefacts")
	if err == nil {
		err = os.MkdirAll(shots, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	lent := house.Lend(t, app)
	h.Lent(lent)
	cookies, err := json.Marshal(plain(lent))
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	const title, text = "Sandbox/Chromium", "The printer is on fire, says a browser."
	r := h.Finish(h.Run(house.Spec{Allow: []string{"mediawiki:page.read,static.read", "mediawiki:page.edit@page/Sandbox*"}}, "clients", []string{
		"BASE=" + app.Public, "TITLE=" + title, "TEXT=" + text, "COOKIES=" + string(cookies), "SHOTS=" + shots, "BROWSER=" + program, "NODE_PATH=" + modules,
	}, "node", "chromium.cjs"))
	if r.Code != 0 {
		t.Fatal(r)
	}
	var said struct {
		User, Body, Shown        string
		Protocols, Failed, Wrong []string
	}
	if err := json.Unmarshal([]byte(r.Out), &said); err != nil {
		t.Fatalf("%v: %s", err, r)
	}
	checkHistory(t, app, began, title, text, "Agent-01")
	if !strings.Contains(said.Body, text) || said.Shown != "Agent-01" || said.User != "Agent-01" {
		t.Errorf("whoever sits before the browser sees %+v", said)
	}
	if len(said.Protocols) != 1 || said.Protocols[0] != "h2" {
		t.Errorf("the browser speaks %v", said.Protocols)
	}
	if len(said.Failed)+len(said.Wrong) > 0 {
		t.Errorf("a page is not whole: %v %v", said.Failed, said.Wrong)
	}
	if r := recordOf(t, h, "intent", "page.edit", "page/"+title); len(r.Stripped) < 3 {
		t.Errorf("alice's cookies are not on record as stripped: %+v", r)
	}
	checkBackground(t, h, "wiki.acme.test:443")
	checkEnded(t, h, app)
}

// checkBackground wants whatever a browser asks of its maker, for updates and
// lists of dangerous sites, to be refused as a host that no adapter names.
func checkBackground(t *testing.T, h *house.House, wiki string) {
	t.Helper()
	background := 0
	for _, r := range h.Records() {
		switch {
		case r.Host == wiki && r.Kind == "refusal" && r.Code != "auth_required":
			t.Errorf("the page's own request is refused: %+v", r)
		case r.Host == "" || r.Host == wiki || strings.HasPrefix(wiki, r.Host):
		case r.Kind != "refusal" || r.Code != "host_not_adapted" && r.Code != "auth_required":
			t.Errorf("a request to another host was not refused: %+v", r)
		default:
			background++
		}
	}
	if background == 0 {
		t.Error("the browser asked its maker for nothing: this test shows less than it says")
	}
	if strings.Contains(h.Log(), `"level":"error"`) {
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
