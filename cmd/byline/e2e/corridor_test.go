package e2e

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/byline-proxy/byline/cmd/byline/e2e/apps"
	"github.com/byline-proxy/byline/cmd/byline/e2e/house"
)

// lend logs alice in as a person, past the proxy, and returns her cookies.
func lend(t *testing.T, a *apps.App) []*http.Cookie {
	t.Helper()
	alice := a.AddUser("Alice", house.Password())
	cookies, err := a.LoginAs(alice.User, alice.Password)
	if err != nil {
		t.Fatal(err)
	}
	return cookies
}

func TestWikiSmoke(t *testing.T) {
	wiki := house.Wiki(t)
	h := house.New(t, "")
	h.Serves(wiki, "")
	h.Account(wiki, "Agent-01")
	h.Start()
	task := h.Task(house.Spec{Allow: []string{"mediawiki:page.read,page.edit@page/Sandbox*"}})
	agent := h.Agent(task, wiki, lend(t, wiki))
	form := agent.Get("/index.php?title=Sandbox&action=edit").Want(t, 200, "wpEditToken")
	agent.Post("/index.php?title=Sandbox&action=submit", url.Values{
		"wpTextbox1": {"written by an agent"}, "wpSummary": {"through the corridor"}, "wpSave": {"Save"}, "wpUnicodeCheck": {"ℳ𝒲♥𝓊𝓃𝒾𝒸ℴ𝒹ℯ"}, "wpUltimateParam": {"1"},
		"wpEditToken": {house.Field(form.Body, "wpEditToken")}, "wpStarttime": {house.Field(form.Body, "wpStarttime")},
		"wpEdittime": {house.Field(form.Body, "wpEdittime")}, "model": {"wikitext"}, "format": {"text/x-wiki"}, "editRevId": {house.Field(form.Body, "editRevId")},
	}).Want(t, 302, "")
	agent.Get("/index.php?title=Sandbox").Want(t, 200, "written by an agent")

	h.End(task)
	for _, r := range h.Records() {
		t.Logf("%s %s %s %s %s %s %d %s", r.Kind, r.Action, r.Resource, r.Method, r.Path, r.Account, r.Status, r.Detail)
	}
}
