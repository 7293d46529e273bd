package main

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// block is a fenced one of a page.
type block struct {
	page string
	line int
	kind string // sh runs here; console is shown, with a # or $ before what is typed
	text string
}

func (b block) String() string { return fmt.Sprintf("%s:%d", b.page, b.line) }

var fence = regexp.MustCompile("(?ms)^```([a-z]*)\n(.*?)^```$")

// pages are what people read, by path from the top of the repository.
func pages(t *testing.T) map[string]string {
	t.Helper()
	texts := map[string]string{}
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/*/*.md"} {
		paths, err := filepath.Glob(filepath.Join("../..", pattern))
		must(t, err)
		for _, path := range paths {
			text, err := os.ReadFile(path)
			must(t, err)
			texts[strings.TrimPrefix(path, "../../")] = string(text)
		}
	}
	if len(texts) < 5 {
		t.Fatalf("only %d pages were found", len(texts))
	}
	return texts
}

func blocksOf(page, text string) (all []block) {
	for _, m := range fence.FindAllStringSubmatchIndex(text, -1) {
		all = append(all, block{page, 1 + strings.Count(text[:m[4]], "\n"), text[m[2]:m[3]], text[m[4]:m[5]]})
	}
	return all
}

// TestPagesRun runs every sh block of a page, as it stands there and in its
// order, in one folder. A stand-in for a wiki is what wiki.acme.example is; two
// things are told to Byline between the blocks: where it listens, and which
// ports are free.
func TestPagesRun(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("there is no curl on this machine")
	}
	unseen := maps.Clone(outputs)
	defer func() {
		for holds := range unseen {
			t.Errorf("no block that holds %q was run", holds)
		}
	}()
	for page, text := range pages(t) {
		t.Run(page, func(t *testing.T) {
			self, err := os.Executable()
			must(t, err)
			h := newInstallation(t.TempDir(), self, nil)
			t.Cleanup(func() { must(t, h.Stop()) })
			wiki := standInWiki(t)
			for _, b := range blocksOf(page, text) {
				if b.kind == "sh" {
					runBlock(t, h, b, wiki, unseen)
				}
			}
		})
	}
}

// outputs are what blocks must say, by what they hold.
var outputs = map[string]string{
	"-- \\\n  curl": "(?s)Sandbox, read by Agent-01",
	"byline explain --allow 'wiki:page.read@page/Sandbox*' 'https://wiki.acme.example/index.php?title=Payroll'": "would be refused: out_of_scope",
	"byline audit verify": "verdict +ok",
	"byline audit tail":   "page.read page/Sandbox",
	"byline check":        "ok: 1 adapter",
}

func runBlock(t *testing.T, h *installation, b block, wiki string, unseen map[string]string) {
	t.Helper()
	if strings.TrimSpace(b.text) == "byline serve" {
		must(t, h.Serve(t.Context()))
		return
	}
	if strings.HasPrefix(b.text, "make ") {
		for line := range strings.Lines(b.text) { // what they do has tests of its own
			target := strings.Fields(line)[1]
			if out, err := exec.Command("make", "-n", "-C", "../..", target).CombinedOutput(); err != nil {
				t.Errorf("%v: make %s: %v\n%s", b, target, err, out)
			}
		}
		return
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-euc", b.text)
	cmd.Dir, cmd.Env = h.Dir, h.Environ()
	cmd.Stdin = strings.NewReader("username=Agent-01\npassword=wiki-password\n")
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s%s", b, err, b.text, out)
	}
	for holds, want := range outputs {
		if !strings.Contains(b.text, holds) {
			continue
		}
		delete(unseen, holds)
		if !regexp.MustCompile(want).Match(out) {
			t.Errorf("%v: its output holds no %q:\n%s", b, want, out)
		}
	}
	if strings.Contains(b.text, "byline init") {
		must(t, h.Configure())
	}
	if path := h.Path("adapters.d", "wiki.yaml"); strings.Contains(b.text, "> adapters.d/wiki.yaml") {
		text, err := os.ReadFile(path)
		must(t, err)
		must(t, os.WriteFile(path, append(bytes.TrimSpace(text), "\nupstream: {url: \""+wiki+"\"}\n"...), 0o600))
	}
}

// TestPagesNameWhatThereIs holds every command in a block or between backquotes
// to the program's own, and every link within the repository to a file.
func TestPagesNameWhatThereIs(t *testing.T) {
	inline := regexp.MustCompile("`(byline [a-z][^`\n]*)`")
	link := regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)
	commands := 0
	for page, text := range pages(t) {
		var typed []string
		for _, b := range blocksOf(page, text) {
			for _, line := range commandsIn(b.text) {
				if at := strings.Index(line, "byline "); at >= 0 && (at == 0 || strings.Contains("$#; |", line[at-2:at-1])) || strings.Contains(line, "sudo -u byline byline ") {
					typed = append(typed, line[strings.LastIndex(line[:strings.Index(line+" -- ", " -- ")], "byline "):])
				}
			}
		}
		for _, m := range inline.FindAllStringSubmatch(text, -1) {
			typed = append(typed, m[1])
		}
		for _, line := range typed {
			commands++
			if err := understood(line); err != nil {
				t.Errorf("%s: %s: %v", page, line, err)
			}
		}
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			if _, err := os.Stat(filepath.Join("../..", filepath.Dir(page), m[1])); err != nil {
				t.Errorf("%s: %v", page, err)
			}
		}
	}
	tests := regexp.MustCompile("`(Test[A-Za-z0-9]+)`")
	known := testNames(t)
	for page, text := range pages(t) {
		for _, m := range tests.FindAllStringSubmatch(text, -1) {
			if !known[m[1]] {
				t.Errorf("%s: there is no test %s", page, m[1])
			}
		}
	}
	if commands < 20 {
		t.Errorf("only %d commands were found: the pages are read wrongly", commands)
	}
}

// testNames are the tests of the whole repository.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	known, declared := map[string]bool{}, regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	must(t, filepath.WalkDir("../..", func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range declared.FindAllStringSubmatch(string(text), -1) {
			known[m[1]] = true
		}
		return err
	}))
	return known
}

// commandsIn joins continued lines.
func commandsIn(text string) []string {
	return strings.Split(strings.ReplaceAll(text, "\\\n", " "), "\n")
}

// understood is nil for a command line whose command and flags there are.
func understood(line string) error {
	words := splitWords(line)
	root := rootCommand()
	root.InitDefaultCompletionCmd() // as cobra does when it runs
	c, rest, err := root.Find(words[1:])
	if err != nil {
		return err
	}
	if c.Name() == "byline" && len(rest) > 0 && !strings.HasPrefix(rest[0], "-") {
		return fmt.Errorf("there is no command %s", rest[0])
	}
	return c.ParseFlags(rest)
}

// splitWords is a line as a shell reads it, up to the first thing that is no
// longer the command's own: --, a pipe, a redirection, a comment.
func splitWords(line string) (words []string) {
	var word strings.Builder
	var quote rune
	begun := false
	end := func() {
		if begun {
			words = append(words, word.String())
		}
		word.Reset()
		begun = false
	}
	for _, r := range line + " " {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			quote, begun = r, true
		case r == ' ':
			end()
			if n := len(words); n > 0 && (words[n-1] == "--" || strings.Trim(words[n-1], "|&><#;") == "" || strings.HasPrefix(words[n-1], "#")) {
				return words[:n-1]
			}
		default:
			word.WriteRune(r)
			begun = true
		}
	}
	return words
}
