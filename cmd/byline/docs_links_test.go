package main

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
)

// readLinkedPages returns the pages of readPages and those that lie next to the code they describe.
func readLinkedPages(t *testing.T) map[string]string {
	t.Helper()
	pages := readPages(t)
	for _, path := range []string{"proxy/audit/FORMAT.md", "bench/RESULTS.md", "bench/AUDIT.md", "bench/PGO.md"} {
		text, err := os.ReadFile(filepath.Join("../..", path))
		must(t, err)
		pages[path] = string(text)
	}
	return pages
}

var (
	pageLink   = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	inlineCode = regexp.MustCompile("`[^`\n]*`")
)

// TestPagesLinkToWhatExists follows every link within the repository to a file, and to a heading of it if
// the link names one.
func TestPagesLinkToWhatExists(t *testing.T) {
	pages := readLinkedPages(t)
	links, anchors := 0, 0
	for page, text := range pages {
		prose := inlineCode.ReplaceAllString(fence.ReplaceAllString(text, ""), "")
		for _, m := range pageLink.FindAllStringSubmatch(prose, -1) {
			link := m[1]
			if strings.Contains(link, "://") {
				continue
			}
			links++

			path, anchor, hasAnchor := strings.Cut(link, "#")
			target := page
			if path != "" {
				target = filepath.Join(filepath.Dir(page), path)
			}
			content, err := os.ReadFile(filepath.Join("../..", target))
			if err != nil {
				t.Errorf("%s links to %s: %v", page, link, err)
				continue
			}

			if !hasAnchor {
				continue
			}
			anchors++
			if !slices.Contains(anchorsOf(string(content)), anchor) {
				t.Errorf("%s links to %s, but %s has no such heading", page, link, target)
			}
		}
	}
	if links < 30 || anchors < 1 {
		t.Errorf("only %d links and %d anchors were found: the pages are read wrongly", links, anchors)
	}
}

var heading = regexp.MustCompile(`(?m)^#{1,6} (.+)$`)

// anchorsOf returns the anchors that GitHub gives to the headings of a page.
func anchorsOf(text string) []string {
	var anchors []string
	seen := map[string]int{}
	for _, m := range heading.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
		anchor := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
				return unicode.ToLower(r)
			}
			return -1
		}, m[1])

		n := seen[anchor]
		seen[anchor]++
		if n > 0 {
			anchor += "-" + strconv.Itoa(n)
		}
		anchors = append(anchors, anchor)
	}
	return anchors
}

var (
	testName    = regexp.MustCompile(`\b(Test[A-Z]\w*)(…?)`)
	testPattern = regexp.MustCompile(`-run '?([^'\s` + "`" + `]+)`)
)

// TestPagesNameTestsThatExist checks the names of tests, with … after the beginning of one, and the
// patterns that pages give to go test -run.
func TestPagesNameTestsThatExist(t *testing.T) {
	tests := slices.Collect(maps.Keys(testNames(t)))
	for page, text := range readLinkedPages(t) {
		for _, m := range testPattern.FindAllStringSubmatch(text, -1) {
			pattern, _, _ := strings.Cut(m[1], "/")
			matches, err := regexp.Compile(pattern)
			if pattern != "^$" && (err != nil || !slices.ContainsFunc(tests, matches.MatchString)) {
				t.Errorf("%s: no test matches -run %s (error: %v)", page, m[1], err)
			}
		}
		for _, m := range testName.FindAllStringSubmatch(testPattern.ReplaceAllString(text, ""), -1) {
			name, isPrefix := m[1], m[2] != ""
			if !slices.ContainsFunc(tests, func(test string) bool { return test == name || isPrefix && strings.HasPrefix(test, name) }) {
				t.Errorf("%s: there is no test %s", page, name)
			}
		}
	}
}

// testNames returns the names of all tests of the repository.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	declaration := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	names := map[string]bool{}
	must(t, filepath.WalkDir("../..", func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range declaration.FindAllStringSubmatch(string(text), -1) {
			names[m[1]] = true
		}
		return err
	}))
	return names
}

var (
	sourcePath     = regexp.MustCompile("`((?:adapters|bench|certs|cmd|configs|docs|proxy)/[a-z0-9_/-]+(?:\\.(?:go|md|yaml|json|py|sh|cedar))?)`")
	sourceFunction = regexp.MustCompile("`([a-z0-9_./-]+\\.go)`, `(\\w+)`")
)

// TestPagesNameFilesAndFunctionsThatExist checks paths of this repository between backquotes, and the
// functions that a page names after a file: `proxy/exchange.go`, `walk`.
func TestPagesNameFilesAndFunctionsThatExist(t *testing.T) {
	paths, functions := 0, 0
	for page, text := range readLinkedPages(t) {
		for _, m := range sourcePath.FindAllStringSubmatch(text, -1) {
			paths++
			if _, err := os.Stat(filepath.Join("../..", m[1])); err != nil {
				t.Errorf("%s: %v", page, err)
			}
		}
		for _, m := range sourceFunction.FindAllStringSubmatch(text, -1) {
			functions++
			declaration := regexp.MustCompile(`(?m)^func (\([^)]*\) )?` + m[2] + `[(\[]`)
			source, err := os.ReadFile(filepath.Join("../..", m[1]))
			if err != nil || !declaration.Match(source) {
				t.Errorf("%s: %s has no function %s (error: %v)", page, m[1], m[2], err)
			}
		}
	}
	if paths < 30 || functions < 2 {
		t.Errorf("only %d paths and %d functions were found: the pages are read wrongly", paths, functions)
	}
}
