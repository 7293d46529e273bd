package testenv

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// suite is the state of a test process that all its tests share.
var suite struct {
	dir       string
	buildOnce sync.Once
	buildErr  error
	cleanups  []func() // of the shared applications; run in reverse order
}

// Main runs the tests, stops the shared applications and removes the program.
// It returns the exit code. In a process that [Env.RunAgent] started it runs
// the agent instead.
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
	for _, cleanup := range slices.Backward(suite.cleanups) {
		cleanup()
	}
	os.RemoveAll(dir)
	return code
}

// Binary returns the path of the byline program, which the first call builds.
// If BYLINE_E2E_BINARY is set it names a program to test instead.
func Binary(t testing.TB) string {
	t.Helper()
	if path := os.Getenv("BYLINE_E2E_BINARY"); path != "" {
		return path
	}
	if suite.dir == "" {
		t.Fatal("testenv: TestMain must call testenv.Main")
	}

	path := filepath.Join(suite.dir, "byline")
	suite.buildOnce.Do(func() { suite.buildErr = buildByline(path) })
	if suite.buildErr != nil {
		t.Fatal(suite.buildErr)
	}
	return path
}

func buildByline(path string) error {
	if err := visitSourceFolders(); err != nil {
		return err
	}
	c := exec.Command("go", "build", "-o", path, "github.com/byline-proxy/byline/cmd/byline")
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("build byline: %w\n%s", err, out)
	}
	return nil
}

// visitSourceFolders reads every folder of the module. go test caches a result
// until a file changes that the test process itself has opened, but only the
// compiler opens the files that the program is built from.
func visitSourceFolders() error {
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
