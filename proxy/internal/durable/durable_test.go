package durable

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

var (
	oldContent = bytes.Repeat([]byte("old "), 4096)
	newContent = bytes.Repeat([]byte("new content "), 4096)
)

// stepsOf returns the steps that do takes, in order.
func stepsOf(t *testing.T, do func()) (steps []string) {
	t.Helper()
	testOnlyStep = func(step string) { steps = append(steps, step) }
	defer func() { testOnlyStep = func(string) {} }()
	do()
	return steps
}

// crashBefore runs do and unwinds it before the step, as a crash of the process
// would: no later step and no cleanup happens.
func crashBefore(t *testing.T, step string, do func()) {
	t.Helper()
	type crash struct{}
	testOnlyStep = func(s string) {
		if s == step {
			panic(crash{})
		}
	}
	defer func() {
		testOnlyStep = func(string) {}
		if r := recover(); r != (crash{}) {
			t.Fatalf("the step %q was not reached (recovered %v)", step, r)
		}
	}()
	do()
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func wantContent(t *testing.T, path string, want ...[]byte) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(want, func(w []byte) bool { return bytes.Equal(w, got) }) {
		t.Errorf("%s holds %d bytes that are neither of the contents that were written", path, len(got))
	}
}

func wantFiles(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if !slices.Equal(got, want) {
		t.Errorf("the folder holds %q, want %q", got, want)
	}
}

func TestReplaceSyncsTheContentBeforeTheRenameAndTheNameAfterIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	for _, c := range []struct {
		durability Durability
		want       []string
	}{
		{Synced, []string{"remove", "create", "write", "sync", "rename", "sync dir"}},
		{Unsynced, []string{"remove", "create", "write", "rename"}},
	} {
		got := stepsOf(t, func() {
			if err := Replace(path, newContent, 0o600, c.durability); err != nil {
				t.Fatal(err)
			}
		})
		if !slices.Equal(got, c.want) {
			t.Errorf("durability %d: steps %q, want %q", c.durability, got, c.want)
		}
	}
}

func TestCreateSyncsTheContentAndTheName(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	got := stepsOf(t, func() {
		if err := Create(path, newContent, 0o600); err != nil {
			t.Fatal(err)
		}
	})
	if want := []string{"create", "write", "sync", "sync dir"}; !slices.Equal(got, want) {
		t.Errorf("steps %q, want %q", got, want)
	}
}

func TestReplaceLeavesCompleteContentAfterACrashAtEachStep(t *testing.T) {
	for _, c := range []struct {
		step string
		want []byte
	}{
		{"remove", oldContent},
		{"create", oldContent},
		{"write", oldContent},
		{"sync", oldContent},
		{"rename", oldContent},
		{"sync dir", newContent},
	} {
		t.Run(c.step, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "f")
			write(t, path, oldContent)

			crashBefore(t, c.step, func() { _ = Replace(path, newContent, 0o600, Synced) })
			wantContent(t, path, c.want)

			if err := Replace(path, newContent, 0o600, Synced); err != nil {
				t.Fatalf("after a crash before %q: %v", c.step, err)
			}
			wantContent(t, path, newContent)
			wantFiles(t, dir, "f")
		})
	}
}

// TestReplaceLeavesCompleteContentAfterAKill kills a process that replaces one
// file over and over.
func TestReplaceLeavesCompleteContentAfterAKill(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	write(t, path, oldContent)

	for i := range 20 {
		writer := exec.Command(os.Args[0])
		writer.Env = append(os.Environ(), "DURABLE_TEST_WRITER="+path)
		if err := writer.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(10+3*i) * time.Millisecond)
		if err := writer.Process.Signal(syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		_ = writer.Wait()
		wantContent(t, path, oldContent, newContent)
	}
}

// TestMain lets a test run this binary as the process that is killed.
func TestMain(m *testing.M) {
	path := os.Getenv("DURABLE_TEST_WRITER")
	for path != "" {
		for _, content := range [][]byte{oldContent, newContent} {
			if err := Replace(path, content, 0o600, Synced); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
		}
	}
	os.Exit(m.Run())
}

func TestReplaceKeepsTheOldFileOnError(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	write(t, path, oldContent)

	// A folder that is not empty can neither be removed nor opened for writing.
	if err := os.MkdirAll(path+tempSuffix+"/x", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Replace(path, newContent, 0o600, Synced); err == nil {
		t.Error("Replace succeeded without its temporary file")
	}
	wantContent(t, path, oldContent)

	// Nothing can be renamed onto a folder.
	target := filepath.Join(dir, "folder")
	if err := os.Mkdir(target, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Replace(target, newContent, 0o600, Synced); err == nil {
		t.Error("Replace put a file in the place of a folder")
	}
	wantFiles(t, dir, "f", "f.new", "folder")
}

func TestReplaceDoesNotWriteThroughWhatIsAtTheTemporaryName(t *testing.T) {
	dir := t.TempDir()
	path, elsewhere := filepath.Join(dir, "f"), filepath.Join(dir, "elsewhere")
	write(t, elsewhere, oldContent)
	if err := os.Symlink(elsewhere, path+tempSuffix); err != nil {
		t.Fatal(err)
	}

	if err := Replace(path, newContent, 0o600, Synced); err != nil {
		t.Fatal(err)
	}
	wantContent(t, elsewhere, oldContent)
	wantContent(t, path, newContent)
	if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() {
		t.Errorf("mode %v (%v), want a regular file", info.Mode(), err)
	}
}

func TestModeIsThatOfTheCaller(t *testing.T) {
	dir := t.TempDir()
	for _, mode := range []fs.FileMode{0o600, 0o644} {
		created, replaced := filepath.Join(dir, fmt.Sprintf("c%o", mode)), filepath.Join(dir, fmt.Sprintf("r%o", mode))
		write(t, replaced, oldContent)
		if err := errors.Join(Create(created, newContent, mode), Replace(replaced, newContent, mode, Synced)); err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{created, replaced} {
			info, err := os.Stat(path)
			if err != nil || info.Mode().Perm() != mode {
				t.Errorf("%s: mode %v (%v), want %v", path, info.Mode().Perm(), err, mode)
			}
		}
	}
}

func TestCreateNeverOverwrites(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	write(t, path, oldContent)

	if err := Create(path, newContent, 0o600); !errors.Is(err, fs.ErrExist) {
		t.Errorf("error %v, want fs.ErrExist", err)
	}
	wantContent(t, path, oldContent)
	if err := Create(filepath.Join(dir, "missing", "f"), newContent, 0o600); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v, want fs.ErrNotExist", err)
	}
}

func TestPrivateFilesAreRequiredWithARemedy(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "key")
	write(t, path, oldContent)

	for _, c := range []struct {
		path   string
		mode   fs.FileMode
		remedy string // "" if the mode is private
	}{
		{path, 0o600, ""},
		{path, 0o400, ""},
		{path, 0o640, "(mode 0640), who may have read it: run chmod 600 " + path},
		{path, 0o604, "(mode 0604), who may have read it: run chmod 600 " + path},
		{path, 0o620, "(mode 0620), who may have read it: run chmod 600 " + path},
		{path, 0o601, "(mode 0601), who may have read it: run chmod 600 " + path},
		{dir, 0o700, ""},
		{dir, 0o710, "(mode 0710), who may have read it: run chmod 700 " + dir},
	} {
		if err := os.Chmod(c.path, c.mode); err != nil {
			t.Fatal(err)
		}
		err := RequirePrivate(c.path)
		if (c.remedy == "") != (err == nil) || err != nil && !strings.HasSuffix(err.Error(), c.remedy) {
			t.Errorf("mode %04o: RequirePrivate returned %v, want %q", c.mode, err, c.remedy)
		}
		if c.path == dir {
			continue
		}
		content, err := ReadPrivate(c.path)
		if (c.remedy == "") != (err == nil) || err != nil && !strings.HasSuffix(err.Error(), c.remedy) {
			t.Errorf("mode %04o: ReadPrivate returned %v, want %q", c.mode, err, c.remedy)
		}
		if err == nil != bytes.Equal(content, oldContent) {
			t.Errorf("mode %04o: ReadPrivate returned %d bytes", c.mode, len(content))
		}
	}
}

func TestMissingFilesAreTold(t *testing.T) {
	path := filepath.Join(t.TempDir(), "missing")
	if err := RequirePrivate(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("RequirePrivate returned %v, want fs.ErrNotExist", err)
	}
	if _, err := ReadPrivate(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("ReadPrivate returned %v, want fs.ErrNotExist", err)
	}
}
