package testenv

import (
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/byline-proxy/byline/cmd/byline/e2e/apps"
)

// suite is the part of a test process that outlives its tests: the program and
// the applications.
var suite struct {
	dir      string
	build    sync.Once
	buildErr error
	ends     []func() // of the applications, latest first
}

// Main runs the tests, then stops the applications and removes the program. As
// the program that byline run starts it is an agent instead: see [AgentMain].
func Main(m *testing.M) int {
	if os.Getenv(agentVariable) != "" {
		return agentMain()
	}
	dir, err := os.MkdirTemp("", "byline-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	suite.dir = dir
	code := m.Run()
	for _, end := range slices.Backward(suite.ends) {
		end()
	}
	os.RemoveAll(dir)
	return code
}

// Binary is the byline program, built at the first call. Set BYLINE_E2E_BINARY
// to test one that was built elsewhere.
func Binary(t testing.TB) string {
	t.Helper()
	if b := os.Getenv("BYLINE_E2E_BINARY"); b != "" {
		return b
	}
	if suite.dir == "" {
		t.Fatal("house: TestMain must call testenv.Main")
	}
	path := filepath.Join(suite.dir, "byline")
	suite.build.Do(func() {
		if suite.buildErr = readSources(); suite.buildErr != nil {
			return
		}
		c := exec.Command("go", "build", "-o", path, "github.com/byline-proxy/byline/cmd/byline")
		c.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := c.CombinedOutput(); err != nil {
			suite.buildErr = fmt.Errorf("build byline: %w\n%s", err, out)
		}
	})
	if suite.buildErr != nil {
		t.Fatal(suite.buildErr)
	}
	return path
}

// readSources looks at every folder of the module. go test keeps the result of
// a test until a file that the test itself looked at has changed, and the
// program is built from files that only the compiler reads.
func readSources() error {
	out, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return fmt.Errorf("go env GOMOD: %w", err)
	}
	root := filepath.Dir(strings.TrimSpace(string(out)))
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && (strings.HasPrefix(d.Name(), ".") || d.Name() == "artefacts" || d.Name() == "out") {
			return filepath.SkipDir
		}
		return err
	})
}

// Wiki is MediaWiki at https://wiki.acme.test.
func Wiki(t testing.TB) *apps.App { t.Helper(); return wiki.get(t) }

// Tracker is Request Tracker at https://rt.acme.test.
func Tracker(t testing.TB) *apps.App { t.Helper(); return tracker.get(t) }

// Blog is WordPress at https://blog.acme.test.
func Blog(t testing.TB) *apps.App { t.Helper(); return blog.get(t) }

// Forge is Gitea at https://gitea.acme.test, where one was built: see
// [apps.StartGitea].
func Forge(t testing.TB) *apps.App { t.Helper(); return forge.get(t) }

var (
	wiki    = shared{start: apps.StartMediaWiki, public: "https://wiki.acme.test"}
	tracker = shared{start: apps.StartRequestTracker, public: "https://rt.acme.test"}
	blog    = shared{start: apps.StartWordPress, public: "https://blog.acme.test"}
	forge   = shared{start: apps.StartGitea, public: "https://gitea.acme.test"}
)

// shared is an application that is started at first use. Its requests are
// forgotten whenever a test takes it up.
type shared struct {
	start  func(testing.TB, string) *apps.App
	public string
	once   sync.Once
	app    *apps.App
	owner  owner
}

func (s *shared) get(t testing.TB) *apps.App {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: real applications are not started")
	}
	s.once.Do(func() {
		done := make(chan struct{})
		go func() { // Skip and Fatal of the owner end this goroutine
			defer close(done)
			s.app = s.start(&s.owner, s.public)
		}()
		<-done
	})
	switch {
	case s.owner.failed != "":
		t.Fatal(s.owner.failed)
	case s.owner.skipped != "":
		t.Skip(s.owner.skipped)
	case s.app == nil:
		t.Fatalf("%s did not start", s.public)
	}
	s.app.Forget()
	s.app.Slow(nil)
	return s.app.For(t)
}

// people are those who have an account at the shared applications.
var people = struct {
	sync.Mutex
	known map[[2]string]apps.Login
}{known: map[[2]string]apps.Login{}}

// person is one of them, made at the first call.
func person(a *apps.App, name string) apps.Login {
	people.Lock()
	defer people.Unlock()
	key := [2]string{a.URL, name}
	if _, ok := people.known[key]; !ok {
		people.known[key] = a.AddUser(name, Password())
	}
	return people.known[key]
}

// Lend logs alice in as a person would, past any proxy, and returns the cookies
// that she then lends to an agent.
func Lend(t testing.TB, a *apps.App) []*http.Cookie {
	t.Helper()
	alice := person(a, "Alice")
	cookies, err := a.LoginAs(alice.User, alice.Password)
	if err != nil {
		t.Fatal(err)
	}
	return cookies
}

// owner is as much of a test as starting an application needs; what it cleans
// up, it cleans up at the end of the suite.
type owner struct {
	testing.TB
	failed, skipped string
}

func (*owner) Helper()          {}
func (*owner) Cleanup(f func()) { suite.ends = append(suite.ends, f) }

func (o *owner) Skip(v ...any)            { o.skipped = fmt.Sprint(v...); runtime.Goexit() }
func (o *owner) Skipf(f string, v ...any) { o.skipped = fmt.Sprintf(f, v...); runtime.Goexit() }
func (o *owner) Fatal(v ...any)           { o.failed = fmt.Sprint(v...); runtime.Goexit() }
func (o *owner) Fatalf(f string, v ...any) {
	o.failed = fmt.Sprintf(f, v...)
	runtime.Goexit()
}
