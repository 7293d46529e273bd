package proxy_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/byline-proxy/byline/"

// TestFloorPlan holds DESIGN's house: no room imports another room, the
// corridor imports neither configs nor cmd, and configs imports rooms alone.
func TestFloorPlan(t *testing.T) {
	files := 0
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		files++
		from := filepath.ToSlash(filepath.Dir(path))[len("../"):]
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, i := range f.Imports {
			to, _ := strconv.Unquote(i.Path.Value)
			if to, ours := strings.CutPrefix(to, module); ours {
				if why := forbidden(from, to); why != "" {
					t.Errorf("%s imports %s: %s", path, to, why)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 10 {
		t.Fatalf("only %d files were read: the walk did not see the house", files)
	}
}

func forbidden(from, to string) string {
	switch {
	case isRoom(from) && strings.HasPrefix(to, from+"/internal/"):
		return "" // a room's own cupboard
	case isRoom(from):
		return "a room imports nothing of the house"
	case from == "proxy" && !isRoom(to):
		return "the corridor opens only to rooms"
	case from == "configs" && !isRoom(to):
		return "configs imports the rooms' Config types alone"
	case strings.HasPrefix(from, "bench") && strings.HasPrefix(to, "cmd"):
		return "nothing imports a command"
	}
	return ""
}

func isRoom(p string) bool {
	return p == "adapters" || p == "certs" || strings.HasPrefix(p, "proxy/")
}

func TestForbiddenSeesWhatItShould(t *testing.T) {
	for _, c := range []struct {
		from, to string
		refused  bool
	}{
		{"proxy/lease", "proxy/state", true},
		{"proxy/wire", "proxy/wire/internal/xconnect", false},
		{"proxy/wire", "proxy/audit/internal/x", true},
		{"adapters", "proxy/wire", true},
		{"proxy", "configs", true},
		{"proxy", "proxy/lease", false},
		{"configs", "proxy", true},
		{"configs", "proxy/audit", false},
		{"cmd/byline", "proxy", false},
	} {
		if got := forbidden(c.from, c.to) != ""; got != c.refused {
			t.Errorf("%s importing %s: refused %v, want %v", c.from, c.to, got, c.refused)
		}
	}
}
