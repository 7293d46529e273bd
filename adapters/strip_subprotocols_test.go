package adapters

import "testing"

func TestI2SubprotocolsCarryNamesOnly(t *testing.T) {
	for value, want := range map[string]string{
		"chat":                                         "chat",
		"graphql-transport-ws, graphql-ws":             "graphql-transport-ws, graphql-ws",
		"v4.channel.k8s.io,v5.channel.k8s.io":          "v4.channel.k8s.io, v5.channel.k8s.io",
		"actioncable-v1-json, actioncable-unsupported": "actioncable-v1-json, actioncable-unsupported",
		"bearer, abc":                                  "", "chat, bearer, abc, mqtt": "chat, mqtt", "Token, abc": "", "access_token, abc": "",
		"base64url.bearer.authorization.k8s.io.YWJj, v4.channel.k8s.io": "v4.channel.k8s.io",
		"chat, eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl":  "chat",
		"0123456789abcdef0123456789abcdef":                              "",
		"sid=0123":                                                      "", "": "",
	} {
		got, left := stripSubprotocols(value)
		if got != want || want == "" && value != "" && len(left) == 0 {
			t.Errorf("%q: kept %q, want %q; left %d", value, got, want, len(left))
		}
	}
}
