package testenv

import (
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestAMarkIsFoundInEveryForm(t *testing.T) {
	const secret = `agent-01|1790000000|Tok"en+with/odd&signs=|6f1e`
	ix := newIndex(map[string]string{secret: "it", "another-secret-value": "another"})
	b64 := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	for name, text := range map[string]string{
		"plain": secret, "within": "x" + secret + "y", "upper case": strings.ToUpper(secret), "query": url.QueryEscape(secret), "path": url.PathEscape(secret),
		"lower-case percent": strings.ToLower(url.QueryEscape(secret)), "html": "agent-01|1790000000|Tok&#34;en+with/odd&amp;signs=|6f1e",
		"json": `agent-01|1790000000|Tok\"en+with/odd\u0026signs=|6f1e`, "hex": hex.EncodeToString([]byte(secret)),
		"base64": b64(secret), "base64 within": b64("a" + secret), "base64 within, later": b64("ab" + secret + "c"), "basic auth": b64("user:" + secret),
		"base64 of the query form": b64("k=" + url.QueryEscape(secret)), "base64url": base64.RawURLEncoding.EncodeToString([]byte(secret)),
	} {
		if got := ix.find([]byte("before " + text + " after")); got != "it" {
			t.Errorf("%s: found %q in %s", name, got, text)
		}
	}
	for _, text := range []string{"", "short", "agent-01|1790000000|something else", strings.Repeat("a", 1000)} {
		if got := ix.find([]byte(text)); got != "" {
			t.Errorf("found %q in %q", got, text)
		}
	}
}

func TestPartsOfACookie(t *testing.T) {
	c := &http.Cookie{Name: "wordpress_logged_in_ab", Value: "agent-01%7C1790000000%7Cthe-session-token%7Cthe-mac"}
	if got := strings.Join(parts(c), " "); got != c.Value+" agent-01 1790000000 the-session-token the-mac" {
		t.Error(got)
	}
	if got := parts(&http.Cookie{Name: "wikiUserName", Value: "Agent-Number-01"}); got != nil {
		t.Error(got)
	}
}
