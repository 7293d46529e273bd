package testenv

import (
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"strings"
	"testing"
)

func TestIndexFindsSecretInEveryEncoding(t *testing.T) {
	const secret = `agent-01|1790000000|Tok"en+with/odd&signs=|6f1e`
	ix := newIndex(map[string]string{secret: "the secret", "another-secret-value": "another"})
	b64 := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

	for name, text := range map[string]string{
		"plain":                        secret,
		"inside a word":                "x" + secret + "y",
		"upper case":                   strings.ToUpper(secret),
		"URL query":                    url.QueryEscape(secret),
		"URL path":                     url.PathEscape(secret),
		"URL query in lower case":      strings.ToLower(url.QueryEscape(secret)),
		"HTML":                         "agent-01|1790000000|Tok&#34;en+with/odd&amp;signs=|6f1e",
		"JSON":                         `agent-01|1790000000|Tok\"en+with/odd\u0026signs=|6f1e`,
		"hex":                          hex.EncodeToString([]byte(secret)),
		"base64":                       b64(secret),
		"base64 with one byte before":  b64("a" + secret),
		"base64 with two bytes before": b64("ab" + secret + "c"),
		"basic authentication":         b64("user:" + secret),
		"base64 of the URL query":      b64("k=" + url.QueryEscape(secret)),
		"base64url":                    base64.RawURLEncoding.EncodeToString([]byte(secret)),
	} {
		if got := ix.find([]byte("before " + text + " after")); got != "the secret" {
			t.Errorf("%s: found %q in %s, want the secret", name, got, text)
		}
	}

	for _, text := range []string{"", "short", "agent-01|1790000000|something else", strings.Repeat("a", 1000)} {
		if got := ix.find([]byte(text)); got != "" {
			t.Errorf("found %q in %q, want nothing", got, text)
		}
	}
}
