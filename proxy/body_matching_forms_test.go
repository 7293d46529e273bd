package proxy

import (
	"fmt"
	"net/http"
	"testing"
)

// formMatchingTests are applications with fields such as issue[notes] in forms,
// and with the methods of WebDAV.
var formMatchingTests = []exampleTest{
	{adapter: "nestedfields", app: nestedFieldsApp, logsOut: true, run: runNestedFields},
	{adapter: "webdav", app: basicApp, run: runWebDAV},
}

// nestedFieldsApp works like an application in Rails: every form has a token, and
// the login sets a cookie that a browser keeps.
func nestedFieldsApp(a *exampleApp) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		session := cookieValue(r, "autologin")
		user := a.userOf(session)
		switch {
		case r.Method == "GET" && r.URL.Path == "/login":
			http.SetCookie(w, &http.Cookie{Name: "_app", Value: "before-login", Path: "/"})
			fmt.Fprint(w, `<form id=login method=post><input type=hidden name=authenticity_token value="a+b/c=="></form>`)

		case r.URL.Path == "/login":
			if r.FormValue("authenticity_token") != "a+b/c==" || cookieValue(r, "_app") != "before-login" || r.FormValue("password") != canaryPassword {
				return
			}
			http.SetCookie(w, &http.Cookie{Name: "autologin", Value: a.createSession("agent-01"), Path: "/"})
			http.Redirect(w, r, "/my/page", http.StatusFound)

		case user == "":
			http.Redirect(w, r, "/login?back_url="+r.URL.Path, http.StatusFound)

		case r.URL.Path == "/my/page":
			fmt.Fprint(w, `<meta name="csrf-token" content="x+y">`)

		case r.URL.Path == "/logout" && r.FormValue("authenticity_token") == "x+y":
			a.endSession(session)
			http.Redirect(w, r, "/", http.StatusFound)

		default:
			a.writePage(w, r, user+" with "+r.FormValue("issue[notes]"))
		}
	})
}

// runNestedFields checks that an action is named only if every field of the form
// is one that the adapter lists.
func runNestedFields(t *testing.T, e *exampleAgent) {
	permit := func(want, target, body string) {
		t.Helper()
		e.want(200, want, "POST", target, body, "Content-Type", formType)
	}
	refuse := func(code Code, target, body string) {
		t.Helper()
		e.wantRefusal(code, "POST", target, body, "Content-Type", formType)
	}

	readAndRenew("/issues/7")(t, e)
	const edit = "_method=patch&authenticity_token=t&issue%5Bis_private%5D=0&issue%5Bis_private%5D=1&issue%5Bnotes%5D=seen"
	permit("agent-01 with seen", "/issues/7", edit)
	refuse(OutOfScope, "/issues/7", edit+"&issue%5Bproject_id%5D=2")
	refuse(AmbiguousRequest, "/issues/7", edit+"&issue%5Bproject_id%5D%5B%5D=2")
	refuse(AmbiguousRequest, "/issues/7", edit+"&Issue%5Bproject_id%5D=2")
	refuse(AmbiguousRequest, "/issues/7", edit+"&issue=2")
	refuse(ActionUnclassified, "/issues/7", edit+"&admin=1")

	permit("/wiki of agent-01", "/wiki?id=start", "id=start&text=x&do%5Bsave%5D=1")
	refuse(ActionUnclassified, "/wiki?id=start", "id=other&do%5Bsave%5D=1")
	refuse(ActionUnclassified, "/wiki?id=start", "id=start&do%5Bsave%5D=1&do%5Bdelete%5D=1")
	refuse(ActionUnclassified, "/wiki?id=Start", "id=Start&do%5Bsave%5D=1")
}

// TestI1LogSaysWhyNoActionMatches checks that the log tells the author of an
// adapter why no action matches, without words that the agent chose.
func TestI1LogSaysWhyNoActionMatches(t *testing.T) {
	x := exampleTest{
		adapter: "nestedfields", app: nestedFieldsApp,
		logContains: `"near":["issue.edit: only does not list the parameter …"`,
		run: func(_ *testing.T, e *exampleAgent) {
			e.wantRefusal(ActionUnclassified, "POST", "/issues/7?canary-name=canary-value", "_method=patch&canary-name=1", "Content-Type", formType)
		},
	}
	x.test(t)
}

func runWebDAV(_ *testing.T, e *exampleAgent) {
	e.want(200, "of agent-01", "PROPFIND", "/a/work/", "<propfind/>", "Content-Type", "application/xml", "Depth", "1")
	e.want(200, "of agent-01", "PUT", "/a/work/1.ics", "BEGIN:VCALENDAR", "Content-Type", "text/calendar")
	for _, destination := range []string{"https://example.com/a/work/2.ics", "/a/work/2.ics"} {
		e.want(200, "of agent-01", "MOVE", "/a/work/1.ics", "", "Destination", destination)
	}
	for _, destination := range []string{
		"/a/home/2.ics", "/a/work/../home/2.ics", "/a/work/x/2.ics", "/a/work/%2e%2e%2fhome%2f2.ics", "/a/work/2.ics?x=.ics",
		"https://example.com/b/work/2.ics", "https://other.example/a/work/2.ics", "//other.example/a/work/2.ics", "",
	} {
		e.wantRefusal(ActionUnclassified, "MOVE", "/a/work/1.ics", "", "Destination", destination)
	}
	e.wantRefusal(OutOfScope, "DELETE", "/a/work/", "")
	e.wantRefusal(ActionUnclassified, "PROPPATCH", "/a/work/", "<x/>", "Content-Type", "application/xml")
}
