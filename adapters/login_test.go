package adapters

import (
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestEveryLoginKindLogsIn(t *testing.T) {
	server := httptest.NewServer(loginApp{})
	defer server.Close()
	for _, c := range []struct {
		name, login string
		want        string // the fields that the session puts on a request; the last one holds a secret
	}{
		{"form with a second factor", formLogin, "[{User-Agent pinned} {Cookie app_session=after-login-0}]"},
		{"json", `
  kind: json
  steps: [{post: /api/login, json: {auth: {login: "${username}", password: "${password}"}}, take: {token: {json: result.tokens.0.value}}}]
  success: {status: [200]}
  headers: {Authorization: "Bearer ${token}"}`, "[{Authorization Bearer json-token-77}]"},
		{"basic", "\n  kind: basic", "[{Authorization Basic YWxpY2U6Y29ycmVjdCBob3JzZQ==}]"},
		{"bearer", "\n  kind: bearer", "[{Authorization Bearer tok-123456789}]"},
		{"header", "\n  kind: header\n  header: X-Key\n  value: \"k=${token|upper}\"", "[{X-Key k=TOK-123456789}]"},
		{"client credentials", "\n  kind: oauth2\n  token_url: /token", "[{Authorization Bearer at-client_credentials-1}]"},
		{"password grant", "\n  kind: oauth2\n  token_url: /token\n  grant_type: password", "[{Authorization Bearer at-password-1}]"},
		{"refresh grant", "\n  kind: oauth2\n  token_url: /token\n  grant_type: refresh_token", "[{Authorization Bearer at-refresh_token-1}]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := loadLogin(t, c.login)
			d := a.Login(alice, firstRequest)
			if d.Session() != nil {
				t.Fatal("there is a session before the login")
			}
			if err := converse(t, d, server.URL); err != nil {
				t.Fatal(err)
			}

			host := strings.TrimPrefix(server.URL, "http://")
			out := a.putFields(nil, d.Session(), nil, host, "/x", false, time.Now())
			if got := fmt.Sprint(out); got != c.want {
				t.Errorf("put on %s, want %s", got, c.want)
			}
			secret := []byte(out[len(out)-1].Value)
			d.Session().Mask().InPlace(secret)
			if !strings.Contains(string(secret), "*****") {
				t.Errorf("I1: the agent gets %s", secret)
			}

			logout := a.Logout(d.Session())
			if hasLogout := strings.Contains(c.login, "logout"); (logout != nil) != hasLogout {
				t.Fatalf("there is a logout: %v, want %v", logout != nil, hasLogout)
			}
			if logout != nil {
				if err := converse(t, logout, server.URL); err != nil {
					t.Errorf("logout: %v", err)
				}
			}
		})
	}
}

func TestI1LoginFailuresNameNoSecret(t *testing.T) {
	server := httptest.NewServer(loginApp{})
	defer server.Close()
	wrong := account{"username": "alice", "password": "wrong-canary-1", "totp_seed": "JBSWY3DPEHPK3PXP"}
	noSeed := account{"username": "alice", "password": "wrong-canary-1"}
	for _, c := range []struct {
		login  string
		secret account
		want   string
	}{
		{formLogin, wrong, "step 2 (POST /login): success.status does not hold (status 200)"},
		{strings.Replace(formLogin, "name=csrf", "name=gone", 1), wrong,
			"step 1 (GET /login): take csrf: the answer (status 200) does not have it"},
		{formLogin, noSeed, "step 2 (POST /login): form field code: the account's secret has no totp_seed"},
		{"\n  kind: oauth2\n  token_url: /token", account{"client_id": "byline", "client_secret": "wrong-canary-1"},
			"the token endpoint answered with status 401"},
		{"\n  kind: bearer", account{}, "header Authorization: the account's secret has no field token"},
	} {
		d := loadLogin(t, c.login).Login(c.secret, firstRequest)

		err := converse(t, d, server.URL)

		if err == nil || err.Error() != c.want {
			t.Errorf("got  %v\nwant %s", err, c.want)
		}
		if d.Session() != nil {
			t.Errorf("%v: there is a session after it", err)
		}
	}
}

// A session that is logged out may still be stored by another goroutine, so its logout must not write
// to it. The race detector reports a write.
func TestALogoutDoesNotWriteToTheSession(t *testing.T) {
	a := loadLogin(t, `
  kind: json
  steps: [{get: /login, take: {id: {header: X-Id}}}]
  logout: {steps: [{post: /logout, let: {reason: "left-${id}"}, body: "${reason}"}]}`)
	s := sessionWith(a, "app.example", "/")
	s.taken = map[string]string{"id": "0123456789"}

	done := make(chan error)
	go func() {
		_, err := a.Logout(s).Next(nil)
		done <- err
	}()
	text, err := s.Marshal()
	if err := errors.Join(err, <-done); err != nil {
		t.Fatal(err)
	}

	if strings.Contains(string(text), "left-") || len(s.secrets) > 0 {
		t.Errorf("the session has %q after its logout, want no new secrets", s.secrets)
	}
}
