package testenv

import (
	"fmt"
	"net/http"
	"runtime"
	"sync"
	"testing"

	"github.com/byline-proxy/byline/cmd/byline/e2e/apps"
)

// MediaWiki returns the shared MediaWiki at https://wiki.acme.test.
func MediaWiki(t testing.TB) *apps.App {
	t.Helper()
	return mediaWiki.use(t)
}

// RequestTracker returns the shared Request Tracker at https://rt.acme.test.
func RequestTracker(t testing.TB) *apps.App {
	t.Helper()
	return requestTracker.use(t)
}

// WordPress returns the shared WordPress at https://blog.acme.test.
func WordPress(t testing.TB) *apps.App {
	t.Helper()
	return wordPress.use(t)
}

// Gitea returns the shared Gitea at https://gitea.acme.test. It skips the test
// if none was built, see [apps.StartGitea].
func Gitea(t testing.TB) *apps.App {
	t.Helper()
	return gitea.use(t)
}

var (
	mediaWiki      = sharedApp{start: apps.StartMediaWiki, publicURL: "https://wiki.acme.test"}
	requestTracker = sharedApp{start: apps.StartRequestTracker, publicURL: "https://rt.acme.test"}
	wordPress      = sharedApp{start: apps.StartWordPress, publicURL: "https://blog.acme.test"}
	gitea          = sharedApp{start: apps.StartGitea, publicURL: "https://gitea.acme.test"}
)

// sharedApp is an application that the first test to use it starts, and that
// runs until all tests have ended.
type sharedApp struct {
	start     func(testing.TB, string) *apps.App
	publicURL string

	once  sync.Once
	app   *apps.App // nil if start did not return
	suite suiteTest
}

// use returns the application with no recorded requests and no pauses. It fails
// or skips the test if starting the application failed or skipped.
func (s *sharedApp) use(t testing.TB) *apps.App {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: real applications are not started")
	}

	s.once.Do(func() {
		done := make(chan struct{})
		go func() { // a goroutine that Skip and Fatal of suiteTest may end
			defer close(done)
			s.app = s.start(&s.suite, s.publicURL)
		}()
		<-done
	})
	switch {
	case s.suite.failure != "":
		t.Fatal(s.suite.failure)
	case s.suite.skipReason != "":
		t.Skip(s.suite.skipReason)
	case s.app == nil:
		t.Fatalf("%s did not start", s.publicURL)
	}

	s.app.ForgetRequests()
	s.app.SlowDown(nil)
	return s.app.WithTest(t)
}

// suiteTest implements what starting an application needs of testing.TB. Its
// cleanups run when all tests have ended.
type suiteTest struct {
	testing.TB
	failure, skipReason string
}

func (*suiteTest) Helper() {}

func (*suiteTest) Cleanup(f func()) { suite.cleanups = append(suite.cleanups, f) }

func (s *suiteTest) Skip(args ...any) {
	s.skipReason = fmt.Sprint(args...)
	runtime.Goexit()
}

func (s *suiteTest) Skipf(format string, args ...any) {
	s.skipReason = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func (s *suiteTest) Fatal(args ...any) {
	s.failure = fmt.Sprint(args...)
	runtime.Goexit()
}

func (s *suiteTest) Fatalf(format string, args ...any) {
	s.failure = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// sharedUsers holds the users of the shared applications, by the application's
// URL and the user's name.
var sharedUsers = struct {
	sync.Mutex
	logins map[[2]string]apps.Login
}{logins: map[[2]string]apps.Login{}}

// sharedUser returns the user with that name, which the first call creates.
func sharedUser(app *apps.App, name string) apps.Login {
	sharedUsers.Lock()
	defer sharedUsers.Unlock()
	key := [2]string{app.URL, name}
	if _, ok := sharedUsers.logins[key]; !ok {
		sharedUsers.logins[key] = app.AddUser(name, NewSecret())
	}
	return sharedUsers.logins[key]
}

// BorrowCookies logs Alice in without the proxy, as a person would, and returns
// the cookies of her session for an agent to borrow.
func BorrowCookies(t testing.TB, app *apps.App) []*http.Cookie {
	t.Helper()
	alice := sharedUser(app, "Alice")
	cookies, err := app.LoginAs(alice.User, alice.Password)
	if err != nil {
		t.Fatal(err)
	}
	return cookies
}
