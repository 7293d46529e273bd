package adapters

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"
)

// unreadTypes are Content-Types of bodies that no action reads.
var unreadTypes = []string{"", "text/plain", "text/json", "application/octet-stream", "application/x-json", "application/csp-report", "application/x-amz-json-1.1", "*/*",
	"text/xml", "application/x-yaml", "image/png", "application/zip", "application/grpc", "text/plain; charset=latin1", "nonsense"}

// logins are bodies with the field pass, into which the login of judgeAdapter puts a password.
var logins = []string{
	`{"user":"alice","pass":"x"}`, ` [{"a":{"pass":"x"}}]`, "\ufeff{\"pass\":\"x\"}", `{"p\u0061ss":"x"}`, `{"pass":1234}`, `{"pass":["x"]}`, `{"a":1}{"pass":"x"}`, "{\"a\":1}\n{\"pass\":\"x\"}\n",
	"{\"pass\":\"x\"} and more", `{'pass':'x'}`, `{pass:"x"}`, `{pass:'x'}`, "// c\n{\"pass\":\"x\"}", `/* " */{"pass":"x"}`, `{"a":1,/* " */"pass":"x"}`, `{"a":1,/*'*/"pass":"x"}`,
	`{"pass"/*,a*/:"x"}`, "{\"a\":1,// don't\n\"pass\":\"x\"}", "{\"a\":'b\",\"pass\":\"x\"}", `{"a":NaN,"pass":"x"}`, ")]}'\n{\"pass\":\"x\"}", `{"PASS":"x"}`, `{"pass[]":"x"}`,
	strings.Repeat(`{"a":`, 70) + `{"pass":"x"}` + strings.Repeat("}", 70),
	"user=alice&pass=x", "pass=x", "a=b c&pass=x", "a=b;pass=x", "a&&pass=x", "p%61ss=x", "a=\xff\x00&pass=x&b=\x01", "a=1& pass=x", "a=1&+pass=x", "pass[]=x", "pass%5B0%5D=x", "pass%00a=x",
	"a=b\r\npass=x\r\n", "pass=x\x00", "PASS=x",
	"<login><user>alice</user><pass>x</pass></login>", "<?xml version=\"1.0\"?><a xmlns:b=\"c\"><b:pass>x</b:pass></a>", `<a pass="x"/>`, `<a b=">" pass='x'>`, "<pass><![CDATA[<x]]></pass>",
	"<pass><!-- --><![CDATA[x]]></pass>", "<!-- ' --><pass>x</pass>", "<!-- a=' --><pass>x</pass>", "<pass><b/>x</pass>", "<a/><pass\n>x</pass>",
	"<m><struct><member><name>user</name><value>alice</value></member><member><name>pass</name><value><string>x</string></value></member></struct></m>", `<l><param name="pass" value="x"/></l>`,
	`<l><param value="x" name="pass"/></l>`, `<l><param name="pass">x</param></l>`, "<plist><dict><key>pass</key><string>x</string></dict></plist>", "<l><entry><key>pass</key><value>x</value></entry></l>", `<l><Field Name="pass"><b/>x</Field></l>`,
	"user: alice\npass: x\n", "---\n- a: b\n  pass: x", "a: |\n  text\n  more\npass: x", "a: \"b\nc\"\npass: x", "a: {b: c,\npass: x}", "? pass\n: x\n", "\"p\\x61ss\": x", "&a pass: x", "a:\n  pass: x", "%YAML 1.2\n---\n!x pass: x",
	"a: [1,\n2]\nb: 'c\n\nd'\npass: x", "- pass: x", "pass: \"x\"",
	"--b\r\nContent-Disposition: form-data; name=\"pass\"\r\n\r\nx\r\n--b--\r\n", "--b\nContent-Disposition: form-data; name=pass\n\nx\n--b--\n",
	wide("{\"pass\":\"x\"}", false), wide("\ufeff{\"pass\":\"x\"}", true), wide("<pass>x</pass>", true), wide("pass=x", false),
}

// wide is ASCII text in UTF-16.
func wide(text string, bigEndian bool) string {
	var out strings.Builder
	for _, c := range text {
		high, low := byte(c>>8), byte(c)
		if !bigEndian {
			high, low = low, high
		}
		out.WriteByte(high)
		out.WriteByte(low)
	}
	return out.String()
}

// TestI2ALoginUnderAnotherMediaType: applications read JSON and forms whatever the type says.
func TestI2ALoginUnderAnotherMediaType(t *testing.T) {
	for _, contentType := range unreadTypes {
		for _, content := range logins {
			action, _, why := readContent(t, "POST", "/p/1", contentType, content)
			if why != nil || !action.Login {
				t.Errorf("%q %q: %v %v, want a login", contentType, content, action, why)
			}
			if found := judgeSent(t, contentType, "", content); found.LoginField != "pass" {
				t.Errorf("%q %q, sent in pieces: found %+v, want the field pass", contentType, content, found)
			}
		}
	}
}

// TestI2ATokenInText: text without names is judged by the tokens in it.
func TestI2ATokenInText(t *testing.T) {
	const key, jwt = "ghp_0123456789abcdefABCDEFghijkl012345", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl"
	bodies := []string{"Bearer abcdef", " Bearer\tabcdef\n", "Basic YWxpY2U6c2VjcmV0", "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk\n", "1234567890:AAabcdefghijklmnopqrstuvwxyz0123456"}
	for _, token := range []string{key, jwt, "xoxb-123456789012-abcDEF0123456789", "AKIAIOSFODNN7QWERTYU", "glpat-AbCdEf0123456789abcd"} {
		for _, around := range []string{"%s", "%s\n", "a,b\n1,%s\n", "a\tb\n1\t%s", "1;%s;2", "see %s for more", "'%s'", "a|%s|b", "$%s", "x$%s", "(%s)", "<%s>", "key is <b>%s</b>", "\u00e4%s\u00e4", "`%s`", "%s.", "-----%s-----", "{{%s}}", "a*%s*", "^%s!", "\\%s"} {
			bodies = append(bodies, fmt.Sprintf(around, token), strings.Repeat("some lines of text\n", 4000)+fmt.Sprintf(around, token))
		}
		bodies = append(bodies, wide("note "+token, false))
	}
	for _, content := range bodies {
		for _, contentType := range []string{"text/plain", "text/csv", "application/octet-stream", "text/markdown", "application/x-ndjson", ""} {
			_, out, why := readContent(t, "POST", "/p/1", contentType, content)
			if why != nil || len(out.Credentials) != 1 {
				t.Errorf("%q %.60q of %d bytes: %v, %d credentials, want one", contentType, content, len(content), why, len(out.Credentials))
			}
			if found := judgeSent(t, contentType, "", content); found.Credential == nil {
				t.Errorf("%q %.60q of %d bytes, sent in pieces: found %+v, want a credential", contentType, content, len(content), found)
			}
		}
	}
}

// TestTextWithoutTokensPasses: what people write about tokens, and what programs send without any, is let through.
func TestTextWithoutTokensPasses(t *testing.T) {
	base64Lines := make([]byte, 0, 1<<20)
	random := mathrand.NewChaCha8([32]byte{9})
	for range 4000 {
		line := make([]byte, 57)
		_, _ = random.Read(line)
		base64Lines = append(base64.StdEncoding.AppendEncode(base64Lines, line), '\n')
	}
	for _, content := range []string{
		"The header is Bearer abc", "set GITHUB_TOKEN to ghp_xxxxxxxxxxxxxxxxxxxx", "ghp_your_token_goes_here_please", "Basic training starts on Monday", "a.b.c", "www.example.com/v1.2.3", "d41d8cd98f00b204e9800998ecf8427e  file.iso\n",
		"550e8400-e29b-41d4-a716-446655440000", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", "-----BEGIN PUBLIC KEY-----\nMIIB\n", "id,title\n1,sk-learn-and-other-libraries-for-python\n", "0032want 0123456789abcdef0123456789abcdef01234567\n00000009done\n",
		string(base64Lines), "-----BEGIN PGP MESSAGE-----\n" + string(base64Lines[:6000]),
	} {
		for _, contentType := range []string{"text/plain", "text/csv", "application/octet-stream"} {
			if found := judgeSent(t, contentType, "", content); found != (BodyFinding{}) {
				t.Errorf("%q %.60q: found %+v, want nothing", contentType, content, found)
			}
		}
	}
}

// TestATokenPassesInAFieldThatPasses: a name in body.pass says that its value is meant. Not in YAML, of which the last line
// may show that it is prose.
func TestATokenPassesInAFieldThatPasses(t *testing.T) {
	const key = "ghp_0123456789abcdefABCDEFghijkl012345"
	for _, content := range []string{`{"new_password":"` + key + `"}`, "new_password=" + key, "<new_password>" + key + "</new_password>"} {
		if found := judgeSent(t, "text/plain", "", content); found != (BodyFinding{}) {
			t.Errorf("%q: found %+v, want nothing", content, found)
		}
		if found := judgeSent(t, "text/plain", "", strings.Replace(content, "new_password", "another_field", 2)); found.Credential == nil {
			t.Errorf("%q with another name: nothing was found", content)
		}
	}
}

// TestI2ACredentialUnderAnotherMediaType is about names and values of credentials.
func TestI2ACredentialUnderAnotherMediaType(t *testing.T) {
	const jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2ln"
	for _, content := range []string{
		`{"access_token":"abc"}`, `{"a":[{"session":{"id":"abc"}}]}`, `{"a":"` + jwt + `"}`, `["Bearer abc"]`, "accessToken=abc", "a=" + jwt, "a=1&b=Bearer+abc", "<access_token>abc</access_token>",
		"<a b=\"" + jwt + "\"/>", "token: abc", "a: " + jwt,
	} {
		for _, contentType := range unreadTypes {
			_, out, why := readContent(t, "POST", "/p/1", contentType, content)
			if why != nil || len(out.Credentials) != 1 {
				t.Errorf("%q %q: %v, %d credentials, want one", contentType, content, why, len(out.Credentials))
			}
		}
	}
}

// TestI2AnyMultipartBodyIsJudged: Rack, Go and formidable read forms in more than multipart/form-data.
func TestI2AnyMultipartBodyIsJudged(t *testing.T) {
	const field = "Content-Disposition: form-data; name=\"pass\"\r\n\r\nx"
	form := func(parts ...string) string { return "--b\r\n" + strings.Join(parts, "\r\n--b\r\n") + "\r\n--b--\r\n" }
	for _, subtype := range []string{"mixed", "related", "alternative", "x-mixed-replace", "byteranges", "x"} {
		for _, c := range []struct {
			content string
			login   bool
		}{
			{form(field), true}, {form("Content-Type: text/plain\r\n\r\na", field), true},
			{form("Content-Disposition: attachment; filename=pass\r\n\r\nx"), true}, {form("Content-ID: <pass>\r\n\r\nx"), true}, {form("Content-Disposition: form-data; name*=utf-8''p%61ss\r\n\r\nx"), true},
			{form("Content-Type: application/json\r\n\r\n{\"pass\":\"x\"}"), true}, {form("Content-Type: application/octet-stream\r\n\r\npass=x"), true}, {form("\r\n{\"pass\":\"x\"}"), true},
			{form("Content-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n" + field + "\r\n--c--"), true}, {form("\r\n--c\r\n" + field + "\r\n--c--"), true},
			{strings.ReplaceAll(form(field), "\r\n", "\n"), true}, {"preamble\r\n" + form(field), true}, {form(field)[:len(form(field))-9], true},
			{form("Content-Type: application/json\r\n\r\n{\"name\":\"x\"}", "Content-Type: image/png\r\n\r\n\x89PNG\x00"), false}, {form("Content-Type: text/plain\r\n\r\n-- \r\nbye"), false},
		} {
			contentType := "multipart/" + subtype + "; boundary=b"
			action, _, why := readContent(t, "POST", "/p/1", contentType, c.content)
			if why != nil || action.Login != c.login {
				t.Errorf("%s %q: %v %v, want login %v", contentType, c.content, action, why, c.login)
			}
		}
	}

	for _, c := range []string{
		form("Content-Transfer-Encoding: quoted-printable\r\nContent-Disposition: form-data; name=a\r\n\r\n{\"pass=\r\n\":1}"),
		form("Content-Type: multipart/mixed\r\n\r\n--c\r\n" + field), form("Content-Type: text/plain; charset=utf-7\r\n\r\n+AHs-"),
	} {
		if action, _, why := readContent(t, "POST", "/p/1", "multipart/mixed; boundary=b", c); why == nil {
			t.Errorf("%q: %v, want that it is refused", c, action)
		}
	}

	if action, _, why := readContent(t, "POST", "/p/1", "multipart/mixed; boundary=b; boundary=c", form(field)); why == nil {
		t.Errorf("two boundaries: %v, want that it is refused", action)
	}
	if _, out, why := readContent(t, "POST", "/p/1", "multipart/mixed; boundary=b", form("Content-Type: application/http\r\n\r\nGET /x HTTP/1.1\r\nAuthorization: Bearer abc\r\n\r\n")); why != nil || len(out.Credentials) != 1 {
		t.Errorf("a request in a part: %v, %d credentials, want one", why, len(out.Credentials))
	}
}

// TestI2JSONInAPartIsJudged: servers like Spring read such a part as they read a body.
func TestI2JSONInAPartIsJudged(t *testing.T) {
	for _, c := range []struct {
		head, content string
		login         bool
		credentials   int
	}{
		{"form-data; name=\"data\"\r\nContent-Type: application/json", `{"user":{"pass":"x"}}`, true, 0}, {"form-data; name=\"data\"\r\nContent-Type: application/json", `{"access_token":"abc"}`, false, 1},
		{"form-data; name=\"data\"; filename=\"blob\"\r\nContent-Type: application/json", `{"pass":"x"}`, true, 0}, {"form-data; name=\"data\"; filename=\"a\"\r\nContent-Type: application/x+json", `{"access_token":"abc"}`, false, 1},
		{"form-data; name=\"pass\"\r\nContent-Type: application/json", `"x"`, true, 0}, {"form-data; name=\"data\"\r\nContent-Type: application/xml", `<pass>x</pass>`, true, 0},
		{"form-data; name=\"data\"; filename=\"a.txt\"\r\nContent-Type: text/plain", `{"pass":"x"}`, false, 0}, {"form-data; name=\"data\"\r\nContent-Type: application/json", `{"name":"x"}`, false, 0},
	} {
		content := "--b\r\nContent-Disposition: " + c.head + "\r\n\r\n" + c.content + "\r\n--b--\r\n"
		action, out, why := readContent(t, "POST", "/p/1", "multipart/form-data; boundary=b", content)
		if why != nil || action.Login != c.login || !c.login && (len(out.Credentials) > 0) != (c.credentials > 0) {
			t.Errorf("%s: %v %v, %d credentials; want login %v, %d credentials", content, action, why, len(out.Credentials), c.login, c.credentials)
		}

		// The same after the part of a form that is held.
		q := Query{Method: "POST", Path: "/p/1", Fields: []Field{{Name: "Content-Type", Value: "multipart/form-data; boundary=" + strings.Repeat("b", 40)}}}
		long := strings.ReplaceAll(content, c.content, strings.Repeat(" ", 100_000)+c.content)
		upload, err := ReadUpload(strings.NewReader(strings.ReplaceAll(long, "--b", "--"+strings.Repeat("b", 40))), q.Fields, UploadOptions{MaxFields: 1 << 20, MaxFiles: 1 << 10})
		if err != nil {
			t.Fatal(err)
		}
		q.Upload = upload
		action, out, why = adapterOf(t).Read(q)
		isFound := action.Login || len(out.Credentials) > 0
		if why == nil && !isFound {
			sent, _, _, err := out.OpenUpload(-1)
			if err != nil {
				t.Fatal(err)
			}
			_, err = io.Copy(io.Discard, sent)
			isFound = err != nil
		}
		if why != nil || isFound != (c.login || c.credentials > 0) {
			t.Errorf("%s, sent in pieces: found %v (%v), want %v", content, isFound, why, c.login || c.credentials > 0)
		}
	}
}

// TestI2ACodedBodyOfAnyTypeIsJudged: what undoes a coding does so whatever the type.
func TestI2ACodedBodyOfAnyTypeIsJudged(t *testing.T) {
	coded := func(open func(io.Writer) io.WriteCloser, content string) string {
		var b bytes.Buffer
		w := open(&b)
		_, _ = io.WriteString(w, content)
		w.Close()
		return b.String()
	}
	gz := func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) }
	zl := func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) }
	pad := strings.Repeat("abcdefgh", 10_000)

	for _, c := range []struct {
		coding, content string
		login           bool
	}{
		{"gzip", coded(gz, `{"pass":"x"}`), true}, {"x-gzip", coded(gz, "a="+pad+"&pass=x"), true}, {"deflate", coded(zl, `{"pass":"x"}`), true}, {"deflate", coded(zl, `{"pass":"x"}`)[2:], true},
		{"gzip", coded(gz, "{") + coded(gz, `"pass":"x"}`), true}, {"gzip", `{"pass":"x"}`, true}, {"gzip, identity", coded(gz, `{"pass":"x"}`), true},
		{"gzip", coded(gz, `{"name":"x"}`), false}, {"gzip", coded(gz, pad) + "rest", false}, {"aws-chunked", "4;chunk-signature=x\r\nabcd\r\n0\r\n\r\n", false},
	} {
		found := judgeSent(t, "application/octet-stream", c.coding, c.content)
		if (found.LoginField == "pass") != c.login {
			t.Errorf("%s of %d bytes: found %+v, want login %v", c.coding, len(c.content), found, c.login)
		}
		for _, contentType := range []string{"", "application/octet-stream", "text/plain", "image/png"} { // the same, held
			q := Query{Method: "POST", Path: "/p/1", ContentType: contentType, Body: []byte(c.content), Fields: []Field{{Name: "Content-Encoding", Value: c.coding}}}
			action, out, why := adapterOf(t).Read(q)
			if action.Login != c.login {
				t.Errorf("%q, %s of %d bytes, held: %v %v, login by %q; want login %v", contentType, c.coding, len(c.content), action, why, out.LoginField, c.login)
			}
		}
	}
	for _, content := range []string{"access_token=abcdefgh12", `{"a":[{"access_token":"abcdefgh12"}]}`, "<a><access_token>abcdefgh12</access_token></a>", "access_token: abcdefgh12\n"} {
		q := Query{Method: "POST", Path: "/p/1", ContentType: "text/plain", Body: []byte(coded(gz, content)), Fields: []Field{{Name: "Content-Encoding", Value: "gzip"}}}
		if _, out, _ := adapterOf(t).Read(q); len(out.Credentials) != 1 {
			t.Errorf("gzip of %s, held: %d credentials, want 1", content, len(out.Credentials))
		}
	}
	for _, coding := range []string{"br", "zstd", "compress", "gzip, gzip", "x"} {
		q := Query{Method: "POST", Path: "/p/1", ContentType: "text/plain", Body: []byte("x"), Fields: []Field{{Name: "Content-Encoding", Value: coding}}}
		if action, _, why := adapterOf(t).Read(q); why == nil {
			t.Errorf("%s: %v, want that it is refused", coding, action)
		}
	}
	if found := judgeSent(t, "text/plain", "gzip", coded(gz, strings.Repeat("\x00", 64<<20))); found.Unreadable == nil {
		t.Error("a body that becomes a thousand times as long is not refused")
	}
}

// TestContentThatHonestClientsSend goes out as it came.
func TestContentThatHonestClientsSend(t *testing.T) {
	random := make([]byte, 1<<20)
	if _, err := rand.Read(random); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ contentType, content string }{
		{"application/x-git-upload-pack-request", "0098want 74730d410fcb6603ace96f1dc55ea6196122532d multi_ack_detailed no-done side-band-64k thin-pack ofs-delta deepen-since agent=git/2.39.2\n00000009done\n"},
		{"application/x-git-receive-pack-request", "00a50000000000000000000000000000000000000000 cdfdb42577e2506715f8cfeacdbabc092bf63e8d refs/heads/experiment\x00 report-status\n0000PACK\x00\x00\x00\x02" + string(random[:4096])},
		{"application/grpc", "\x00\x00\x00\x00\x07\x0a\x05alice"}, {"application/x-ndjson", "{\"index\":{\"_index\":\"a\",\"_id\":\"1\"}}\n{\"title\":\"token of thanks\",\"n\":1}\n"},
		{"application/octet-stream", string(random)}, {"", string(random)}, {"image/png", "\x89PNG\r\n\x1a\n" + string(random)},
		{"text/plain", "Dear all,\n\nthe password: see below.\nRegards & thanks\n-- \nBob\n"}, {"text/markdown", "# Title\n\ntoken: what is it?\n\nA token is a word.\n"},
		{"text/plain", "name,token\nalice,1\n"}, {"text/calendar", "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nSUMMARY:Password change\r\nEND:VCALENDAR\r\n"},
		{"application/x-yaml", "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\nspec:\n  containers:\n  - image: nginx\n"}, {"application/octet-stream", "{\n  \"name\": \"app\",\n  \"version\": \"1.0\"\n}\n"},
		{"application/xml", `<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Object><Key>a/b.txt</Key></Object></Delete>`},
		{"application/xml", `<?xml version="1.0"?><d:propfind xmlns:d="DAV:"><d:prop><d:getetag/><d:sync-token/></d:prop></d:propfind>`},
		{"text/html", `<h1><a name="session">Session</a></h1><p id="token">What is a token?</p><form name="pass"><p>x</p></form>`},
		{"text/xml", `<m><struct><member><name>title</name><value><string>Password</string></value></member><member><name>text</name><value>name</value></member></struct></m>`},
		{"image/svg+xml", `<svg xmlns="http://www.w3.org/2000/svg"><text>a</text></svg>`}, {"text/html", "<!DOCTYPE html><title>x</title><p>your token & mine"},
		{"text/plain", "[[Category:Tokens]]\n{{Infobox}}\nText with a password: none"}, {"text/plain", "[section]\nname = x\n"}, {"application/sql", "-- dump\nINSERT INTO t VALUES ('a');\n"},
		{"application/x-pem-file", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"}, {"text/plain", "a & b; c = d"}, {"text/x-c", "int main(void) { int token = next(); return token; }"},
		{"multipart/related; boundary=b", "--b\r\nContent-Type: application/json\r\n\r\n{\"name\":\"a.png\"}\r\n--b\r\nContent-Type: image/png\r\n\r\n\x89PNG\r\n--b--"},
		{"text/plain; charset=utf-16", wide("plain text", false)}, {"text/plain", "x"}, {"", "{"}, {"", "<"}, {"", "-"}, {"", "="}, {"", "&"},
	} {
		action, out, why := readContent(t, "PUT", "/p/1", c.contentType, c.content)
		if why != nil || action.Name != "page.edit" || len(out.Credentials) > 0 || out.RewritesBody {
			t.Errorf("%s %.80q: %v %v %v, want page.edit as it came", c.contentType, c.content, action, why, out.Credentials)
		}
		if found := judgeSent(t, c.contentType, "", c.content); found != (BodyFinding{}) {
			t.Errorf("%s %.80q, sent in pieces: found %+v", c.contentType, c.content, found)
		}
	}
}

func adapterOf(t testing.TB) *Adapter {
	t.Helper()
	set, err := loadJudged()
	if err != nil {
		t.Fatal(err)
	}
	return set.ByName("app")
}

// readContent reads a request whose body is held.
func readContent(t testing.TB, method, path, contentType, content string) (Action, Outbound, *Reason) {
	t.Helper()
	return adapterOf(t).Read(Query{Method: method, Path: path, ContentType: contentType, Body: []byte(content)})
}

// judgeSent judges a body that is sent on byte by byte.
func judgeSent(t testing.TB, contentType, coding, content string) (found BodyFinding) {
	t.Helper()
	q := Query{Method: "POST", Path: "/p/1", ContentType: contentType}
	if coding != "" {
		q.Fields = append(q.Fields, Field{Name: "Content-Encoding", Value: coding})
	}
	_, out, why := adapterOf(t).Read(q)
	if why != nil || !out.JudgesBody() {
		t.Fatalf("%s %s: %v, want a body that is judged while it is sent", contentType, coding, why)
	}

	broken := errors.New("broken off")
	var src io.Reader = strings.NewReader(content)
	if len(content) < 10_000 {
		src = iotest.OneByteReader(src)
	}
	sent, err := io.ReadAll(out.JudgeBody(src, nil, func(f BodyFinding) error {
		found = f
		return broken
	}))
	switch {
	case found == (BodyFinding{}) && (err != nil || string(sent) != content):
		t.Errorf("%s %.80q: %d of %d bytes were sent, %v", contentType, content, len(sent), len(content), err)
	case found != (BodyFinding{}) && err != broken:
		t.Errorf("%s %.80q: found something, and the error is %v", contentType, content, err)
	}
	return found
}

// FuzzContentIsJudgedAlike compares a body that is held with one that is sent in pieces, and looks for panics.
func FuzzContentIsJudgedAlike(f *testing.F) {
	for _, content := range logins {
		f.Add("text/plain", content)
	}
	f.Add("multipart/mixed; boundary=b", "--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\n--c--\r\n--b--")
	f.Fuzz(func(t *testing.T, contentType, content string) {
		action, out, why := readContent(t, "POST", "/p/1", contentType, content)
		if out.RewritesBody || out.IsUpload() || strings.Contains(strings.ToLower(contentType), "json") || strings.Contains(strings.ToLower(contentType), "form") || content == "" {
			return
		}
		q := Query{Method: "POST", Path: "/p/1", ContentType: contentType}
		_, sent, whyNot := adapterOf(t).Read(q)
		if whyNot != nil {
			return
		}
		var found BodyFinding
		_, _ = io.Copy(io.Discard, sent.JudgeBody(iotest.OneByteReader(strings.NewReader(content)), nil, func(f BodyFinding) error {
			found = f
			return io.ErrUnexpectedEOF
		}))
		held := why != nil || action.Login || len(out.Credentials) > 0
		if held != (found != BodyFinding{}) {
			t.Fatalf("%q: held %v %v %v, in pieces %+v", content, action, why, out.Credentials, found)
		}
	})
}

func BenchmarkJudgeBody(b *testing.B) {
	random := make([]byte, 1<<20)
	_, _ = rand.Read(random)
	for name, content := range map[string][]byte{
		"random": random, "text": []byte(strings.Repeat("All work and no play makes Jack a dull boy.\n", 24_000)),
		"ndjson": []byte(strings.Repeat(`{"title":"a","n":1,"tags":["a","b"]}`+"\n", 28_000)), "xml": []byte("<a>" + strings.Repeat("<row id=\"1\"><name>x</name></row>", 32_000) + "</a>"),
	} {
		b.Run(name, func(b *testing.B) {
			_, out, _ := adapterOf(b).Read(Query{Method: "POST", Path: "/p/1", ContentType: "text/plain"})
			b.SetBytes(int64(len(content)))
			b.ReportAllocs()
			for b.Loop() {
				n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{out.JudgeBody(bytes.NewReader(content), nil, func(f BodyFinding) error { return fmt.Errorf("%+v", f) })}, make([]byte, 32<<10))
				if err != nil || n != int64(len(content)) {
					b.Fatal(n, err)
				}
			}
		})
	}
}

// TestNothingIsFoundInCompressedContent: chance finds no names in bytes without a structure, whatever they begin with.
func TestNothingIsFoundInCompressedContent(t *testing.T) {
	if testing.Short() {
		t.Skip("reads 256 MiB")
	}
	random := mathrand.NewChaCha8([32]byte{7})
	for _, start := range []string{"", "{", "[", "<", "a=", "--b\r\n", "\x1f\x8b\x08"} {
		_, out, _ := adapterOf(t).Read(Query{Method: "PUT", Path: "/p/1", ContentType: "application/octet-stream"})
		for range 36 {
			content := io.MultiReader(strings.NewReader(start), io.LimitReader(random, 1<<20))
			if _, err := io.Copy(io.Discard, out.JudgeBody(content, nil, func(f BodyFinding) error { return fmt.Errorf("%+v", f) })); err != nil {
				t.Errorf("random bytes after %q: %v", start, err)
			}
		}
	}
}
