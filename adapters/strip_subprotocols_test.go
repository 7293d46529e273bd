package adapters

import "testing"

func TestI2SubprotocolsAreNamesOnly(t *testing.T) {
	a := &Adapter{spec: Spec{Headers: HeaderSpec{Subprotocols: []string{"board.v2", "token.v1"}}}}
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

		// Tokens that look like names.
		"chat, hunter22": "chat",
		"chat, 123e4567-e89b-12d3-a456-426614174000": "chat",
		"graphql-ws, header-eyJhIjoiYiJ9":            "graphql-ws",
		"v1.abc.def.ghi":                             "",
		"protocol.ticket.abcdef, mqtt":               "mqtt",

		// Names that the adapter gives.
		"board.v2, board.v3, token.v1": "board.v2, token.v1",
		"bearer, board.v2":             "",
		"Board.v2":                     "",
		"Chat, MQTT":                   "Chat, MQTT",
	} {
		got, removed := a.stripSubprotocols(value)
		if got != want {
			t.Errorf("%q: kept %q, want %q", value, got, want)
		}
		if value != "" && want == "" && len(removed) == 0 {
			t.Errorf("%q: removed nothing, want the credential on record", value)
		}
	}
}
