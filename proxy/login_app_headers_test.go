package proxy

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// requestCredentialTests are applications that take a credential with every
// request.
var requestCredentialTests = []exampleTest{
	{adapter: "basic", app: basicApp, run: readOnly("/page/1")},
	{adapter: "digest", app: digestApp, run: readAndRenew("/page/1?q=a%20b")},
	{
		adapter: "apikey", secret: map[string]string{"token": apiKey}, run: readOnly("/page/1"),
		app: apiKeyApp(func(r *http.Request) string { return r.Header.Get("X-Api-Key") }),
	},
	{
		adapter: "keyinquery", secret: map[string]string{"api_key": apiKey, "username": "agent-01"}, run: runKeyInQuery,
		app: apiKeyApp(func(r *http.Request) string { return r.URL.Query().Get("key") }),
	},
	{
		adapter: "oauth2", secret: map[string]string{"client_id": "agent-01", "client_secret": canaryPassword}, run: runOAuth,
		app: oauthApp,
	},
	{
		adapter: "oauth2password", run: readAndRenew("/page/1"),
		secret: map[string]string{"client_id": "app", "client_secret": oauthClientSecret, "username": "agent-01", "password": canaryPassword},
		app:    oauthApp,
	},
}

const (
	apiKey            = "canary-api-key-1"
	oauthClientSecret = "canary-client"
)

// basicApp takes the password by HTTP Basic authentication and repeats it, which
// Byline must mask.
func basicApp(a *exampleApp) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, ok := r.BasicAuth()
		if !ok || password != canaryPassword {
			w.Header().Set("WWW-Authenticate", `Basic realm="wiki"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		fmt.Fprintf(w, "<!-- %s %s -->", r.Header.Get("Authorization"), password)
		a.writePage(w, r, user)
	})
}

// apiKeyApp takes a key where keyOf finds it. It repeats the URL, which Byline
// must mask.
func apiKeyApp(keyOf func(*http.Request) string) func(*exampleApp) http.Handler {
	return func(a *exampleApp) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if keyOf(r) != apiKey || len(r.URL.Query()["key"]) > 1 {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			fmt.Fprintf(w, "<!-- %s -->", r.URL)
			a.writePage(w, r, "agent-01")
		})
	}
}

func runKeyInQuery(_ *testing.T, e *exampleAgent) {
	e.want(200, "of agent-01", "GET", "/page/1", "")
	e.want(200, "of agent-01", "GET", "/page/1?key="+canaryHuman, "") // Alice's key is replaced
	e.wantRefusal(ActionUnclassified, "GET", "/page/1?other=1", "")
}

// oauthApp issues tokens for client credentials and for passwords (RFC 6749,
// Sections 4.3 and 4.4). A token can be used once, and expires_in says that it is
// already over.
func oauthApp(a *exampleApp) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/oauth/token" {
			user, password, ok := r.BasicAuth()
			if r.FormValue("grant_type") == "password" {
				user, password = r.FormValue("username"), r.FormValue("password")
				ok = r.FormValue("client_secret") == oauthClientSecret
			}
			if !ok || password != canaryPassword {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			fmt.Fprintf(w, `{"access_token": %q, "token_type": "Bearer", "expires_in": 0.001}`, a.createSession(user))
			return
		}

		token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		user := a.userOf(token)
		if user == "" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		a.writePage(w, r, user)
		a.endSession(token)
	})
}

// runOAuth also sends several POSTs, none of which may carry an old token, as a
// POST is not sent again.
func runOAuth(t *testing.T, e *exampleAgent) {
	readAndRenew("/page/1")(t, e)
	e.wantRefusal(LoginByAgent, "POST", "/oauth/token", "grant_type=client_credentials", "Content-Type", formType)
	for range 3 {
		e.want(200, "of agent-01", "POST", "/page/1", "text=x", "Content-Type", formType)
	}
}

var digestParameter = regexp.MustCompile(`(\w+)=(?:"([^"]*)"|([^",]+))`)

// digestApp checks HTTP Digest authentication (RFC 7616) with SHA-256. It offers
// weaker and unknown algorithms too, and accepts each nonce count once. A nonce is
// a session.
func digestApp(a *exampleApp) http.Handler {
	const realm, opaque = `wiki \\ here`, "o, p"
	var mu sync.Mutex
	used := map[string]bool{} // nonce and count
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		scheme, parameters, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		p := map[string]string{}
		for _, m := range digestParameter.FindAllStringSubmatch(parameters, -1) {
			p[m[1]] = m[2] + m[3]
		}

		user := a.userOf(p["nonce"])
		newHash := map[string]func() hash.Hash{"SHA-256": sha256.New, "MD5": md5.New}[p["algorithm"]]
		if scheme != "Digest" || user == "" || newHash == nil || p["username"] != user || p["uri"] != r.RequestURI || p["opaque"] != opaque ||
			p["response"] != digestResponse(newHash, p, user, r) {
			nonce := a.createSession("agent-01")
			for _, algorithm := range []string{"MD5", "SHA-256", "SHA-777"} {
				w.Header().Add("WWW-Authenticate", fmt.Sprintf(`Digest realm="%s", qop="auth-int, auth", algorithm=%s, nonce="%s", opaque="%s", stale=true`,
					realm, algorithm, nonce, opaque))
			}
			w.WriteHeader(http.StatusUnauthorized)
			return
		}

		mu.Lock()
		again := used[p["nonce"]+p["nc"]]
		used[p["nonce"]+p["nc"]] = true
		mu.Unlock()
		if again || p["algorithm"] != "SHA-256" {
			a.t.Errorf("the application received algorithm %s, nonce count %s a second time: %v; want SHA-256 and each count once", p["algorithm"], p["nc"], again)
		}
		a.writePage(w, r, user)
	})
}

// digestResponse returns the response parameter for a request (RFC 7616, Section
// 3.4.1).
func digestResponse(newHash func() hash.Hash, p map[string]string, user string, r *http.Request) string {
	sum := func(parts ...string) string {
		h := newHash()
		h.Write([]byte(strings.Join(parts, ":")))
		return hex.EncodeToString(h.Sum(nil))
	}
	return sum(sum(user, `wiki \ here`, canaryPassword), p["nonce"], p["nc"], p["cnonce"], p["qop"], sum(r.Method, r.RequestURI))
}
