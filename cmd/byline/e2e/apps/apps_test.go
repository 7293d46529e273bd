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

// browse sends one request through the recorder with the session's cookies.
func browse(t *testing.T, a *App, cookies []*http.Cookie, method, path string, form url.Values) (int, string) {
	t.Helper()
	j := newJar(a.URL, a.Public)
	for _, c := range cookies {
		j.set(c)
	}
	status, page, err := j.do(method, path, form)
	if err != nil {
		t.Fatal(err)
	}
	return status, page
}

func loginAs(t *testing.T, a *App, l Login) []*http.Cookie {
	t.Helper()
	cookies, err := a.LoginAs(l.User, l.Password)
	if err != nil || len(cookies) == 0 {
		t.Fatalf("%d cookies, %v", len(cookies), err)
	}
	if _, err := a.LoginAs(l.User, l.Password+"x"); err == nil {
		t.Error("a wrong password logs in")
	}
	return cookies
}

// checkRecord wants the last change to be by bob, and his session to have
// been seen by the recorder and to be over once it was killed.
func checkRecord(t *testing.T, a *App, cookies []*http.Cookie, title, comment string, live func() bool) {
	t.Helper()
	found := false
	for _, c := range a.History() {
		found = found || strings.EqualFold(c.User, "Bob") && c.Title == title && c.Comment == comment && time.Since(c.Time).Abs() < time.Minute
	}
	if !found {
		t.Errorf("no change of %q by Bob in %+v", title, a.History())
	}
	session := cookies[0].Name + "=" + cookies[0].Value
	if all := strings.Join(a.Cookies(), "\n"); !strings.Contains(all, session) {
		t.Errorf("the recorder did not see the session's cookie: %s", all)
	}
	if !live() {
		t.Error("the session is not live")
	}
	a.KillSessions()
	if live() {
		t.Error("the session outlived KillSessions")
	}
	a.Forget()
	if n := len(a.Seen()); n != 0 {
		t.Errorf("%d requests after Forget", n)
	}
}

func slow(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: real applications are not started")
	}
}

func TestMediaWiki(t *testing.T) {
	slow(t)
	a := StartMediaWiki(t, "https://wiki.acme.test")
	cookies := loginAs(t, a, a.AddUser("Bob", "bob-of-the-wiki-1"))
	_, text := browse(t, a, cookies, "GET", "/api.php?action=query&meta=tokens&format=json", nil)
	var tokens struct {
		Query struct {
			Tokens struct{ CSRFToken string }
		}
	}
	if err := json.Unmarshal([]byte(text), &tokens); err != nil {
		t.Fatal(err)
	}
	status, page := browse(t, a, cookies, "POST", "/api.php", url.Values{"action": {"edit"}, "title": {"Sandbox"}, "text": {"hello"},
		"summary": {"first words"}, "token": {tokens.Query.Tokens.CSRFToken}, "format": {"json"}})
	if status != 200 || !strings.Contains(page, `"Success"`) {
		t.Fatalf("edit: %d %s", status, page)
	}
	seen := a.Seen()
	if last := seen[len(seen)-1]; last.Status != 200 || last.Host != "wiki.acme.test" || !last.Contains("summary=first+words") {
		t.Errorf("recorded %s %s at %s: %d %s", last.Method, last.URI, last.Host, last.Status, last.Body)
	}
	checkRecord(t, a, cookies, "Sandbox", "first words", func() bool {
		_, who := browse(t, a, cookies, "GET", "/api.php?action=query&meta=userinfo&format=json", nil)
		return strings.Contains(who, `"Bob"`)
	})
	began := time.Now()
	b := StartMediaWiki(t, "https://second.acme.test")
	if _, page := browse(t, b, nil, "GET", "/index.php?title=Main_Page", nil); !strings.Contains(page, "https://second.acme.test") {
		t.Error("the second wiki does not know its address")
	}
	t.Logf("the second wiki was there after %v", time.Since(began))
}

func TestRequestTracker(t *testing.T) {
	slow(t)
	a := StartRequestTracker(t, "https://rt.acme.test")
	cookies := loginAs(t, a, a.AddUser("Bob", "bob-of-the-tracker-1"))
	_, page := browse(t, a, cookies, "GET", "/Ticket/Create.html?Queue=1", nil)
	form := url.Values{"id": {"new"}, "Queue": {"1"}, "Subject": {"Printer"}, "Content": {"it is on fire"}, "ContentType": {"text/plain"},
		"Status": {"new"}, "Requestors": {"Bob@acme.test"}, "SubmitTicket": {"Create"}, "Token": {field(page, "Token")}}
	if status, page := browse(t, a, cookies, "POST", "/Ticket/Create.html", form); status >= 400 || strings.Contains(page, "cross-site request forgery") {
		t.Fatalf("create: %d %.2000s", status, page)
	}
	checkRecord(t, a, cookies, "ticket/1", "it is on fire", func() bool {
		_, page := browse(t, a, cookies, "GET", "/", nil)
		return strings.Contains(page, "Logged in as")
	})
}

func TestWordPress(t *testing.T) {
	slow(t)
	a := StartWordPress(t, "https://blog.acme.test")
	cookies := loginAs(t, a, a.AddUser("Bob", "bob-of-the-blog-1"))
	_, page := browse(t, a, cookies, "GET", "/wp-admin/post-new.php?classic-editor", nil)
	nonce := field(page, "_wpnonce")
	if _, rest, ok := strings.Cut(page, `createNonceMiddleware( "`); ok {
		nonce, _, _ = strings.Cut(rest, `"`)
	}
	status, text := browse(t, a, cookies, "POST", "/index.php?rest_route=/wp/v2/posts&_wpnonce="+url.QueryEscape(nonce),
		url.Values{"title": {"Snow"}, "content": {"white"}, "excerpt": {"short"}, "status": {"publish"}})
	if status != 201 {
		t.Fatalf("post: %d %.1000s (nonce %q)", status, text, nonce)
	}
	if _, front := browse(t, a, nil, "GET", "/", nil); !strings.Contains(front, "<h1>Snow</h1>") {
		t.Errorf("the front page does not show the post: %.500s", front)
	}
	checkRecord(t, a, cookies, "Snow", "short", func() bool {
		status, _ := browse(t, a, cookies, "GET", "/wp-admin/", nil)
		return status == 200
	})
}

// TestMain lets a test run this binary as a process that it then kills.
func TestMain(m *testing.M) {
	if os.Getenv("APPS_TEST_VICTIM") == "" {
		os.Exit(m.Run())
	}
	t := &victim{}
	p := newPlace(t, "victim", "www-data")
	addr := "127.0.0.1:" + freePort(t)
	p.start(t, listening("tcp", addr), "php", "-d", "opcache.lockfile_path="+p.dir, "-S", addr, "-t", p.dir)
	os.Stdout.WriteString(addr + " " + p.dir + "\n")
	select {}
}

// victim is as much of a test as start needs.
type victim struct{ testing.TB }

func (*victim) Helper()        {}
func (*victim) Cleanup(func()) {}
func (*victim) Fatal(v ...any) { panic(v) }

func TestNothingOutlivesAKilledTest(t *testing.T) {
	need(t, "php-cli", "php")
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), "APPS_TEST_VICTIM=1")
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	addr, dir, _ := strings.Cut(strings.TrimSpace(line), " ")
	if err != nil || !listening("tcp", addr)() {
		t.Fatalf("the victim did not start: %q, %v", line, err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	c.Process.Kill()
	io.Copy(io.Discard, out)
	c.Wait()
	for end := time.Now().Add(5 * time.Second); listening("tcp", addr)(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the application outlived its test")
		}
	}
}
