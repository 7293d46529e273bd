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

// headerHabits are applications that take a credential with every request.
var headerHabits = []habit{
	{example: "basic", app: basicApp, drive: readsWithoutRenewal("/page/1")},
	{example: "digest", app: digestApp, drive: reads("/page/1?q=a%20b")},
	{example: "apikey", app: keyApp(func(r *http.Request) string { return r.Header.Get("X-Api-Key") }),
		secret: map[string]string{"token": "canary-api-key-1"}, drive: readsWithoutRenewal("/page/1")},
	{example: "keyinquery", app: keyApp(func(r *http.Request) string { return r.URL.Query().Get("key") }),
		secret: map[string]string{"api_key": "canary-api-key-1", "username": "agent-01"}, drive: func(t *testing.T, v *visit) {
			v.want(200, "of agent-01", "GET", "/page/1", "")
			v.want(200, "of agent-01", "GET", "/page/1?key="+canaryHuman, "") // what alice lent is taken off
			v.refused(ActionUnclassified, "GET", "/page/1?other=1", "")
		}},
	{example: "oauth2", app: oauthApp, secret: map[string]string{"client_id": "agent-01", "client_secret": canaryPassword}, drive: func(t *testing.T, v *visit) {
		reads("/page/1")(t, v)
		v.refused(LoginByAgent, "POST", "/oauth/token", "grant_type=client_credentials", "Content-Type", form)
		for range 3 { // each token is at its end when it is used: a POST is never sent with an old one
			v.want(200, "of agent-01", "POST", "/page/1", "text=x", "Content-Type", form)
		}
	}},
	{example: "oauth2password", app: oauthApp, secret: map[string]string{"client_id": "app", "client_secret": "canary-client", "username": "agent-01", "password": canaryPassword},
		drive: reads("/page/1")},
}

// readsWithoutRenewal is for credentials that no server ends.
func readsWithoutRenewal(target string) func(*testing.T, *visit) {
	return func(_ *testing.T, v *visit) {
		v.want(200, "of agent-01", "GET", target, "")
		v.refused(ActionUnclassified, "GET", "/elsewhere", "")
		v.refused(ActionUnclassified, "DELETE", target, "")
	}
}

func basicApp(s *saas) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, ok := r.BasicAuth()
		if !ok || password != canaryPassword {
			w.Header().Set("WWW-Authenticate", `Basic realm="wiki"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		fmt.Fprintf(w, "<!-- %s %s -->", r.Header.Get("Authorization"), password) // masked on the way back
		s.page(w, r, user)
	})
}

func keyApp(key func(*http.Request) string) func(s *saas) http.Handler {
	return func(s *saas) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if key(r) != "canary-api-key-1" || len(r.URL.Query()["key"]) > 1 {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			fmt.Fprintf(w, "<!-- %s -->", r.URL) // masked on the way back
			s.page(w, r, "agent-01")
		})
	}
}

// oauthApp gives tokens that live for one second and are counted as over before that.
func oauthApp(s *saas) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/oauth/token" {
			user, password, ok := r.BasicAuth()
			if r.FormValue("grant_type") == "password" {
				user, password, ok = r.FormValue("username"), r.FormValue("password"), r.FormValue("client_secret") == "canary-client"
			}
			if !ok || password != canaryPassword {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			fmt.Fprintf(w, `{"access_token": %q, "token_type": "Bearer", "expires_in": 0.001}`, s.open(user))
			return
		}
		token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if s.user(token) == "" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		s.page(w, r, s.user(token))
		s.close(token) // used once, then over
	})
}

var digestParam = regexp.MustCompile(`(\w+)=(?:"([^"]*)"|([^",]+))`)

// digestApp checks what net/http knows nothing about: RFC 7616 with SHA-256, each count used once. A nonce is a session.
func digestApp(s *saas) http.Handler {
	var mu sync.Mutex
	counts := map[string]bool{}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		scheme, rest, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		p := map[string]string{}
		for _, m := range digestParam.FindAllStringSubmatch(rest, -1) {
			p[m[1]] = m[2] + m[3]
		}
		user := s.user(p["nonce"])
		h := func(new func() hash.Hash, parts ...string) string {
			sum := new()
			sum.Write([]byte(strings.Join(parts, ":")))
			return hex.EncodeToString(sum.Sum(nil))
		}
		of := map[string]func() hash.Hash{"SHA-256": sha256.New, "MD5": md5.New}[p["algorithm"]]
		if scheme != "Digest" || user == "" || of == nil || p["username"] != user || p["uri"] != r.RequestURI || p["opaque"] != "o, p" ||
			p["response"] != h(of, h(of, user, "wiki \\ here", canaryPassword), p["nonce"], p["nc"], p["cnonce"], p["qop"], h(of, r.Method, r.RequestURI)) {
			nonce := s.open("agent-01")
			for _, algorithm := range []string{"MD5", "SHA-256", "SHA-777"} {
				w.Header().Add("WWW-Authenticate", fmt.Sprintf(`Digest realm="wiki \\ here", qop="auth-int, auth", algorithm=%s, nonce="%s", opaque="o, p", stale=true`, algorithm, nonce))
			}
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		mu.Lock()
		again := counts[p["nonce"]+p["nc"]]
		counts[p["nonce"]+p["nc"]] = true
		mu.Unlock()
		if again || p["algorithm"] != "SHA-256" {
			s.t.Errorf("count %s used twice (%v), algorithm %s", p["nc"], again, p["algorithm"])
		}
		s.page(w, r, user)
	})
}
