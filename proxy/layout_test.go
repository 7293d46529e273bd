package proxy_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/byline-proxy/byline/"

// TestImportRules reads the imports of every non-test file and holds them
// against forbidden.
func TestImportRules(t *testing.T) {
	files := 0
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		files++

		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}

		from := filepath.ToSlash(filepath.Dir(path))[len("../"):]
		for _, i := range f.Imports {
			to, _ := strconv.Unquote(i.Path.Value)
			to, ours := strings.CutPrefix(to, module)
			if !ours {
				continue
			}
			if why := forbidden(from, to); why != "" {
				t.Errorf("%s imports %s: %s", path, to, why)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 100 {
		t.Fatalf("only %d files were read: the test does not see the repository", files)
	}
}

// forbidden returns why the package in directory from must not import the
// package in directory to, or "" if it may. Both are relative to the module.
func forbidden(from, to string) string {
	switch tree := treeOf(from); {
	case tree == treeOf(to):
		return ""
	case strings.HasPrefix(tree, "proxy/") && to != "proxy/internal" && treeOf(to) == "proxy/internal":
		return "" // leaves that every package below proxy may use
	case tree == "proxy/internal":
		return "proxy/internal imports nothing of this module"
	case isPackage(tree):
		return "a package imports only its own tree and proxy/internal"
	case tree == "proxy" && !isPackage(treeOf(to)) && treeOf(to) != "proxy/internal":
		return "the server imports packages alone"
	case tree == "configs" && !isPackage(treeOf(to)):
		return "configs imports the packages' Config types alone"
	case treeOf(to) == "cmd":
		return "nothing imports a command"
	}
	return ""
}

// treeOf names the tree that a directory belongs to: a package of the server
// with its sub-packages, or a directory at the top level.
func treeOf(dir string) string {
	parts := strings.SplitN(dir, "/", 3)
	if parts[0] == "proxy" && len(parts) > 1 {
		return parts[0] + "/" + parts[1]
	}
	return parts[0]
}

// isPackage reports whether tree is one that the server gets values from and
// gives values to.
func isPackage(tree string) bool {
	return slices.Contains([]string{"adapters", "certs"}, tree) || strings.HasPrefix(tree, "proxy/") && tree != "proxy/internal"
}

func TestForbiddenKnowsTheRules(t *testing.T) {
	for _, c := range []struct {
		from, to string
		refused  bool
	}{
		{"proxy/lease", "proxy/state", true},
		{"proxy/lease", "proxy/internal/durable", false},
		{"proxy/wire", "proxy/wire/internal/h1", false},
		{"proxy/wire/agents", "proxy/wire", false},
		{"proxy/wire/agents", "proxy/audit", true},
		{"proxy/wire", "proxy/audit/internal/x", true},
		{"proxy/internal/durable", "proxy/vault", true},
		{"adapters", "proxy/wire", true},
		{"adapters", "proxy/internal/durable", true},
		{"adapters/internal/mask", "adapters", false},
		{"certs", "adapters", true},
		{"proxy", "configs", true},
		{"proxy", "cmd/byline", true},
		{"proxy", "proxy/lease", false},
		{"proxy", "proxy/wire/upstream", false},
		{"proxy", "proxy/internal/durable", false},
		{"configs", "proxy", true},
		{"configs", "proxy/audit", false},
		{"bench/peer", "cmd/byline", true},
		{"cmd/byline", "proxy", false},
		{"cmd/byline", "cmd/byline/internal/cli", false},
	} {
		if refused := forbidden(c.from, c.to) != ""; refused != c.refused {
			t.Errorf("%s importing %s: refused %v, want %v", c.from, c.to, refused, c.refused)
		}
	}
}
