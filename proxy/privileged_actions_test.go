package proxy

import (
	"strings"
	"testing"
	"time"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/proxy/policy"
)

// loadLibraryAdapter loads an adapter that extends the one of that name in the
// library.
func loadLibraryAdapter(t *testing.T, name string) *adapters.Adapter {
	t.Helper()
	text := "name: " + name + "\nextends: " + name + "\nhosts: [" + name + ".acme.example]\ninterim: {reason: r, owner: o, review_by: 2099-01-01}\n"
	set, err := adapters.Load([]adapters.Source{{Name: name + ".yaml", Text: []byte(text)}})
	if err != nil {
		t.Fatal(err)
	}
	return set.ByName(name)
}

// newWildcardGrant returns a grant of everything that wildcards can grant.
func newWildcardGrant(t *testing.T, adapter string) *policy.Grant {
	t.Helper()
	p, err := policy.Parse(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	scope := []policy.ScopeEntry{{Adapter: adapter, Actions: []string{"*", "*.*", "a*"}}}
	return p.Narrow(policy.Subject{Agent: "agent/a", Task: "t_1", Sponsor: "s"}, scope)
}

func loadLibrary(t *testing.T) []*adapters.Adapter {
	t.Helper()
	library, err := adapters.LoadLibrary()
	if err != nil || len(library) < 3 {
		t.Fatalf("load the library: %d adapters, error %v; want at least 3", len(library), err)
	}
	return library
}

func TestI7WildcardsGrantNoPrivilegedAction(t *testing.T) {
	for _, a := range loadLibrary(t) {
		grant := newWildcardGrant(t, a.Name())
		privileged, logins := 0, 0
		for _, action := range a.Actions() {
			switch {
			case action.Login:
				logins++
			case action.Privileged:
				privileged++
			default:
				continue
			}
			d := grant.Decide(policy.Request{
				Adapter: a.Name(), Action: action.Name, Privileged: true, Method: "GET", Host: "h", Path: "/", Now: time.Now(),
			})
			if d.Effect != policy.Deny {
				t.Errorf("%s: wildcards grant the privileged action %s", a.Name(), action.Name)
			}
		}
		if privileged == 0 || logins == 0 {
			t.Errorf("%s has %d privileged actions and %d logins, want both: every application has pages that change a password", a.Name(), privileged, logins)
		}
	}
}

// takeoverRequests has, by adapter, requests by which an account is taken over,
// kept or given away: logins, passwords, tokens, second factors, invitations and
// rights. A request is a method, a target and, optionally, a form.
var takeoverRequests = map[string][]string{
	"dokuwiki": {
		"GET /doku.php?do=login",
		"POST /doku.php?do=login u=a&p=b",
		"GET /doku.php?id=start&u=a&p=b",
		"POST /doku.php id=start&u=a&p=b&r=1",
		"GET /lib/exe/fetch.php?media=a.png&u=a&p=b",
		"POST /lib/exe/ajax.php call=lock&id=a&u=x",
		"GET /doku.php?do=LOGIN",
		"GET /doku.php?do[login]=1",
		"GET /doku.php?do=register",
		"POST /doku.php do=register&login=a",
		"GET /doku.php?do=resendpwd&pwauth=x",
		"GET /index.php?do=login",
		"GET /?do=login",
		"GET /doku.php?do=logout&sectok=x",
		"GET /doku.php?do=profile",
		"POST /doku.php do=profile&newpass=x",
		"POST /doku.php do[profile]=1&newpass=x",
		"POST /doku.php id=start&do=profile_delete",
		"GET /doku.php?do=subscribe",
		"GET /doku.php?do=admin&page=usermanager",
		"POST /doku.php id=start&do=admin&page=usermanager&fn[add]=1",
		"POST /doku.php?do=admin&page=acl cmd[save]=1",
		"GET /doku.php?id=start&do=admin&page=extension",
		"GET /doku.php?do=a-d-m-i-n",
		"POST /doku.php?id=start&do=edit id=start&do[admin]=1",
		"POST /lib/exe/xmlrpc.php",
		"GET /install.php",
		"POST /lib/exe/ajax.php call=plugin_acl",
		"GET /lib/plugins/config/admin.php",
		"POST /lib/exe/mediamanager.php",
		"GET /lib/exe/mediamanager.php?delete=a.png&sectok=x",
	},
	"gitea": {
		"GET /user/login",
		"POST /user/login user_name=a&password=b",
		"POST /user/login/openid openid=x",
		"GET /user/sign_up",
		"POST /user/link_account_signin user_name=a",
		"POST /user/two_factor passcode=1",
		"POST /user/two_factor/scratch token=x",
		"POST /user/webauthn/assertion",
		"GET /user/webauthn/passkey/assertion",
		"GET /user/oauth2/github",
		"GET /user/forgot_password",
		"POST /user/recover_account password=x",
		"GET /user/activate?code=x",
		"POST /user/activate_email",
		"GET /user/logout",
		"GET /user/settings",
		"POST /user/settings/account old_password=a&password=b",
		"POST /user/settings/account/email email=x",
		"POST /user/settings/applications name=x",
		"GET /user/settings/applications",
		"POST /user/settings/keys content=x",
		"POST /user/settings/security/two_factor/disable",
		"GET /user/settings/security/two_factor/enroll",
		"POST /user/settings/security/webauthn/request_register",
		"POST /user/settings/applications/oauth2",
		"GET /user/settings/change_password",
		"GET /login/oauth/authorize?client_id=x",
		"POST /login/oauth/grant client_id=x",
		"POST /login/oauth/access_token grant_type=x",
		"GET /-/admin/users",
		"POST /-/admin/users/new user_name=x",
		"POST /org/acme/members/action/private",
		"POST /org/acme/teams/1/action/add uname=x",
		"POST /acme/app/settings/collaboration collaborator=x",
		"POST /acme/app/settings/keys content=x",
		"POST /acme/app/settings/hooks/gitea/new",
		"POST /api/v1/users/a/tokens",
		"GET /api/v1/user",
		"POST /acme/app/settings/actions/secrets",
		"POST /repo/migrate",
		"GET /api/packages/acme/npm/x",
		"GET /v2/token",
	},
	"mediawiki": {
		"GET /index.php?title=Special:UserLogin",
		"POST /index.php?title=Special:UserLogin wpName=a",
		"GET /index.php/Special:UserLogin",
		"GET /index.php?title=Special%3AUserLogin/signup",
		"GET /index.php?title=special:createAccount",
		"GET /?title=Special:CreateAccount",
		"GET /index.php?title=Special:ChangePassword",
		"GET /index.php/Special:Change_Password",
		"GET /index.php?title=Special:ChangeCredentials/MediaWiki%5CAuth%5CPasswordAuthenticationRequest",
		"POST /index.php title=Special:ChangeCredentials&wpPassword=x",
		"GET /index.php?title=Special:RemoveCredentials",
		"GET /index.php?title=Special:ChangeEmail",
		"GET /index.php?title=Special:PasswordReset",
		"GET /index.php?title=Special:BotPasswords/new",
		"GET /index.php?title=Special:OAuthConsumerRegistration/propose",
		"GET /index.php?title=Special:Preferences",
		"GET /index.php?title=Special:ResetTokens",
		"GET /index.php?title=Special:LinkAccounts",
		"GET /index.php?title=Special:UserRights/Mallory",
		"GET /index.php?title=Special:Permissions/Mallory",
		"GET /index.php?title=Special:UserLogout",
		"GET /index.php?title=Special:Confirmemail/x",
		"GET /index.php?title=Special:OATHAuth",
		"GET /index.php?title=Special:Manage_Two-factor_authentication",
		"GET /index.php?title=_Special:_UserLogin",
		"GET /index.php?title=%3ASpecial:UserLogin",
		"POST /api.php action=login&lgname=a",
		"POST /api.php action=clientlogin",
		"POST /api.php action=createaccount",
		"POST /api.php action=changeauthenticationdata",
		"POST /api.php action=resetpassword",
		"POST /api.php action=userrights",
		"POST /api.php action=options",
		"POST /api.php action=LogIn",
		"GET /api.php?action=logout",
		"POST /api.php?action=query action=login",
		"POST /api.php action=removeauthenticationdata",
		"POST /index.php?title=MediaWiki:Common.js&action=submit wpTextbox1=x",
		"POST /index.php?title=User:A/common.js&action=submit wpTextbox1=x",
		"POST /api.php action=edit&title=mediawiki:common.css",
		"GET /rest.php/oauth2/access_token",
		"GET /mw-config/index.php",
		"GET /thumb_handler.php",
		"GET /img_auth.php/x",
	},
	"requesttracker": {
		"POST /NoAuth/Login.html user=a&pass=b",
		"GET /NoAuth/Login.html?user=a&pass=b",
		"GET /Ticket/Display.html?id=1&user=a&pass=b",
		"GET /Ticket/Display.html?id=1;user=a;pass=b",
		"POST /Ticket/Update.html id=1&user=a&pass=b",
		"GET /Prefs/AboutMe.html",
		"POST /Prefs/AboutMe.html NewPassword=x",
		"GET /Prefs/AuthTokens.html",
		"POST /Helpers/AuthToken/Create Description=x",
		"GET /User/Prefs.html",
		"GET /SelfService/Prefs.html",
		"GET /Admin/Users/Modify.html?id=1",
		"POST /Admin/Users/Create.html",
		"GET /Admin/Global/UserRights.html",
		"POST /REST/2.0/user",
		"PUT /REST/2.0/user/14",
		"GET /REST/2.0/users",
		"PUT /REST/2.0/user/root/groups",
		"GET /NoAuth/Logout.html",
		"GET /Ticket/Display.html?id=1&CSRF_Token=x",
		"POST /REST/1.0/user/new/edit",
		"GET /REST/1.0/ticket/1/show?user=a&pass=b",
		"GET /Install/index.html",
		"GET /NoAuthGateway/mail",
		"POST /REST/1.0/NoAuth/mail-gateway",
	},
	"wordpress": {
		"GET /wp-login.php",
		"POST /wp-login.php log=a&pwd=b",
		"GET /wp-login.php?action=lostpassword",
		"GET /wp-login.php?action=rp&key=x&login=a",
		"GET /wp-login.php?action=register",
		"GET /wp-login.php?action=logout",
		"POST /xmlrpc.php",
		"GET /wp-signup.php",
		"GET /wp-activate.php?key=x",
		"GET /wp-admin/profile.php",
		"POST /wp-admin/profile.php pass1=x",
		"GET /wp-admin/user-new.php",
		"GET /wp-admin/user-edit.php?user_id=1",
		"GET /wp-admin/users.php",
		"GET /wp-admin/authorize-application.php?app_name=x",
		"POST /wp-json/wp/v2/users",
		"POST /wp-json/wp/v2/users/me",
		"POST /wp-json/wp/v2/users/1/application-passwords",
		"POST /index.php?rest_route=/wp/v2/users/me password=x",
		"POST /?rest_route=/WP/v2/Users",
		"POST /index.php rest_route=/wp/v2/users&username=a",
		"POST /wp-json/batch/v1",
		"POST /wp-admin/admin-ajax.php action=add-user",
		"POST /wp-admin/admin-ajax.php action=generate-password",
		"POST /wp-admin/admin-ajax.php action=destroy-sessions",
		"POST /wp-admin/options.php",
		"GET /wp-admin/plugin-install.php",
		"GET /wp-admin/theme-editor.php",
		"POST /wp-admin/update.php",
		"GET /wp-admin/network/users.php",
		"POST /wp-admin/admin-ajax.php action=send-password-reset",
		"GET /wp-admin/export.php",
		"GET /wp-admin/setup-config.php",
		"POST /wp-json/wp/v2/settings",
		"GET /wp-admin/export-personal-data.php",
		"GET /wp-admin/site-health.php",
	},
}

// ordinaryRequests has a request for each adapter that wildcards do grant. They
// show that the grant of the test below is not empty.
var ordinaryRequests = map[string]string{
	"dokuwiki":       "POST /doku.php?id=start&do=edit id=start&wikitext=x&do[save]=1",
	"gitea":          "GET /acme/app/issues/7",
	"mediawiki":      "POST /index.php?title=Sandbox&action=submit wpTextbox1=x",
	"requesttracker": "GET /Ticket/Display.html?id=1",
	"wordpress":      "GET /wp-json/wp/v2/posts/1",
}

// parseRequest parses an element of takeoverRequests or ordinaryRequests.
func parseRequest(text string) adapters.Query {
	parts := strings.SplitN(text, " ", 3)
	path, query, _ := strings.Cut(parts[1], "?")
	q := adapters.Query{Method: parts[0], Path: path, RawQuery: query}
	if len(parts) > 2 {
		q.ContentType = formType
		q.Body = []byte(parts[2])
	}
	return q
}

func TestI7WildcardsGrantNoAccountTakeover(t *testing.T) {
	for _, shipped := range loadLibrary(t) {
		name := shipped.Name()
		a, grant := loadLibraryAdapter(t, name), newWildcardGrant(t, name)
		decide := func(q adapters.Query, action adapters.Action) policy.Decision {
			return grant.Decide(policy.Request{
				Adapter: name, Action: action.Name, Resource: action.Resource, Privileged: action.Privileged,
				Method: q.Method, Host: name + ".acme.example", Path: q.Path, Now: time.Now(),
			})
		}

		q := parseRequest(ordinaryRequests[name])
		action, _ := a.Classify(q)
		if d := decide(q, action); d.Effect != policy.Permit {
			t.Errorf("%s: wildcards do not grant %q, classified as %q", name, ordinaryRequests[name], action.Name)
		}

		if n := len(takeoverRequests[name]); n < 20 {
			t.Errorf("%s: takeoverRequests has %d requests, want at least 20", name, n)
		}
		for _, text := range takeoverRequests[name] {
			q := parseRequest(text)
			action, why := a.Classify(q)
			if why != nil || action.Login {
				continue // refused for every scope
			}
			if d := decide(q, action); d.Effect != policy.Deny {
				t.Errorf("%s: wildcards grant %q, classified as %s on %s", name, text, action.Name, action.Resource)
			}
		}
	}
}
