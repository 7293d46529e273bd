package credential

import (
	"encoding/base64"
	"encoding/json"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"
)

// liveJWT is a JWT as an application issues it.
const liveJWT = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbGljZSIsImV4cCI6MTc5OTk5OTk5OX0.c2lnbmF0dXJlLW9mLWFsaWNlLWlzLWhlcmU"

// drawn returns n bytes of a set, the same in every run. It has small and capital letters and digits if the set has.
func drawn(seed uint64, n int, set string) string {
	r := rand.New(rand.NewPCG(seed, 7))
	b := make([]byte, n)
	for i := range b {
		b[i] = set[r.IntN(len(set))]
	}
	return string(b)
}

const (
	digitSet = "0123456789"
	hexSet   = digitSet + "abcdef"
	upperSet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	alnumSet = digitSet + upperSet + "abcdefghijklmnopqrstuvwxyz"
	webSet   = alnumSet + "-_"
)

// issued are keys of known issuers, in the lengths and alphabets in which they are issued.
func issued() map[string]string {
	keys := map[string]string{}
	for i, f := range []struct {
		issuer, prefix string
		n              int
		set            string
	}{
		{"GitHub", "ghp_", 36, alnumSet}, {"GitHub OAuth", "gho_", 36, alnumSet}, {"GitHub user", "ghu_", 36, alnumSet}, {"GitHub server", "ghs_", 36, alnumSet}, {"GitHub refresh", "ghr_", 76, alnumSet},
		{"GitHub fine", "github_pat_", 82, alnumSet + "_"}, {"GitLab", "glpat-", 20, webSet}, {"GitLab deploy", "gldt-", 20, webSet}, {"GitLab runner", "glrt-", 20, webSet}, {"GitLab trigger", "glptt-", 40, hexSet},
		{"GitLab registration", "GR1348941", 20, webSet}, {"Slack bot", "xoxb-123456789012-1234567890123-", 24, alnumSet}, {"Slack user", "xoxp-123456789012-", 40, hexSet}, {"Slack app", "xapp-1-A0123456789-1234567890123-", 64, hexSet},
		{"Stripe", "sk_live_", 24, alnumSet}, {"Stripe restricted", "rk_live_", 24, alnumSet}, {"Stripe hook", "whsec_", 32, alnumSet}, {"AWS", "AKIA", 16, upperSet + "234567"}, {"AWS temporary", "ASIA", 16, upperSet + "234567"},
		{"AWS session", "IQoJb3JpZ2luX2Vj", 300, alnumSet + "+/"}, {"Google API", "AIza", 35, webSet}, {"Google OAuth", "ya29.a0", 160, webSet}, {"Google secret", "GOCSPX-", 28, webSet}, {"npm", "npm_", 36, alnumSet},
		{"PyPI", "pypi-AgEIcHlwaS5vcmc", 120, webSet}, {"SendGrid", "SG." + drawn(3, 22, webSet) + ".", 43, webSet}, {"Twilio", "SK", 32, hexSet}, {"Atlassian", "ATATT3xFfGF0", 180, webSet}, {"Bitbucket", "ATBB", 32, alnumSet},
		{"DigitalOcean", "dop_v1_", 64, hexSet}, {"Vault", "hvs.", 90, webSet}, {"Vault of old", "s.", 24, alnumSet}, {"Shopify", "shpat_", 32, hexSet}, {"Databricks", "dapi", 32, hexSet}, {"Okta", "00", 40, webSet}, {"Dropbox", "sl.u.A", 130, webSet},
		{"Figma", "figd_", 40, webSet}, {"Linear", "lin_api_", 40, alnumSet}, {"Notion of old", "secret_", 43, alnumSet}, {"Notion", "ntn_", 46, alnumSet}, {"OpenAI", "sk-", 48, alnumSet}, {"OpenAI project", "sk-proj-", 120, webSet},
		{"Anthropic", "sk-ant-api03-", 95, webSet}, {"Hugging Face", "hf_", 34, alnumSet}, {"Groq", "gsk_", 52, alnumSet}, {"Replicate", "r8_", 37, alnumSet}, {"xAI", "xai-", 80, alnumSet}, {"Docker", "dckr_pat_", 27, webSet},
		{"Heroku", "HRKU-AA", 58, webSet}, {"Fly", "fm2_", 200, alnumSet + "+/"}, {"Supabase", "sbp_", 40, hexSet}, {"Netlify", "nfp_", 36, alnumSet}, {"PlanetScale", "pscale_tkn_", 43, webSet}, {"Doppler", "dp.pt.", 43, alnumSet},
		{"Tailscale", "tskey-auth-", 40, webSet}, {"New Relic", "NRAK-", 27, digitSet + upperSet}, {"Grafana", "glsa_" + drawn(5, 32, alnumSet) + "_", 8, hexSet}, {"Sentry", "sntrys_eyJ", 100, alnumSet}, {"PostHog", "phx_", 43, alnumSet},
		{"1Password", "ops_eyJ", 260, alnumSet}, {"age", "AGE-SECRET-KEY-1", 58, "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L"}, {"Mailgun", "key-", 32, hexSet}, {"Brevo", "xkeysib-" + drawn(9, 64, hexSet) + "-", 16, alnumSet}, {"Square", "sq0atp-", 22, webSet},
		{"EasyPost", "EZAK", 54, alnumSet}, {"Shippo", "shippo_live_", 40, hexSet}, {"Postman", "PMAK-", 59, hexSet + "-"}, {"Typeform", "tfp_", 59, webSet}, {"Contentful", "CFPAT-", 43, webSet}, {"SonarQube", "squ_", 40, hexSet},
		{"Artifactory", "AKCp", 69, alnumSet}, {"RubyGems", "rubygems_", 48, hexSet}, {"NuGet", "oy2", 43, "abcdefghijklmnopqrstuvwxyz0123456789"}, {"CircleCI", "CCIPAT_", 60, webSet}, {"Dynatrace", "dt0c01.", 88, digitSet + upperSet + "."},
		{"Alibaba", "LTAI", 20, alnumSet}, {"Pulumi", "pul-", 40, hexSet}, {"HubSpot", "pat-na1-", 36, hexSet + "-"}, {"Mapbox", "sk.eyJ1Ijoi", 80, alnumSet}, {"Telegram", "1234567890:AA", 33, webSet}, {"Entra", drawn(4, 3, alnumSet) + "8Q~", 34, alnumSet + "_~.-"},
		{"OpenShift", "sha256~", 43, webSet}, {"Discord", "MTA5ODc2NTQzMjEwOTg3NjU0Mw.GxYzAb.", 38, webSet},
	} {
		keys[f.issuer] = f.prefix + drawn(uint64(i), f.n, f.set)
	}
	return keys
}

func TestI2KeysOfKnownIssuers(t *testing.T) {
	for issuer, key := range issued() {
		for how, value := range map[string]string{
			"alone": key, "quoted": `"` + key + `"`, "percent": url.PathEscape(key), "every byte escaped twice": escapeAll(escapeAll(key)), "in a URL": "https://a.example/x?next=" + url.QueryEscape(key),
			"in JSON": `{"a":["` + key + `"]}`, "in base64": base64.StdEncoding.EncodeToString([]byte(key)),
		} {
			if !Value(value).IsCredential() {
				t.Errorf("%s, %s: %q is not judged a credential", issuer, how, value)
			}
		}
		if !Header(key).IsCredential() {
			t.Errorf("%s: %q is not judged a credential in a header", issuer, key)
		}
	}
}

func escapeAll(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		b.WriteString("%" + string("0123456789abcdef"[s[i]>>4]) + string("0123456789abcdef"[s[i]&15]))
	}
	return b.String()
}

// sealed are session cookies as frameworks seal them.
func sealed() map[string]string {
	webJSON := base64.RawURLEncoding.EncodeToString
	return map[string]string{
		"Django":            ".eJxVjDsOwjAQBe_iGlmO408" + drawn(1, 60, webSet) + ":1tXyZ9:" + drawn(2, 43, webSet),
		"Django plain":      "eyJfYXV0aF91c2VyX2lkIjoiMSJ9:1tXyZ9:" + drawn(2, 27, webSet),
		"Flask":             "eyJ1c2VyX2lkIjoxfQ.ZxYzAb." + drawn(3, 27, webSet),
		"Flask, compressed": ".eJwlzjsOwjAMANC7" + drawn(4, 40, webSet) + ".ZxYzAb." + drawn(5, 27, webSet),
		"Rails 7":           drawn(6, 180, alnumSet+"+/") + "--" + drawn(7, 16, alnumSet+"+/") + "--" + drawn(8, 22, alnumSet+"+/") + "==",
		"Rails 4":           base64.StdEncoding.EncodeToString([]byte(drawn(9, 60, alnumSet)+"=="+"--"+drawn(10, 22, alnumSet)+"==")) + "--" + drawn(11, 40, hexSet),
		"Rails 3":           base64.StdEncoding.EncodeToString([]byte("\x04\x08{\x07I\"\x0fsession_id\x06:\x06ETI\"%"+drawn(12, 32, hexSet))) + "--" + drawn(13, 40, hexSet),
		"Laravel":           "eyJpdiI6" + drawn(14, 200, alnumSet),
		"Fernet":            "gAAAAABm" + drawn(15, 112, webSet),
		"ASP.NET":           "CfDJ8" + drawn(16, 180, webSet),
		"Express":           "s:" + drawn(17, 32, webSet) + "." + drawn(18, 43, alnumSet+"+/"),
		"WordPress":         "alice|1799999999|" + drawn(19, 43, alnumSet) + "|" + drawn(20, 64, hexSet),
		"SAML":              base64.StdEncoding.EncodeToString([]byte(`<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol"><saml:Assertion/></samlp:Response>`)),
		"SAML with prolog":  base64.StdEncoding.EncodeToString([]byte(`<?xml version="1.0"?><Response xmlns="urn:oasis:names:tc:SAML:2.0:protocol"/>`)),
		"NTLM":              base64.StdEncoding.EncodeToString([]byte("NTLMSSP\x00\x03\x00\x00\x00" + strings.Repeat("\x00\x18", 30))),
		"Kerberos":          base64.StdEncoding.EncodeToString([]byte("\x60\x82\x02\xab\x06\x06\x2b\x06\x01\x05\x05\x02\xa0\x82" + strings.Repeat("x", 60))),
		"PASETO":            "v4.public." + webJSON([]byte(`{"sub":"alice"}`+strings.Repeat("s", 64))),
		"Azure SAS":         "https://x.blob.core.windows.net/c/b?sv=2022-11-02&sr=b&sig=" + url.QueryEscape(drawn(21, 43, alnumSet)+"="),
		"service bus":       "SharedAccessSignature sr=x.servicebus.windows.net&sig=" + drawn(22, 43, alnumSet) + "&se=1&skn=k",
	}
}

func TestI2SealedSessions(t *testing.T) {
	for framework, value := range sealed() {
		if !Value(value).IsCredential() || !Value(url.QueryEscape(value)).IsCredential() {
			t.Errorf("%s: %q is not judged a credential", framework, value)
		}
		if !Header(value).IsCredential() {
			t.Errorf("%s: %q is not judged a credential in a header", framework, value)
		}
	}

	// What a framework seals is a token against request forgery under a name of one.
	for _, framework := range []string{"Laravel", "ASP.NET", "Flask"} {
		value := sealed()[framework]
		for _, name := range []string{"X-XSRF-TOKEN", "csrf_token", "__RequestVerificationToken"} {
			if v := Pair(name, value); v.IsCredential() {
				t.Errorf("%s under %s %s", framework, name, v.Reason())
			}
			if v := FieldPair(name, value); v.IsCredential() {
				t.Errorf("%s in the field %s %s", framework, name, v.Reason())
			}
		}
		if !Pair("text", value).IsCredential() {
			t.Errorf("%s under text is not judged a credential", framework)
		}
	}
}

func TestI2ValuesWithinValues(t *testing.T) {
	inBase64 := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	inJSON := func(s string) string {
		text, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	for _, value := range []string{
		inBase64(liveJWT), inBase64("Bearer " + liveJWT), inBase64(inBase64(liveJWT)), strings.TrimRight(inBase64(liveJWT), "="), inBase64(`{"a":{"b":"` + liveJWT + `"}}`), inBase64("see " + liveJWT + " ok"),
		url.QueryEscape(inBase64(liveJWT)), escapeAll(liveJWT), escapeAll(escapeAll(liveJWT)), inBase64(escapeAll(liveJWT)), inJSON(inJSON(`{"access_token":"abc"}`)), inJSON(inBase64(liveJWT)), `{"a":` + inJSON(`{"b":`+inJSON(liveJWT)+`}`) + `}`,
		`{"token":"x","token":null}`, `{"token":null,"token":"x"}`, `{"a":"` + inBase64(liveJWT) + `"}`, "Bearer%20abc", "Bearer+abc", "bearer%09abc",
		"PHPSESSID=abcdef0123456789abcdef0123", "session=SeSsIoN0001abc", "a=b; session=SeSsIoN0001abc; theme=dark", "a=b&access_token=abcdef123", "user=alice&password=hunter22", "Cookie:session=SeSsIoN0001abc", "PHPSESSID%3Dabcdef0123456789", "sid=\"abcdef012345\"",
		"https://alice:hunter22@x.example/", "https://alice:hunter22@x.example", "ftp://a:b1@h/x", "postgres://app:s3cret@db.example/x", "https%3A%2F%2Falice%3Ahunter22%40x.example%2F", "https://:pass@h/", "/cb?code=SplxlOBeZQQYbYS6WxSbIA&state=xyz",
		"https://a.example/reset?token=abc123", "https://a.example/#access_token=abc", "/x/" + liveJWT + "/y", "x." + liveJWT, "token:" + liveJWT, "`" + liveJWT + "`", "(" + liveJWT + ")", "_" + liveJWT + "_",
	} {
		if !Value(value).IsCredential() {
			t.Errorf("%q is not judged a credential", value)
		}
	}
}

// In text that people read, a token must look as if it worked; words and examples are no credentials.
func TestI2CredentialsInText(t *testing.T) {
	keys := issued()
	for _, text := range []string{
		"see " + liveJWT + " ok", "Log in with: " + liveJWT + ".", "токен" + liveJWT, "令牌是" + liveJWT + "。", "a\n\n    " + keys["GitHub"] + "\n", "curl -H 'Authorization: Bearer " + liveJWT + "' https://x", "key: " + keys["AWS"] + ", secret",
		"**" + keys["Slack bot"] + "**", "the key is \"" + keys["Anthropic"] + "\".", "<p>" + keys["Google OAuth"] + "</p>", "[x](" + liveJWT + ")", "here is the key:\n-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\n",
		"eyJhbGciOiJub25lIn0.eyJ1c2VyIjoiYWxpY2UifQ. is unsigned",
	} {
		if !Value(text).IsCredential() {
			t.Errorf("%q is not judged a credential", text)
		}
	}
	for _, text := range []string{
		"Send the header Authorization: Bearer <token> with every request.", "A JWT begins with eyJ and has two dots, as in eyJh.eyJi.c here", "Keys begin with ghp_ or github_pat_ and have 36 characters.", "use ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx here",
		"set AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE first", "sk-learn and sk-image are Python packages", "the password is stored in the vault; session=off and token=on", "run npm_config_cafile=/etc/ssl/ca.pem npm install",
		"postgres://user:password@localhost/db is the form of the URL", "Basic training. Digest of news. Token economy 2024", "Version 1.2.3.4 of a.b.c, see www.example.com/a.b.c", "key-value stores, glpat-YOUR-TOKEN-GOES-HERE", "hvs.example.and.more.text.like.this0",
		"sha256:" + drawn(1, 64, hexSet) + " " + drawn(2, 40, hexSet), "SHA256:" + drawn(3, 43, alnumSet+"+/") + " fingerprint",
	} {
		if v := Value(text); v.IsCredential() {
			t.Errorf("%q %s", text, v.Reason())
		}
	}
}

// Every character that a key cannot hold ends what stands before it, and marks before a key do not hide it.
func TestI2KeysAfterAnySeparator(t *testing.T) {
	key := issued()["GitHub"]
	for c := byte('!'); c < 0x7f; c++ {
		if alnum.has(c) {
			continue
		}
		separator := string(rune(c))
		values := []string{separator + key, "see " + separator + key}
		if !dottedBytes.has(c) {
			values = append(values, "a"+separator+key+separator+"b")
		}
		for _, value := range values {
			if !Value(value).IsCredential() {
				t.Errorf("a key after %q is not judged a credential", separator)
			}
		}
	}
}

// Honest values of many applications are no credentials.
func TestI2PlainValues(t *testing.T) {
	inBase64 := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	for _, value := range []string{
		inBase64("User:12345678901234567"), inBase64(`{"id":123456,"key":"abc","sort":"name"}`), inBase64("# Title\n\nSome text with words. password: none\n"), inBase64(`{"name":"app","password":"required","token":"${TOKEN}"}`), inBase64(strings.Repeat("\x89PNG\x00\x01", 40)),
		drawn(1, 32, hexSet), drawn(2, 64, hexSet), drawn(3, 40, hexSet), drawn(4, 22, alnumSet), drawn(5, 43, webSet), "W/\"" + drawn(6, 40, hexSet) + "\"", "123e4567-e89b-12d3-a456-426614174000", "main.chunk-vendors.5f3c2b1a.js.map",
		"project.module.ClassName.methodName", "page=2&sort=name&q=a b", "label=bug&state=open", "filter[status]=open", "a=b", "sort=session", "x.y=z", "status=token", "mailto:alice@x.example", "https://x.example/a@b/c", "git@github.com:acme/app.git", "https://alice@x.example/",
		"https://x.example/a?page=2#top", "https://user:****@x.example/", "C:\\Users\\alice", "2024-01-01T00:00:00.000Z", "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ", "100%", "50%25", "a%20b%20c", "1,2,3", "SKU-00012345", "AC" + drawn(7, 32, hexSet),
		"SHA256:" + drawn(8, 43, alnumSet+"+/"), "sha1-" + drawn(9, 27, alnumSet) + "=", "sha384-" + drawn(10, 64, alnumSet), "eyJfcmFpbHMiOnsiZGF0YSI6MSwicHVyIjoiYmxvYl9pZCJ9fQ==--" + drawn(11, 40, hexSet), "/wEPDwUKLTI0", "[[Main Page]]", "<a href=\"/x\">y</a>", "SELECT", "key=value",
		"0001234567890123456789012345678901234567890", "com.example.application.feature.SomeVeryLongClassName1", "v1.2.3-beta.4+build.5678", "10.0.0.1:8080", "a:b:c", "12:30:45", "arn:aws:iam::123456789012:role/S3Access", "urn:uuid:123e4567-e89b-12d3-a456-426614174000",
	} {
		if v := Value(value); v.IsCredential() {
			t.Errorf("%q %s", value, v.Reason())
		}
	}
}

func TestI2NamesByTheShapeOfTheirValue(t *testing.T) {
	for _, pair := range [][2]string{
		{"code", "SplxlOBeZQQYbYS6WxSbIA"}, {"code", "4/0AX4XfWhP0b3cD5eF6gH7iJ8kL9mN0"}, {"code", "a1b2c3d4e5f6a7b8c9d0"}, {"Code", "0.AXEAabcdef0123456789ABCDEF.AgABAAIAAAD"}, {"pin", "1234"}, {"PIN", "000000"}, {"user_pin", "x"}, {"tok", "abc"}, {"TOK", "1"}, {"user[tok]", "x"},
		{"ｐａｓｓｗｏｒｄ", "x"}, {"pass-word", "x"}, {"pass.word", "x"}, {"pass word", "x"}, {"PassWord", "x"}, {"password2", "x"}, {"pass_word_3", "x"}, {"api:key", "x"}, {"(api)key", "x"}, {"access/token", "x"}, {"access%token", "x"}, {"ａｃｃｅｓｓＴｏｋｅｎ", "x"}, {"user[pass]", "x"}, {"a[b][pass]", "x"}, {"user.pass", "x"},
		{"user(pass)", "x"}, {"token１", "x"}, {"to\u00adken", "x"}, {"Token\u00a0", "x"}, {"login[pin]", "1234"}, {"user.pin", "123456"},
		{liveJWT, ""}, {liveJWT, "1"}, {"a[" + liveJWT + "]", "1"}, {"s%69d", "x"}, {"s%2569d", "x"}, {"passkey", "x"}, {"appKey", "x"}, {"login_as", "x"}, {"hmac", "x"}, {"service", "TGT-1-aA5Yuvrxzpv8Tau1cYQ7bC"}, {"x", "ST-1856339-aA5Yuvrxzpv8Tau1cYQ7"},
	} {
		if pair[0] == "user_pin" {
			pair[1] = "1234"
		}
		if !Pair(pair[0], pair[1]).IsCredential() {
			t.Errorf("%s=%s is not judged a credential", pair[0], pair[1])
		}
	}
	for _, pair := range [][2]string{
		{"code", "DE"}, {"code", "404"}, {"code", "ERR_SOMETHING_LONG_2"}, {"code", "my-product-code-12345"}, {"code", "print(\"hello 12345 world\")"}, {"code", "def f(x): return x1"}, {"code", "ABC-123-DEF-456-GHI"}, {"country_code", "DE"}, {"postcode", "12345678901234567890"},
		{"pin", "true"}, {"pin", "123"}, {"pinned", "1234"}, {"spin", "1234"}, {"stock", "1"}, {"photo", "x1"}, {"opinion", "1234"},
	} {
		if v := Pair(pair[0], pair[1]); v.IsCredential() {
			t.Errorf("%s=%s %s", pair[0], pair[1], v.Reason())
		}
	}
}

func TestPairNames(t *testing.T) {
	for value, want := range map[string]string{
		"wiki_sid=abcdef0123": "wiki_sid", "a=b; wiki_sid=abcdef0123": "wiki_sid", "wiki_sid%3Dabcdef0123": "wiki_sid", "/x?wiki_sid=abcdef0123": "wiki_sid", "see wiki_sid=abcdef0123": "wiki_sid", "wiki_sid=****": "", "plain": "", "a=b": "",
	} {
		got := ""
		PairNames(value, func(name string) bool { got = name; return true })
		if got != want {
			t.Errorf("%q names %q, want %q", value, got, want)
		}
	}
}

// The work for one value is bounded, however deep it is encoded: it is counted in allocated bytes, of which every
// decoding takes some.
func TestI10JudgingIsBounded(t *testing.T) {
	deep := "%" + strings.Repeat("25", 1<<15) + "41"
	for what, judge := range map[string]func(){
		"Name": func() { Name(deep) }, "Value": func() { Value(deep) }, "Header": func() { Header(deep) }, "Pair": func() { Pair(deep, deep) }, "PairNames": func() { PairNames(deep+"=abcdefgh", func(string) bool { return true }) },
		"Value in URLs": func() { Value(strings.Repeat("?a=%3Fa%3D", 1<<12)) }, "Value in lists": func() { Value(strings.Repeat("[", 1<<15)) },
	} {
		if n := testing.AllocsPerRun(1, judge); n > 20_000 {
			t.Errorf("%s allocates %v times", what, n)
		}
	}
}

// FuzzNesting encodes a token a few times in a row, by writers that share nothing with the judge.
func FuzzNesting(f *testing.F) {
	f.Add(uint64(0x123), "before ", " after")
	f.Fuzz(func(t *testing.T, steps uint64, before, after string) {
		value := liveJWT
		for range maxNested - 1 {
			switch steps & 3 {
			case 0:
				value = url.QueryEscape(value)
			case 1:
				value = base64.URLEncoding.EncodeToString([]byte(value))
			case 2:
				text, _ := json.Marshal(map[string]string{"x": value})
				value = string(text)
			case 3:
				value = escapeAll(value)
			}
			steps >>= 2
		}
		if !Value(value).IsCredential() {
			t.Fatalf("%q is not judged a credential", value)
		}
		if strings.Trim(before+after, " \n.,;:()") == "" && !Value(before+liveJWT+after).IsCredential() {
			t.Fatalf("%q is not judged a credential", before+liveJWT+after)
		}
	})
}
