package adapters

import "testing"

func TestI2SubprotocolsAreNamesOnly(t *testing.T) {
	for value, want := range map[string]string{
		"":                                    "",
		"chat":                                "chat",
		"graphql-transport-ws, graphql-ws":    "graphql-transport-ws, graphql-ws",
		"v4.channel.k8s.io,v5.channel.k8s.io": "v4.channel.k8s.io, v5.channel.k8s.io",
		"actioncable-v1-json, actioncable-unsupported": "actioncable-v1-json, actioncable-unsupported",

		// A credential after the word that announces it.
		"bearer, abc":             "",
		"chat, bearer, abc, mqtt": "chat, mqtt",
		"Token, abc":              "",
		"access_token, abc":       "",

		// A credential in one item.
		"base64url.bearer.authorization.k8s.io.YWJj, v4.channel.k8s.io": "v4.channel.k8s.io",
		"chat, eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl":  "chat",
		"0123456789abcdef0123456789abcdef":                              "",
		"sid=0123":                                                      "",
	} {
		got, removed := stripSubprotocols(value)
		if got != want {
			t.Errorf("%q: kept %q, want %q", value, got, want)
		}
		if value != "" && want == "" && len(removed) == 0 {
			t.Errorf("%q: removed nothing, want the credential on record", value)
		}
	}
}
