package proxy

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"
)

// cookieLoginTests are applications that differ in how a session begins, goes on
// and ends.
var cookieLoginTests = []exampleTest{
	{adapter: "bound", app: boundApp, logsOut: true, run: runBound},
	{adapter: "rotating", app: rotatingApp, logsOut: true, run: readAndRenew("/page/1")},
	{adapter: "doublesubmit", app: doubleSubmitApp, logsOut: true, run: runDoubleSubmit},
	{adapter: "viewstate", app: viewStateApp, logsOut: true, run: runViewState},
	{adapter: "jsontoken", app: jsonTokenApp, logsOut: true, run: readAndRenew("/api/pages/1.json")},
	{
		adapter: "totp", app: totpApp, logsOut: true, run: readAndRenew("/page/1"),
		secret: map[string]string{"username": "agent-01", "password": canaryPassword, "totp_seed": totpURL},
	},
	{adapter: "sso", app: ssoApp, otherHost: ssoProvider, run: runSSO},
	{adapter: "challenge", app: challengeApp, logsOut: true, run: readAndRenew("/page/1")},
}

// boundApp binds a session to three header fields. The login replaces the cookie.
// Every answer deletes the cookie and sets it again, once for each of two paths.
func boundApp(a *exampleApp) http.Handler {
	var mu sync.Mutex
	boundTo := map[string]string{} // token → browserOf of its requests
	browserOf := func(r *http.Request) string {
		return r.Header.Get("User-Agent") + "|" + r.Header.Get("Accept-Language") + "|" + r.Header.Get("Accept-Encoding")
	}
	setCookies := func(w http.ResponseWriter, r *http.Request, token string) {
		mu.Lock()
		boundTo[token] = browserOf(r)
		mu.Unlock()
		http.SetCookie(w, &http.Cookie{Name: "SID", Value: "deleted", Path: "/", MaxAge: -1})
		http.SetCookie(w, &http.Cookie{Name: "SID", Value: token, Path: "/"})
		http.SetCookie(w, &http.Cookie{Name: "SID", Value: token + "-reports", Path: "/reports"})
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token := cookieValue(r, "SID") // the first, which must be that of the longest path
		if strings.HasPrefix(r.URL.Path, "/reports") {
			var ok bool
			if token, ok = strings.CutSuffix(token, "-reports"); !ok {
				http.Error(w, "the wrong one of two cookies", http.StatusBadRequest)
				return
			}
		}

		switch {
		case r.URL.Path == "/login" && r.Method == "GET":
			setCookies(w, r, a.createSession("")) // before the login, of no user

		case r.URL.Path == "/login":
			if r.FormValue("pass") != canaryPassword || token == "" {
				http.Error(w, "no", http.StatusForbidden)
				return
			}
			a.endSession(token)
			setCookies(w, r, a.createSession(r.FormValue("user")))
			http.Redirect(w, r, "/page/1", http.StatusFound)

		case a.userOf(token) == "":
			http.Redirect(w, r, "/login", http.StatusFound)

		case boundTo[token] != browserOf(r):
			a.endSession(token)
			http.Error(w, "this session belongs to another browser", http.StatusForbidden)

		case r.URL.Path == "/logout":
			a.endSession(token)

		default:
			user := a.userOf(token)
			setCookies(w, r, token)
			a.writePage(w, r, user)
		}
	})
}

func runBound(_ *testing.T, e *exampleAgent) {
	e.want(200, "of agent-01", "GET", "/page/1", "", "User-Agent", "curl/8", "Accept-Language", "de")
	e.want(200, "of agent-01", "GET", "/reports/2", "", "User-Agent", "python/3", "Accept-Language", "fr", "Accept-Encoding", "br")
	e.app.endAllSessions()
	e.want(200, "of agent-01", "GET", "/reports/2", "", "User-Agent", "node")
	e.want(200, "of agent-01", "GET", "/page/1", "")
}

// rotatingApp replaces both its cookies in every answer and then rejects the old
// ones. It repeats an old one, which Byline must mask.
func rotatingApp(a *exampleApp) http.Handler {
	setCookies := func(w http.ResponseWriter, user string) {
		token := a.createSession(user)
		http.SetCookie(w, &http.Cookie{Name: "sid_a", Value: token, Path: "/"})
		http.SetCookie(w, &http.Cookie{Name: "sid_b", Value: token + "-b", Path: "/"})
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		first, second := cookieValue(r, "sid_a"), cookieValue(r, "sid_b")
		user := a.userOf(first)
		a.endSession(first)

		switch {
		case r.URL.Path == "/login":
			if r.FormValue("pass") != canaryPassword {
				fmt.Fprint(w, "Wrong password")
				return
			}
			setCookies(w, r.FormValue("user"))

		case user == "" || second != first+"-b":
			fmt.Fprint(w, `<form id=login><input name=user><input type=password name=pass></form>`)

		case r.URL.Path == "/logout":

		default:
			setCookies(w, user)
			fmt.Fprintf(w, "<!-- %s -->", first)
			a.writePage(w, r, user)
		}
	})
}

// doubleSubmitApp sets an anti-forgery cookie only at login, and demands its
// decoded value in a field of every POST.
func doubleSubmitApp(a *exampleApp) http.Handler {
	csrfOf := func(token string) string {
		sum := md5.Sum([]byte(token))
		return "xsrf=" + hex.EncodeToString(sum[:]) + "=="
	}
	setCookies := func(w http.ResponseWriter, token string) {
		http.SetCookie(w, &http.Cookie{Name: "session", Value: token, Path: "/", HttpOnly: true})
		http.SetCookie(w, &http.Cookie{Name: "XSRF-TOKEN", Value: url.QueryEscape(csrfOf(token)), Path: "/"})
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token := cookieValue(r, "session")
		csrf, _ := url.QueryUnescape(cookieValue(r, "XSRF-TOKEN"))
		matches := csrf != "" && r.Header.Get("X-XSRF-TOKEN") == csrf

		switch {
		case r.URL.Path == "/api/csrf" && a.userOf(token) == "":
			setCookies(w, a.createSession("nobody"))

		case r.URL.Path == "/api/csrf":

		case r.URL.Path == "/api/login":
			var in struct{ User, Password string }
			if err := json.NewDecoder(r.Body).Decode(&in); err != nil || !matches || in.Password != canaryPassword {
				fmt.Fprint(w, `{"ok":false}`)
				return
			}
			a.endSession(token)
			setCookies(w, a.createSession(in.User))
			fmt.Fprint(w, `{"ok": true}`)

		case a.userOf(token) == "" || a.userOf(token) == "nobody":
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `{"error": "no session"}`)

		case r.Method == "POST" && (!matches || csrf != csrfOf(token)):
			http.Error(w, "forged", http.StatusForbidden)

		case r.URL.Path == "/api/logout":
			a.endSession(token)

		default:
			a.writePage(w, r, a.userOf(token))
		}
	})
}

// runDoubleSubmit checks that the agent gets the anti-forgery cookie once for each
// session, as its scripts need the value.
func runDoubleSubmit(t *testing.T, e *exampleAgent) {
	_, _, header := e.send("GET", "/page/1", "", "Cookie", "XSRF-TOKEN=of-alice")
	cookies := (&http.Response{Header: header}).Cookies()
	if len(cookies) != 1 || cookies[0].Name != "XSRF-TOKEN" {
		t.Fatalf("the agent got the cookies %v, want XSRF-TOKEN", cookies)
	}
	cookie := "XSRF-TOKEN=" + cookies[0].Value
	csrf, _ := url.QueryUnescape(cookies[0].Value)

	e.want(200, "of agent-01", "POST", "/page/1", "text=x", "Cookie", cookie, "X-XSRF-TOKEN", csrf, "Content-Type", formType)
	e.want(403, "forged", "POST", "/page/1", "text=x", "Cookie", "XSRF-TOKEN=of-alice", "X-XSRF-TOKEN", "of-alice", "Content-Type", formType)
	if _, _, header := e.send("GET", "/page/1", "", "Cookie", cookie); header.Get("Set-Cookie") != "" {
		t.Errorf("an agent that has the cookie got Set-Cookie %q, want none", header.Get("Set-Cookie"))
	}

	e.app.endAllSessions()
	if _, _, header := e.send("GET", "/page/1", "", "Cookie", cookie); !strings.Contains(header.Get("Set-Cookie"), "XSRF-TOKEN=") {
		t.Errorf("in a new session the agent got Set-Cookie %q, want XSRF-TOKEN", header.Get("Set-Cookie"))
	}
}

// viewStateApp puts a value derived from the session into every form and demands
// it back. It repeats session and user in pages and redirects.
func viewStateApp(a *exampleApp) http.Handler {
	viewStateOf := func(token string) string {
		mac := hmac.New(sha256.New, []byte("server"))
		_, _ = mac.Write([]byte(token))
		return hex.EncodeToString(mac.Sum(nil)) + "+/="
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token := cookieValue(r, ".ASPXAUTH")
		path := strings.ToLower(r.URL.Path)
		writeForm := func() {
			viewState := strings.ReplaceAll(viewStateOf(token), "+", "&#43;")
			fmt.Fprintf(w, `<form id="aspnetForm"><input type="hidden" name="__VIEWSTATE" value="%s" /><input type="hidden" name="__EVENTTARGET" value="">
				<input type="text" name="q"></form><a href="/s/(%s)/">%s</a>`, viewState, token, a.userOf(token))
		}

		switch {
		case path == "/login.aspx" && r.Method == "GET":
			writeForm()

		case path == "/login.aspx":
			if r.FormValue("__VIEWSTATE") != viewStateOf("") || r.FormValue("ctl00$pass") != canaryPassword {
				http.Error(w, "validation of viewstate failed", http.StatusInternalServerError)
				return
			}
			user := r.FormValue("ctl00$user")
			http.SetCookie(w, &http.Cookie{Name: ".ASPXAUTH", Value: a.createSession(user), Path: "/"})
			http.SetCookie(w, &http.Cookie{Name: "UserName", Value: user, Path: "/"})
			http.Redirect(w, r, "/Default.aspx", http.StatusFound)

		case a.userOf(token) == "":
			http.Redirect(w, r, "/Login.aspx?ReturnUrl="+url.QueryEscape(r.URL.Path), http.StatusFound)

		case path == "/logout.aspx":
			a.endSession(token)

		case r.Method == "POST" && r.FormValue("__VIEWSTATE") != viewStateOf(token):
			http.Error(w, "validation of viewstate failed", http.StatusInternalServerError)

		case r.Method == "POST":
			http.Redirect(w, r, "/Pages/1.aspx?saved="+token+"&by="+a.userOf(token), http.StatusFound)

		default:
			writeForm()
		}
	})
}

func runViewState(t *testing.T, e *exampleAgent) {
	_, page, _ := e.send("GET", "/pages/1.ASPX", "")
	if !strings.Contains(page, "agent-01") || !strings.Contains(page, "/s/(****") {
		t.Fatalf("GET /pages/1.ASPX: got %s, want the user's name and the session masked", page)
	}
	_, rest, _ := strings.Cut(page, `name="__VIEWSTATE" value="`)
	state, _, _ := strings.Cut(rest, "&#43;")
	form := "__VIEWSTATE=" + state + "%2B%2F%3D&__EVENTTARGET="

	status, _, header := e.send("POST", "/Pages/1.aspx", form+"save&text=x", "Content-Type", formType)
	location := header.Get("Location")
	if status != 302 || !strings.Contains(location, "saved=****") || !strings.HasSuffix(location, "by=agent-01") {
		t.Errorf("POST /Pages/1.aspx: status %d, Location %s; want 302, the session masked and the user's name", status, location)
	}

	e.wantRefusal(ActionUnclassified, "POST", "/Pages/1.aspx", form+"delete", "Content-Type", formType)
	e.wantRefusal(OutOfScope, "GET", "/ADMIN/users.aspx", "")
	e.wantRefusal(LoginByAgent, "POST", "/LOGIN.aspx", "x=1", "Content-Type", formType)
	e.app.endAllSessions()
	e.want(200, "agent-01", "GET", "/Pages/1.aspx", "")
}

// jsonTokenApp returns its token in a JSON body and repeats it in a field, which
// Byline must remove.
func jsonTokenApp(a *exampleApp) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token := r.Header.Get("X-Session-Token")
		switch {
		case r.URL.Path == "/api/session" && r.Method == "POST":
			var in struct {
				Credentials struct{ Login, Secret string }
			}
			if err := json.NewDecoder(r.Body).Decode(&in); err != nil || in.Credentials.Secret != canaryPassword {
				w.WriteHeader(http.StatusForbidden)
				return
			}
			w.WriteHeader(http.StatusCreated)
			fmt.Fprintf(w, `{"session": {"token": %q, "ttl": 60}}`, a.createSession(in.Credentials.Login))

		case a.userOf(token) == "":
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"error": {"code": "session_expired"}}`)

		case r.URL.Path == "/api/session":
			a.endSession(token)
			w.WriteHeader(http.StatusNoContent)

		default:
			w.Header().Set("X-Session-Token", token)
			a.writePage(w, r, a.userOf(token))
		}
	})
}

// totpURL has a period so short that a test can wait for the next code.
const (
	totpSeed = "JBSWY3DPEHPK3PXP"
	totpURL  = "otpauth://totp/acme:agent-01?secret=" + totpSeed + "&algorithm=SHA256&digits=8&period=2"
)

// totpApp asks for a one-time code on a second page and accepts each code once
// (RFC 6238, Section 5.2).
func totpApp(a *exampleApp) http.Handler {
	var mu sync.Mutex
	used := map[string]bool{}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token := cookieValue(r, "sid")
		switch {
		case r.URL.Path == "/login" && r.Method == "POST":
			if r.FormValue("pass") != canaryPassword {
				http.Error(w, "no", http.StatusForbidden)
				return
			}
			state := hex.EncodeToString([]byte(r.FormValue("user")))
			fmt.Fprintf(w, `<form><input type=hidden name=state value="%s"><input name=otp></form>`, state)

		case r.URL.Path == "/login/otp":
			code := r.FormValue("otp")
			valid, err := totp.ValidateCustom(code, totpSeed, time.Now(), totp.ValidateOpts{
				Period: 2, Skew: 1, Digits: otp.DigitsEight, Algorithm: otp.AlgorithmSHA256,
			})
			mu.Lock()
			again := used[code]
			used[code] = true
			mu.Unlock()
			user, stateErr := hex.DecodeString(r.FormValue("state"))
			if !valid || err != nil || again || stateErr != nil {
				a.t.Errorf("the application received a code: valid %v, error %v, used before %v, error in state %v; want a new valid one", valid, err, again, stateErr)
				http.Error(w, "no", http.StatusForbidden)
				return
			}
			http.SetCookie(w, &http.Cookie{Name: "sid", Value: a.createSession(string(user)), Path: "/"})
			http.Redirect(w, r, "/", http.StatusFound)

		case a.userOf(token) == "":
			http.Redirect(w, r, "/login", http.StatusFound)

		case r.URL.Path == "/logout":
			a.endSession(token)

		default:
			a.writePage(w, r, a.userOf(token))
		}
	})
}

const (
	ssoSession   = "canary-app-session-1"
	ssoAssertion = "canary-statement-of-" // followed by the user
)

// ssoApp redirects to the identity provider and accepts the assertion that comes
// back. Its one session is called "app".
func ssoApp(a *exampleApp) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user := a.userOf("app")
		switch {
		case r.URL.Path == "/saml/start":
			http.SetCookie(w, &http.Cookie{Name: "relay", Value: "r1", Path: "/saml"})
			http.Redirect(w, r, a.otherURL+"/signin?SAMLRequest=req&RelayState=r1", http.StatusFound)

		case r.URL.Path == "/saml/acs":
			assertion, relay, origin := r.FormValue("SAMLResponse"), cookieValue(r, "relay"), r.Header.Get("Origin")
			if assertion != ssoAssertion+"agent-01" || relay != "r1" || origin != a.otherURL {
				a.t.Errorf("the application received assertion %q, relay %q, Origin %q; want that of agent-01, r1, %s", assertion, relay, origin, a.otherURL)
			}
			a.setSession("app", "agent-01")
			http.SetCookie(w, &http.Cookie{Name: "app_session", Value: ssoSession, Path: "/"})
			http.Redirect(w, r, "home", http.StatusSeeOther)

		case cookieValue(r, "app_session") != ssoSession || user == "":
			http.Redirect(w, r, "/saml/start", http.StatusFound)

		case cookieValue(r, "idp") != "":
			a.t.Error("the application received a cookie of the identity provider")

		default:
			a.writePage(w, r, user)
		}
	})
}

// ssoProvider is the identity provider: a login form with hidden fields, and a
// page whose script posts the assertion to the application.
func ssoProvider(_ *exampleApp, appURL string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/signin" && r.Method == "GET":
			http.SetCookie(w, &http.Cookie{Name: "idp", Value: "canary-idp-cookie-1", Path: "/"})
			fmt.Fprintf(w, `<form id=signin action="/authenticate?step=1&amp;x=y"><input type=hidden name=relay value="%s"></form>`, r.FormValue("RelayState"))

		case r.URL.Path == "/authenticate":
			if r.FormValue("password") != canaryPassword || r.FormValue("x") != "y" || cookieValue(r, "idp") == "" {
				http.Error(w, "no", http.StatusForbidden)
				return
			}
			fmt.Fprintf(w, `<body onload="document.forms[0].submit()"><form method=post action="%s/saml/acs">
				<input type=hidden name=SAMLResponse value="%s"><input type=hidden name=RelayState value="%s"></form>`,
				appURL, ssoAssertion+r.FormValue("identifier"), r.FormValue("relay"))

		default:
			fmt.Fprint(w, "signed out")
		}
	})
}

func runSSO(_ *testing.T, e *exampleAgent) {
	e.want(200, "of agent-01", "GET", "/page/1", "")
	e.wantRefusal(LoginByAgent, "GET", "/saml/start", "")
	e.app.endSession("app")
	e.want(200, "of agent-01", "GET", "/page/1", "")
}

// challengeApp takes md5(challenge + md5(password)) instead of the password.
func challengeApp(a *exampleApp) http.Handler {
	const challenge = "00ff17"
	md5Hex := func(text string) string {
		sum := md5.Sum([]byte(text))
		return hex.EncodeToString(sum[:])
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token := cookieValue(r, "sid")
		switch {
		case r.URL.Path == "/login" && r.Method == "GET":
			fmt.Fprintf(w, "<script>var challenge = '%s';</script>", challenge)

		case r.URL.Path == "/login":
			if r.FormValue("response") != md5Hex(challenge+md5Hex(canaryPassword)) {
				http.Error(w, "no", http.StatusForbidden)
				return
			}
			http.SetCookie(w, &http.Cookie{Name: "sid", Value: a.createSession(r.FormValue("user")), Path: "/"})
			http.Redirect(w, r, "/", http.StatusFound)

		case a.userOf(token) == "":
			http.Redirect(w, r, "/login", http.StatusFound)

		case r.URL.Path == "/logout":
			a.endSession(token)

		default:
			a.writePage(w, r, a.userOf(token))
		}
	})
}
