package credential

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
)

const jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl"

func TestI2NamesOfCredentials(t *testing.T) {
	for _, name := range []string{
		"token", "accessToken", "access_token", "ACCESS-TOKEN", "access.token", "authToken", "AuthToken", "key", "ticket", "os_password", "sid", "SID", "connect.sid",
		"password", "passwd", "user_pass", "userPass", "user[password]", "token[]", "token[0]", "session[id]", "session.id", "sessionId", "PHPSESSID", "JSESSIONID",
		"ASP.NET_SessionId", "api_key", "apiKey", "X-API-Key", "x_api_key", "apikey2", "client_secret", "private_token", "jwt", "id_token", "SAMLResponse", "SAMLart",
		"wiki_session", "auth", "oauth_token", "accessKeyId", "refreshToken", "bearer", "toKen", "paſſword", "ｔｏｋｅｎ", "to\u200bken",
		"access_token\x00x", "csrf_session", "X-CSRF-Session", "login_token", "resetToken", "a[token]", "pwd", "newPwd", "otp", "user.otp", "xAuth", "credentials",
		".ASPXAUTH", "wresult", "lobby_pass", "lobbypass", "ticket[]", "ticket[0]", "key[", "code[1]",
		"subscription-key", "code_auth", "token_value", "tokenId", "apiToken1", " token", "token ",
	} {
		if !Name(name).IsCredential() {
			t.Errorf("%q is not judged a credential", name)
		}
	}
	for _, name := range []string{
		"", "a", "page", "q", "title", "csrf_token", "csrftoken", "X-XSRF-TOKEN", "authenticity_token", "__RequestVerificationToken", "_token", "form[_token]", "form_token",
		"atl_token", "next_page_token", "pageToken", "max_tokens", "token_type", "expires_in", "secretary", "keyword", "monkey", "keys", "sort_key", "primaryKey", "inside", "side",
		"ticket[subject]", "ticket[comment][body]", "key[name]", "code[title]", "pin[id]", "compass", "bypass", "can_bypass", "canBypass", "_Token[fields]", "_Token[unlocked]", "ChallengeToken",
		"org.apache.struts.taglib.html.TOKEN", "compass_id", "passenger", "author", "authority", "author_id", "hotpot", "session_title", "user", "username", "login", "email", "wpnonce", "tickets", "lsid2x", "日本語",
	} {
		if v := Name(name); v.IsCredential() {
			t.Errorf("%q %s", name, v.Reason())
		}
	}
}

func TestI2ValuesOfCredentials(t *testing.T) {
	for _, value := range []string{
		jwt, " " + jwt, jwt + "\n", "Bearer abc", "bearer\tabc", "Bearer  abc", "Bearer\u00a0abc", "\tBearer abc", "Basic YWxpY2U6c2VjcmV0", "basic\n YWxpY2U6c2VjcmV0",
		"ewogICJhbGciOiAiUlMyNTYiCn0.eyJzdWIiOiJhbGljZSJ9.c2ln", "eyJhbGciOiJkaXIifQ..aXY.Y2lwaGVy.dGFn", "eyJh.eyJi.c", "ghp_0123456789abcdefABCDEF", "glpat-AbCdEf0123456789abcd",
		"AKIAIOSFODNN7EXAMPLE", "xoxb-1234567890-abcdef", "sk-proj-0123456789abcdefghij", "v2.local.Gdh5kiOTyyaQ3_bNykYDeYHO21Jg2", "-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl",
		`{"access_token":"abc"}`, `{"a":{"password":"x"}}`, `[{"session":{"id":"abc"}}]`, `"` + jwt + `"`, `{"x":"` + jwt + `"}`, "/login?access_token=abc", "https://a.example/?next=%2Fx%3Ftoken%3Dabc",
		"https://a.example/#id_token=" + jwt, "Token 0123456789abcdef", `Digest username="alice", realm="r"`, "Negotiate YIIJvwYGKwYBBQUCoIIJ", `{"token":["abc"]}`, `{"pin":1,"password":1234}`,
	} {
		if !Value(value).IsCredential() {
			t.Errorf("%q is not judged a credential", value)
		}
	}
	for _, value := range []string{
		"", "****", "a", "Basic training", "Basic understanding", "Digest of news", "Token economy", "a.b.c", "1.2.3", "www.example.com", "sk-learn", "npm_install_and_then_run", "glpat-short",
		"The header is Bearer abc", `{"a":1}`, `{"token":"****"}`, `{"token":null}`, `{"key":"PROJ-12"}`, "/view?page=2&key=12", "https://a.example/a.b.c", "d41d8cd98f00b204e9800998ecf8427e",
		"550e8400-e29b-41d4-a716-446655440000", "[[Main Page]]", "{{template|key=value}}", "key-value-store-in-the-cloud",
	} {
		if v := Value(value); v.IsCredential() {
			t.Errorf("%q %s", value, v.Reason())
		}
	}
}

func TestI2PairsThatAreNoCredentials(t *testing.T) {
	for _, pair := range [][2]string{{"token", "********"}, {"password", ""}, {"key", "12345"}, {"key", "PROJ"}, {"ticket", "PROJ-7"}, {"page", "Sandbox"}} {
		if v := Pair(pair[0], pair[1]); v.IsCredential() {
			t.Errorf("%s=%s %s", pair[0], pair[1], v.Reason())
		}
	}
	for _, pair := range [][2]string{{"token", "***x"}, {"key", "12345678901"}, {"key", "abc"}, {"ticket", "ST-1-x"}, {"token", "12"}, {"a", jwt}, {"csrf_token", jwt}} {
		if !Pair(pair[0], pair[1]).IsCredential() {
			t.Errorf("%s=%s is not judged a credential", pair[0], pair[1])
		}
	}
}

func TestI2HeaderValues(t *testing.T) {
	for _, value := range []string{"Bearer abc", "Bearer\tabc", " bearer  abc", "Basic x", "token abc", jwt, "x " + jwt, "a=" + jwt + "; b", `"` + jwt + `"`, "ghp_0123456789abcdefABCDEF", "%42earer abc", "%2542earer abc", `{"access_token":"abc"}`, "a, Bearer%20abc", `299 - "Bearer abc"`, `"Not A";v="8", "Bearer abc";v="1"`, "a; Bearer abc", `199 - "Bearer abc"`, `299 x "bearer  abc" "Tue, 15 Nov"`, `"Bearer abc";v="8"`, "a (Bearer abc)", "a; b=Bearer abc", "1, Bearer abc", `x, "Basic YWxpY2U6c2VjcmV0"`, "'Bearer abc'", `{"a": Bearer abc}`} {
		if !Header(value).IsCredential() {
			t.Errorf("%q is not judged a credential", value)
		}
	}
	for _, value := range []string{"", "basic", "text/html", "Mozilla/5.0 (X11; Linux x86_64)", "no-check", "W/\"abc.def\"", "en-US,en;q=0.5", "max-age=0", `"Basic Browser";v="8", "Token Reader";v="1"`, `299 - "Miscellaneous warning"`, `"Not;A=Brand";v="8", "Token ring";v="1"`, "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko)", "a (basic training)"} {
		if v := Header(value); v.IsCredential() {
			t.Errorf("%q %s", value, v.Reason())
		}
	}
}

func TestVerdictsHoldNothingOfTheValue(t *testing.T) {
	const canary = "canary7f3a9b"
	for _, v := range []Verdict{Pair("x", "Bearer "+canary), Pair("x", "ghp_0123456789abcdef"+canary), Pair("x", jwt+canary), Pair("x", `{"token":"`+canary+`"}`)} {
		if !v.IsCredential() || strings.Contains(fmt.Sprintf("%v %s", v, v.Reason()), canary) {
			t.Errorf("%v: %s", v, v.Reason())
		}
	}
}

// FuzzSpellings writes a name of a credential in the ways in which applications read the same name, by a writer that
// shares nothing with the judge.
func FuzzSpellings(f *testing.F) {
	f.Add("access", "token", uint8(0), uint8(3))
	f.Add("user", "password", uint8(5), uint8(1))
	f.Fuzz(func(t *testing.T, first, second string, style, separator uint8) {
		words := []string{"token", "password", "secret", "sessionid", "apikey", "jwt"}
		word := words[int(separator)%len(words)]
		for _, s := range []string{first, second} {
			if s == "" || len(s) > 20 || strings.Trim(s, "abcdefghijklmnopqrstuvwxyz") != "" {
				return
			}
		}
		joined := Name(first + "_" + word)
		separators := []string{"_", "-", ".", " ", "", "__", "-_", ":"}
		mark := separators[int(style)%len(separators)]
		spelt := first + mark + word
		if style&8 != 0 {
			spelt = strings.ToUpper(spelt)
		}
		if style&16 != 0 {
			spelt += "[]"
		}
		if got := Name(spelt); got.IsCredential() != joined.IsCredential() {
			t.Fatalf("%q is %v, %q is %v", spelt, got, first+"_"+word, joined)
		}
	})
}

// FuzzValue looks for panics and for time that grows with more than the length.
func FuzzValue(f *testing.F) {
	f.Add(jwt)
	f.Add(`{"a":[{"b":"?c=%7B%22token%22%3A1%7D"}]}`)
	f.Fuzz(func(t *testing.T, s string) {
		v := Value(s)
		if v.IsCredential() != Value(" "+s+" ").IsCredential() && len(s) >= minValue {
			t.Fatalf("white space around %q changes the verdict", s)
		}
		Header(s)
		Name(s)
	})
}

func BenchmarkPair(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Pair("wpSummary", "corrected the spelling")
	}
}

func BenchmarkText(b *testing.B) {
	text := strings.Repeat("The wiki keeps its pages in namespaces; see example.com for more, and 3.5 of 7. ", 50)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		Value(text)
	}
}

// A value of runs that look like keys is judged in linear time: the whole of it is not looked at for each of them.
func BenchmarkRunsLikeKeys(b *testing.B) {
	for _, size := range []int{4 << 10, 64 << 10} {
		value := strings.Repeat("AKIAaaaaaaaaaaaaaaaa,", size/21)
		b.Run(strconv.Itoa(size), func(b *testing.B) {
			b.SetBytes(int64(len(value)))
			for b.Loop() {
				Value(value)
			}
		})
	}
}
