package testenv

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/byline-proxy/byline/cmd/byline/e2e/apps"
)

// AddAdapter writes an adapter for app that extends the library's adapter of
// the same name. more is YAML that is appended. From then on every request that
// the application receives is searched for borrowed cookies and task tokens.
func (e *Env) AddAdapter(app *apps.App, more string) {
	e.t.Helper()

	host := strings.TrimPrefix(app.PublicURL, "https://")
	e.WriteFile("adapters.d/"+app.Name+".yaml", fmt.Sprintf(`name: %s
extends: %s
interim: {reason: "no identity but a person's", owner: secops@acme.test, review_by: 2099-01-01}
hosts: [%s]
upstream: {url: "%s"}
%s
`, app.Name, app.Name, host, app.URL, more))

	for _, known := range e.apps {
		if known.Name == app.Name {
			return
		}
	}
	e.apps = append(e.apps, app)
	app.OnForget(func(requests []apps.Request) {
		e.secrets.mu.Lock()
		defer e.secrets.mu.Unlock()
		searchRequests(e.t, app, requests, newIndex(e.secrets.borrowed, e.secrets.tokens))
	})
	e.t.Cleanup(func() { app.OnForget(nil) })
}

// AddAccount creates a compensating account at a shared application, once for
// all installations, and stores it in the vault under its name in lower case.
func (e *Env) AddAccount(app *apps.App, name string) apps.Login {
	e.t.Helper()
	l := sharedUser(app, name)
	e.PutAccount(app.Name, strings.ToLower(name), map[string]string{"username": l.User, "password": l.Password})
	return l
}

// PutAccount stores the fields of an account with byline vault put. All fields
// but username are secrets.
func (e *Env) PutAccount(adapter, account string, fields map[string]string) {
	e.t.Helper()

	var lines strings.Builder
	for name, value := range fields {
		fmt.Fprintf(&lines, "%s=%s\n", name, value)
		if name != "username" {
			e.secrets.addAccountSecret(adapter+"/"+account+" "+name, value)
		}
	}
	if r := e.BylineWithInput(lines.String(), "vault", "put", adapter, account); r.Code != 0 {
		e.t.Fatalf("byline vault put: %s", r)
	}
}

// AddSecret registers a value that neither agents nor operators may see. what
// describes it in failure messages.
func (e *Env) AddSecret(what, value string) { e.secrets.addAccountSecret(what, value) }

// AddBorrowed registers cookies that a person lends to a program. No
// application may receive them. It returns them as one Cookie header.
func (e *Env) AddBorrowed(cookies []*http.Cookie) string {
	var pairs []string
	for _, c := range cookies {
		e.secrets.addBorrowed(c)
		pairs = append(pairs, c.Name+"="+c.Value)
	}
	return strings.Join(pairs, "; ")
}
