package apps

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// sendThroughRecorder sends one request with the given cookies through the
// application's recorder.
func sendThroughRecorder(t *testing.T, a *App, cookies []*http.Cookie, method, path string, form url.Values) (status int, page string) {
	t.Helper()
	b := newBrowser(a.URL, a.PublicURL)
	for _, c := range cookies {
		b.setCookie(c)
	}
	status, page, err := b.request(method, path, form)
	if err != nil {
		t.Fatal(err)
	}
	return status, page
}

// checkLogin logs in with l, and checks that a wrong password does not.
func checkLogin(t *testing.T, a *App, l Login) []*http.Cookie {
	t.Helper()
	cookies, err := a.LoginAs(l.User, l.Password)
	if err != nil || len(cookies) == 0 {
		t.Fatalf("log in with the right password: %d cookies, error %v, want cookies", len(cookies), err)
	}
	if _, err := a.LoginAs(l.User, l.Password+"x"); err == nil {
		t.Error("log in with a wrong password: no error")
	}
	return cookies
}

// checkApp checks that the history has a recent change by Bob with that title
// and comment, that the recorder saw his session, and that KillSessions ends it.
// isLive reports whether the session is still accepted.
func checkApp(t *testing.T, a *App, cookies []*http.Cookie, title, comment string, isLive func() bool) {
	t.Helper()

	found := false
	for _, c := range a.History() {
		if strings.EqualFold(c.User, "Bob") && c.Title == title && c.Comment == comment && time.Since(c.Time).Abs() < time.Minute {
			found = true
		}
	}
	if !found {
		t.Errorf("the history has no recent change of %q by Bob with comment %q: %+v", title, comment, a.History())
	}

	session := cookies[0].Name + "=" + cookies[0].Value
	if all := strings.Join(a.CookieHeaders(), "\n"); !strings.Contains(all, session) {
		t.Errorf("the recorder has no request with the session's cookie; its cookies:\n%s", all)
	}

	if !isLive() {
		t.Error("the session is not live before KillSessions")
	}
	a.KillSessions()
	if isLive() {
		t.Error("the session is live after KillSessions")
	}

	a.ForgetRequests()
	if n := len(a.Requests()); n != 0 {
		t.Errorf("%d requests are recorded after ForgetRequests, want 0", n)
	}
}

func skipIfShort(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: real applications are not started")
	}
}

func TestMediaWiki(t *testing.T) {
	skipIfShort(t)
	a := StartMediaWiki(t, "https://wiki.acme.test")
	cookies := checkLogin(t, a, a.AddUser("Bob", "bob-of-the-wiki-1"))

	_, text := sendThroughRecorder(t, a, cookies, "GET", "/api.php?action=query&meta=tokens&format=json", nil)
	var tokens struct {
		Query struct {
			Tokens struct{ CSRFToken string }
		}
	}
	if err := json.Unmarshal([]byte(text), &tokens); err != nil {
		t.Fatal(err)
	}
	status, page := sendThroughRecorder(t, a, cookies, "POST", "/api.php", url.Values{
		"action": {"edit"}, "title": {"Sandbox"}, "text": {"hello"}, "summary": {"first words"},
		"token": {tokens.Query.Tokens.CSRFToken}, "format": {"json"},
	})
	if status != 200 || !strings.Contains(page, `"Success"`) {
		t.Fatalf("edit a page: status %d, want 200 and \"Success\" in:\n%s", status, page)
	}

	requests := a.Requests()
	last := requests[len(requests)-1]
	if last.Status != 200 || last.Host != "wiki.acme.test" || !last.Contains("summary=first+words") {
		t.Errorf("recorded %s %s at %s: %d %s, want the edit at wiki.acme.test with status 200", last.Method, last.URI, last.Host, last.Status, last.Body)
	}
	checkApp(t, a, cookies, "Sandbox", "first words", func() bool {
		_, user := sendThroughRecorder(t, a, cookies, "GET", "/api.php?action=query&meta=userinfo&format=json", nil)
		return strings.Contains(user, `"Bob"`)
	})
}

func TestSecondMediaWikiHasItsOwnAddress(t *testing.T) {
	skipIfShort(t)
	StartMediaWiki(t, "https://wiki.acme.test")

	began := time.Now()
	second := StartMediaWiki(t, "https://second.acme.test")
	t.Logf("the second wiki started in %v", time.Since(began))

	_, page := sendThroughRecorder(t, second, nil, "GET", "/index.php?title=Main_Page", nil)
	if !strings.Contains(page, "https://second.acme.test") {
		t.Errorf("the main page of the second wiki does not contain its own address:\n%.1000s", page)
	}
}

func TestRequestTracker(t *testing.T) {
	skipIfShort(t)
	a := StartRequestTracker(t, "https://rt.acme.test")
	cookies := checkLogin(t, a, a.AddUser("Bob", "bob-of-the-tracker-1"))

	_, page := sendThroughRecorder(t, a, cookies, "GET", "/Ticket/Create.html?Queue=1", nil)
	status, page := sendThroughRecorder(t, a, cookies, "POST", "/Ticket/Create.html", url.Values{
		"id": {"new"}, "Queue": {"1"}, "Subject": {"Printer"}, "Content": {"it is on fire"}, "ContentType": {"text/plain"},
		"Status": {"new"}, "Requestors": {"Bob@acme.test"}, "SubmitTicket": {"Create"}, "Token": {formField(page, "Token")},
	})
	if status >= 400 || strings.Contains(page, "cross-site request forgery") {
		t.Fatalf("create a ticket: status %d, want a new ticket in:\n%.2000s", status, page)
	}

	checkApp(t, a, cookies, "ticket/1", "it is on fire", func() bool {
		_, page := sendThroughRecorder(t, a, cookies, "GET", "/", nil)
		return strings.Contains(page, "Logged in as")
	})
}

func TestWordPress(t *testing.T) {
	skipIfShort(t)
	a := StartWordPress(t, "https://blog.acme.test")
	cookies := checkLogin(t, a, a.AddUser("Bob", "bob-of-the-blog-1"))

	_, page := sendThroughRecorder(t, a, cookies, "GET", "/wp-admin/post-new.php?classic-editor", nil)
	nonce := formField(page, "_wpnonce")
	if _, rest, ok := strings.Cut(page, `createNonceMiddleware( "`); ok {
		nonce, _, _ = strings.Cut(rest, `"`)
	}
	status, text := sendThroughRecorder(t, a, cookies, "POST", "/index.php?rest_route=/wp/v2/posts&_wpnonce="+url.QueryEscape(nonce),
		url.Values{"title": {"Snow"}, "content": {"white"}, "excerpt": {"short"}, "status": {"publish"}})
	if status != 201 {
		t.Fatalf("publish a post with nonce %q: status %d, want 201:\n%.1000s", nonce, status, text)
	}
	if _, front := sendThroughRecorder(t, a, nil, "GET", "/", nil); !strings.Contains(front, "<h1>Snow</h1>") {
		t.Errorf("the front page does not show the post:\n%.500s", front)
	}

	checkApp(t, a, cookies, "Snow", "short", func() bool {
		status, _ := sendThroughRecorder(t, a, cookies, "GET", "/wp-admin/", nil)
		return status == 200
	})
}

// killedTestVariable makes this test binary start a server and wait to be
// killed, see TestServersEndWithKilledTest.
const killedTestVariable = "APPS_TEST_VICTIM"

func TestMain(m *testing.M) {
	if os.Getenv(killedTestVariable) == "" {
		os.Exit(m.Run())
	}

	t := &minimalTest{}
	w := newWorkspace(t, "victim", "www-data")
	addr := "127.0.0.1:" + freePort(t)
	w.start(t, acceptsConnections("tcp", addr), "php", "-d", "opcache.lockfile_path="+w.dir, "-S", addr, "-t", w.dir)
	os.Stdout.WriteString(addr + " " + w.dir + "\n")
	select {}
}

// minimalTest implements what workspace needs of testing.TB. It never cleans up.
type minimalTest struct{ testing.TB }

func (*minimalTest) Helper()        {}
func (*minimalTest) Cleanup(func()) {}
func (*minimalTest) Fatal(v ...any) { panic(v) }

func TestServersEndWithKilledTest(t *testing.T) {
	requireFiles(t, "php-cli", "php")

	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), killedTestVariable+"=1")
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	addr, dir, _ := strings.Cut(strings.TrimSpace(line), " ")
	isListening := acceptsConnections("tcp", addr)
	if err != nil || !isListening() {
		t.Fatalf("the test process did not start a server: it printed %q, error %v", line, err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })

	c.Process.Kill()
	io.Copy(io.Discard, out)
	c.Wait()
	for deadline := time.Now().Add(5 * time.Second); isListening(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the server still accepts connections five seconds after its test was killed")
		}
	}
}
