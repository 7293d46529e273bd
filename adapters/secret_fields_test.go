package adapters

import (
	"fmt"
	"slices"
	"testing"
)

// TestSecretFieldsAreThoseThatALoginReads: a secret with these fields, and with no others, is enough for every kind.
func TestSecretFieldsAreThoseThatALoginReads(t *testing.T) {
	for login, want := range map[string][]string{
		`{kind: form, steps: [{get: /login, take: {csrf: {css: "input[name=csrf]", attr: value}}}, {post: /login, let: {proof: "${csrf}${password|md5}"}, form: {u: "${username}", p: "${proof}", c: "${csrf}", o: "${totp}"}}], success: {status: 302}}`: {"username", "password", "totp_seed"},
		`{kind: form, steps: [{post: /login, json: {a: {pin: "${api_key}"}, b: "$${password}"}}], success: {status: 200}}`:                                                                                                                                {"api_key"},
		"{kind: basic}":  {"username", "password"},
		"{kind: digest}": {"username", "password"},
		"{kind: bearer}": {"token"},
		`{kind: bearer, value: "Token ${api_key}"}`:              {"api_key"},
		`{kind: header, header: X-Key, value: "${api_key}"}`:     {"api_key"},
		`{kind: oauth2, token_url: "https://app.example/token"}`: {"client_id", "client_secret"},
	} {
		text := fmt.Sprintf("name: app\nhosts: [app.example]\ninterim: {reason: r, owner: o, review_by: 2099-01-01}\nlogin: %s\nactions: [{name: a, match: {path: /a}}]\n", login)
		set, err := Load([]Source{{Name: "app.yaml", Text: []byte(text)}})
		if err != nil {
			t.Errorf("%s: %v", login, err)
			continue
		}
		if got := set.ByName("app").SecretFields(); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", login, got, want)
		}
	}
}
