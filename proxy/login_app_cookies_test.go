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

// loginHabits are applications whose habits lie in how a session begins, goes on and ends.
var loginHabits = []habit{
	{example: "bound", app: boundApp, logsOut: true, drive: func(t *testing.T, v *visit) {
		v.want(200, "of agent-01", "GET", "/page/1", "", "User-Agent", "curl/8", "Accept-Language", "de")
		v.want(200, "of agent-01", "GET", "/reports/2", "", "User-Agent", "python/3", "Accept-Language", "fr", "Accept-Encoding", "br")
		v.saas.kill()
		v.want(200, "of agent-01", "GET", "/reports/2", "", "User-Agent", "node")
		v.want(200, "of agent-01", "GET", "/page/1", "")
	}},
	{example: "rotating", app: rotatingApp, logsOut: true, drive: reads("/page/1")},
	{example: "doublesubmit", app: doubleSubmitApp, logsOut: true, drive: driveDoubleSubmit},
	{example: "viewstate", app: viewStateApp, logsOut: true, drive: driveViewState},
	{example: "jsontoken", app: jsonTokenApp, logsOut: true, drive: reads("/api/pages/1.json")},
	{example: "totp", app: totpApp, logsOut: true, drive: reads("/page/1"), secret: map[string]string{
		"username": "agent-01", "password": canaryPassword, "totp_seed": totpURL}},
	{example: "sso", app: ssoApp, away: ssoHost, drive: func(t *testing.T, v *visit) {
		v.want(200, "of agent-01", "GET", "/page/1", "")
		v.refused(LoginByAgent, "GET", "/saml/start", "")
		v.saas.close("app")
		v.want(200, "of agent-01", "GET", "/page/1", "")
	}},
	{example: "challenge", app: challengeApp, logsOut: true, drive: reads("/page/1")},
}

// boundApp ties a session to three headers, replaces the cookie at login, sets it on two paths, and now and then deletes
// it and sets it anew in one answer.
func boundApp(s *saas) http.Handler {
	bound := map[string]string{}
	var mu sync.Mutex
	looks := func(r *http.Request) string {
		return r.Header.Get("User-Agent") + "|" + r.Header.Get("Accept-Language") + "|" + r.Header.Get("Accept-Encoding")
	}
	give := func(w http.ResponseWriter, r *http.Request, token string) {
		mu.Lock()
		bound[token] = looks(r)
		mu.Unlock()
		http.SetCookie(w, &http.Cookie{Name: "SID", Value: "deleted", Path: "/", MaxAge: -1})
		http.SetCookie(w, &http.Cookie{Name: "SID", Value: token, Path: "/"})
		http.SetCookie(w, &http.Cookie{Name: "SID", Value: token + "-reports", Path: "/reports"})
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token := cookieOf(r, "SID") // net/http takes the first: that of the longest path
		if strings.HasPrefix(r.URL.Path, "/reports") {
			var ok bool
			if token, ok = strings.CutSuffix(token, "-reports"); !ok {
				http.Error(w, "the wrong one of two cookies", http.StatusBadRequest)
				return
			}
		}
		switch {
		case r.URL.Path == "/login" && r.Method == "GET":
			give(w, r, s.open("")) // a session of nobody
		case r.URL.Path == "/login":
			if r.FormValue("pass") != canaryPassword || token == "" {
				http.Error(w, "no", http.StatusForbidden)
				return
			}
			s.close(token)
			give(w, r, s.open(r.FormValue("user")))
			http.Redirect(w, r, "/page/1", http.StatusFound)
		case s.user(token) == "":
			http.Redirect(w, r, "/login", http.StatusFound)
		case bound[token] != looks(r):
			s.close(token)
			http.Error(w, "this session belongs to another browser", http.StatusForbidden)
		case r.URL.Path == "/logout":
			s.close(token)
		default:
			user := s.user(token)
			give(w, r, token)
			s.page(w, r, user)
		}
	})
}

// rotatingApp replaces both of its cookies in every answer; the old pair is worth nothing.
func rotatingApp(s *saas) http.Handler {
	give := func(w http.ResponseWriter, user string) {
		token := s.open(user)
		http.SetCookie(w, &http.Cookie{Name: "sid_a", Value: token, Path: "/"})
		http.SetCookie(w, &http.Cookie{Name: "sid_b", Value: token + "-b", Path: "/"})
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a, b := cookieOf(r, "sid_a"), cookieOf(r, "sid_b")
		user := s.user(a)
		s.close(a)
		switch {
		case r.URL.Path == "/login":
			if r.FormValue("pass") != canaryPassword {
				fmt.Fprint(w, "Wrong password")
				return
			}
			give(w, r.FormValue("user"))
		case user == "" || b != a+"-b":
			fmt.Fprint(w, `<form id=login><input name=user><input type=password name=pass></form>`)
		case r.URL.Path == "/logout":
		default:
			give(w, user)
			fmt.Fprintf(w, "<!-- %s -->", a) // and it says what it had
			s.page(w, r, user)
		}
	})
}

// doubleSubmitApp gives an anti-forgery cookie at login alone and wants it back in a header, decoded.
func doubleSubmitApp(s *saas) http.Handler {
	csrf := func(token string) string {
		sum := md5.Sum([]byte(token))
		return "xsrf=" + hex.EncodeToString(sum[:]) + "=="
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token := cookieOf(r, "session")
		cookie, _ := url.QueryUnescape(cookieOf(r, "XSRF-TOKEN"))
		fits := cookie != "" && r.Header.Get("X-XSRF-TOKEN") == cookie
		give := func(token string) {
			http.SetCookie(w, &http.Cookie{Name: "session", Value: token, Path: "/", HttpOnly: true})
			http.SetCookie(w, &http.Cookie{Name: "XSRF-TOKEN", Value: url.QueryEscape(csrf(token)), Path: "/"})
		}
		switch {
		case r.URL.Path == "/api/csrf" && s.user(token) == "":
			give(s.open("nobody"))
		case r.URL.Path == "/api/csrf":
		case r.URL.Path == "/api/login":
			var in struct{ User, Password string }
			if err := json.NewDecoder(r.Body).Decode(&in); err != nil || !fits || in.Password != canaryPassword {
				fmt.Fprint(w, `{"ok":false}`)
				return
			}
			s.close(token)
			give(s.open(in.User))
			fmt.Fprint(w, `{"ok": true}`)
		case s.user(token) == "" || s.user(token) == "nobody":
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `{"error": "no session"}`)
		case r.Method == "POST" && (!fits || cookie != csrf(token)):
			http.Error(w, "forged", http.StatusForbidden)
		case r.URL.Path == "/api/logout":
			s.close(token)
		default:
			s.page(w, r, s.user(token))
		}
	})
}

func driveDoubleSubmit(t *testing.T, v *visit) {
	_, _, header := v.ask("GET", "/page/1", "", "Cookie", "XSRF-TOKEN=of-alice")
	given := (&http.Response{Header: header}).Cookies()
	if len(given) != 1 || given[0].Name != "XSRF-TOKEN" {
		t.Fatalf("the agent was given %v", given)
	}
	token, _ := url.QueryUnescape(given[0].Value)
	v.want(200, "of agent-01", "POST", "/page/1", "text=x", "Cookie", "XSRF-TOKEN="+given[0].Value, "X-XSRF-TOKEN", token, "Content-Type", form)
	v.want(403, "forged", "POST", "/page/1", "text=x", "Cookie", "XSRF-TOKEN=of-alice", "X-XSRF-TOKEN", "of-alice", "Content-Type", form)
	if _, _, header := v.ask("GET", "/page/1", "", "Cookie", "XSRF-TOKEN="+given[0].Value); header.Get("Set-Cookie") != "" {
		t.Errorf("an agent that has the token was given %q again", header.Get("Set-Cookie"))
	}
	v.saas.kill()
	if _, _, header := v.ask("GET", "/page/1", "", "Cookie", "XSRF-TOKEN="+given[0].Value); !strings.Contains(header.Get("Set-Cookie"), "XSRF-TOKEN=") {
		t.Error("the token of the new session was kept back")
	}
}

// viewStateApp puts a field that it derives from the session into every form, and says who the user is everywhere.
func viewStateApp(s *saas) http.Handler {
	state := func(token string) string {
		mac := hmac.New(sha256.New, []byte("server"))
		_, _ = mac.Write([]byte(token))
		return hex.EncodeToString(mac.Sum(nil))
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token := cookieOf(r, ".ASPXAUTH")
		path := strings.ToLower(r.URL.Path)
		page := func() {
			fmt.Fprintf(w, `<form id="aspnetForm"><input type="hidden" name="__VIEWSTATE" value="%s&#43;/=" /><input type="hidden" name="__EVENTTARGET" value="">
				<input type="text" name="q"></form><a href="/s/(%s)/">%s</a>`, state(token), token, s.user(token))
		}
		switch {
		case path == "/login.aspx" && r.Method == "GET":
			page()
		case path == "/login.aspx":
			if r.FormValue("__VIEWSTATE") != state("")+"+/=" || r.FormValue("ctl00$pass") != canaryPassword {
				http.Error(w, "validation of viewstate failed", http.StatusInternalServerError)
				return
			}
			http.SetCookie(w, &http.Cookie{Name: ".ASPXAUTH", Value: s.open(r.FormValue("ctl00$user")), Path: "/"})
			http.SetCookie(w, &http.Cookie{Name: "UserName", Value: r.FormValue("ctl00$user"), Path: "/"})
			http.Redirect(w, r, "/Default.aspx", http.StatusFound)
		case s.user(token) == "":
			http.Redirect(w, r, "/Login.aspx?ReturnUrl="+url.QueryEscape(r.URL.Path), http.StatusFound)
		case path == "/logout.aspx":
			s.close(token)
		case r.Method == "POST" && r.FormValue("__VIEWSTATE") != state(token)+"+/=":
			http.Error(w, "validation of viewstate failed", http.StatusInternalServerError)
		case r.Method == "POST":
			http.Redirect(w, r, "/Pages/1.aspx?saved="+token+"&by="+s.user(token), http.StatusFound)
		default:
			page()
		}
	})
}

func driveViewState(t *testing.T, v *visit) {
	_, page, _ := v.ask("GET", "/pages/1.ASPX", "")
	if !strings.Contains(page, "agent-01") || !strings.Contains(page, "/s/(****") {
		t.Fatalf("the user's name stays, the session does not: %s", page)
	}
	_, rest, _ := strings.Cut(page, `name="__VIEWSTATE" value="`)
	state, _, _ := strings.Cut(rest, "&#43;")
	status, _, header := v.ask("POST", "/Pages/1.aspx", "__VIEWSTATE="+state+"%2B%2F%3D&__EVENTTARGET=save&text=x", "Content-Type", form)
	if status != 302 || !strings.Contains(header.Get("Location"), "saved=****") || !strings.HasSuffix(header.Get("Location"), "by=agent-01") {
		t.Errorf("%d %s", status, header.Get("Location"))
	}
	v.refused(ActionUnclassified, "POST", "/Pages/1.aspx", "__VIEWSTATE="+state+"%2B%2F%3D&__EVENTTARGET=delete", "Content-Type", form)
	v.refused(OutOfScope, "GET", "/ADMIN/users.aspx", "")
	v.refused(LoginByAgent, "POST", "/LOGIN.aspx", "x=1", "Content-Type", form)
	v.saas.kill()
	v.want(200, "agent-01", "GET", "/Pages/1.aspx", "")
}

// jsonTokenApp gives its token in a JSON body.
func jsonTokenApp(s *saas) http.Handler {
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
			fmt.Fprintf(w, `{"session": {"token": %q, "ttl": 60}}`, s.open(in.Credentials.Login))
		case s.user(token) == "":
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"error": {"code": "session_expired"}}`)
		case r.URL.Path == "/api/session":
			s.close(token)
			w.WriteHeader(http.StatusNoContent)
		default:
			w.Header().Set("X-Session-Token", token) // it comes back, and stays here
			s.page(w, r, s.user(token))
		}
	})
}

// totpURL has a period short enough for a test to wait for the next code.
const totpURL = "otpauth://totp/acme:agent-01?secret=JBSWY3DPEHPK3PXP&algorithm=SHA256&digits=8&period=2"

// totpApp asks for a code on a second page and takes no code twice (RFC 6238 section 5.2).
func totpApp(s *saas) http.Handler {
	var mu sync.Mutex
	spent := map[string]bool{}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token := cookieOf(r, "sid")
		switch {
		case r.URL.Path == "/login" && r.Method == "POST":
			if r.FormValue("pass") != canaryPassword {
				http.Error(w, "no", http.StatusForbidden)
				return
			}
			fmt.Fprintf(w, `<form><input type=hidden name=state value="%s"><input name=otp></form>`, hex.EncodeToString([]byte(r.FormValue("user"))))
		case r.URL.Path == "/login/otp":
			code := r.FormValue("otp")
			ok, err := totp.ValidateCustom(code, "JBSWY3DPEHPK3PXP", time.Now(), totp.ValidateOpts{Period: 2, Skew: 1, Digits: otp.DigitsEight, Algorithm: otp.AlgorithmSHA256})
			mu.Lock()
			again := spent[code]
			spent[code] = true
			mu.Unlock()
			user, bad := hex.DecodeString(r.FormValue("state"))
			if !ok || err != nil || again || bad != nil {
				s.t.Errorf("the code was refused: valid %v, used %v, state %v", ok, again, bad)
				http.Error(w, "no", http.StatusForbidden)
				return
			}
			http.SetCookie(w, &http.Cookie{Name: "sid", Value: s.open(string(user)), Path: "/"})
			http.Redirect(w, r, "/", http.StatusFound)
		case s.user(token) == "":
			http.Redirect(w, r, "/login", http.StatusFound)
		case r.URL.Path == "/logout":
			s.close(token)
		default:
			s.page(w, r, s.user(token))
		}
	})
}

// ssoApp sends browsers to another host and believes the statement that comes back.
func ssoApp(s *saas) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user := s.user("app")
		switch {
		case r.URL.Path == "/saml/start":
			http.SetCookie(w, &http.Cookie{Name: "relay", Value: "r1", Path: "/saml"})
			http.Redirect(w, r, s.user("sso")+"/signin?SAMLRequest=req&RelayState=r1", http.StatusFound)
		case r.URL.Path == "/saml/acs":
			if r.FormValue("SAMLResponse") != "canary-statement-of-agent-01" || cookieOf(r, "relay") != "r1" || r.Header.Get("Origin") != s.user("sso") {
				s.t.Errorf("statement %q, relay %q, origin %q", r.FormValue("SAMLResponse"), cookieOf(r, "relay"), r.Header.Get("Origin"))
			}
			s.mu.Lock()
			s.sessions["app"] = "agent-01"
			s.mu.Unlock()
			http.SetCookie(w, &http.Cookie{Name: "app_session", Value: "canary-app-session-1", Path: "/"})
			http.Redirect(w, r, "home", http.StatusSeeOther)
		case cookieOf(r, "app_session") != "canary-app-session-1" || user == "":
			http.Redirect(w, r, "/saml/start", http.StatusFound)
		case cookieOf(r, "idp") != "":
			s.t.Error("a cookie of the other host reached the application")
		default:
			s.page(w, r, user)
		}
	})
}

// ssoHost is that other host: a form with hidden fields, and a page that posts the statement back.
func ssoHost(s *saas, home string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/signin" && r.Method == "GET":
			http.SetCookie(w, &http.Cookie{Name: "idp", Value: "canary-idp-cookie-1", Path: "/"})
			fmt.Fprintf(w, `<form id=signin action="/authenticate?step=1&amp;x=y"><input type=hidden name=relay value="%s"></form>`, r.FormValue("RelayState"))
		case r.URL.Path == "/authenticate":
			if r.FormValue("password") != canaryPassword || r.FormValue("x") != "y" || cookieOf(r, "idp") == "" {
				http.Error(w, "no", http.StatusForbidden)
				return
			}
			fmt.Fprintf(w, `<body onload="document.forms[0].submit()"><form method=post action="%s/saml/acs">
				<input type=hidden name=SAMLResponse value="canary-statement-of-%s"><input type=hidden name=RelayState value="%s"></form>`,
				home, r.FormValue("identifier"), r.FormValue("relay"))
		default:
			fmt.Fprint(w, "signed out")
		}
	})
}

// challengeApp wants md5(challenge + md5(password)).
func challengeApp(s *saas) http.Handler {
	sum := func(text string) string { b := md5.Sum([]byte(text)); return hex.EncodeToString(b[:]) }
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token := cookieOf(r, "sid")
		switch {
		case r.URL.Path == "/login" && r.Method == "GET":
			fmt.Fprint(w, "<script>var challenge = '00ff17';</script>")
		case r.URL.Path == "/login":
			if r.FormValue("response") != sum("00ff17"+sum(canaryPassword)) {
				http.Error(w, "no", http.StatusForbidden)
				return
			}
			http.SetCookie(w, &http.Cookie{Name: "sid", Value: s.open(r.FormValue("user")), Path: "/"})
			http.Redirect(w, r, "/", http.StatusFound)
		case s.user(token) == "":
			http.Redirect(w, r, "/login", http.StatusFound)
		case r.URL.Path == "/logout":
			s.close(token)
		default:
			s.page(w, r, s.user(token))
		}
	})
}
