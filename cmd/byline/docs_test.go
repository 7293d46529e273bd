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

// block is a fenced block of a page.
type block struct {
	page string
	line int
	kind string // sh is run by tests; console is shown, with # or $ in front of what is typed
	text string
}

func (b block) String() string { return fmt.Sprintf("%s:%d", b.page, b.line) }

var fence = regexp.MustCompile("(?ms)^```([a-z]*)\n(.*?)^```$")

// readPages returns the pages that people read, by path from the top of the repository.
func readPages(t *testing.T) map[string]string {
	t.Helper()
	pages := map[string]string{}
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/*/*.md"} {
		paths, err := filepath.Glob(filepath.Join("../..", pattern))
		must(t, err)
		for _, path := range paths {
			text, err := os.ReadFile(path)
			must(t, err)
			pages[strings.TrimPrefix(path, "../../")] = string(text)
		}
	}
	if len(pages) < 5 {
		t.Fatalf("only %d pages were found", len(pages))
	}
	return pages
}

func blocksOf(page, text string) []block {
	var blocks []block
	for _, m := range fence.FindAllStringSubmatchIndex(text, -1) {
		blocks = append(blocks, block{
			page: page,
			line: 1 + strings.Count(text[:m[4]], "\n"),
			kind: text[m[2]:m[3]],
			text: text[m[4]:m[5]],
		})
	}
	return blocks
}

// TestPagesRun runs every sh block of a page as it is written, in order, in one folder. A
// stand-in for a wiki serves wiki.acme.example. Between the blocks, Byline is told only
// where that is, and which ports are free.
func TestPagesRun(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("there is no curl on this machine")
	}

	unseen := maps.Clone(wantedOutputs)
	for page, text := range readPages(t) {
		t.Run(page, func(t *testing.T) {
			h := newInstallation(t, t.TempDir(), nil)
			t.Cleanup(func() { must(t, h.Stop()) })
			wiki := standInWiki(t)
			for _, b := range blocksOf(page, text) {
				if b.kind == "sh" {
					runBlock(t, h, b, wiki, unseen)
				}
			}
		})
	}
	for text := range unseen {
		t.Errorf("no block with %q was run", text)
	}
}

// wantedOutputs are patterns that the output of a block must match, by a text in the block.
var wantedOutputs = map[string]string{
	"-- \\\n  curl": "(?s)Sandbox, read by Agent-01",
	"byline explain --allow 'wiki:page.read@page/Sandbox*' 'https://wiki.acme.example/index.php?title=Payroll'": "would be refused: out_of_scope",
	"byline audit verify": "verdict +ok",
	"byline audit tail":   "page.read page/Sandbox",
	"byline check":        "ok: 1 adapter",
}

// runBlock runs one block. It removes the wanted outputs that it has seen from unseen.
func runBlock(t *testing.T, h *installation, b block, wiki string, unseen map[string]string) {
	t.Helper()
	if strings.TrimSpace(b.text) == "byline serve" {
		must(t, h.Serve(t.Context()))
		return
	}
	if strings.HasPrefix(b.text, "make ") {
		checkTargets(t, b)
		return
	}

	cmd := exec.CommandContext(t.Context(), "sh", "-euc", b.text)
	cmd.Dir = h.Dir
	cmd.Env = h.Environ()
	cmd.Stdin = strings.NewReader("username=Agent-01\npassword=wiki-password\n")
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s%s", b, err, b.text, out)
	}
	for text, want := range wantedOutputs {
		if !strings.Contains(b.text, text) {
			continue
		}
		delete(unseen, text)
		if !regexp.MustCompile(want).Match(out) {
			t.Errorf("%v: the output does not match %q:\n%s", b, want, out)
		}
	}

	if strings.Contains(b.text, "byline init") {
		must(t, h.Configure())
	}
	if strings.Contains(b.text, "> adapters.d/wiki.yaml") {
		path := h.Path("adapters.d", "wiki.yaml")
		text, err := os.ReadFile(path)
		must(t, err)
		must(t, os.WriteFile(path, append(bytes.TrimSpace(text), "\nupstream: {url: \""+wiki+"\"}\n"...), 0o600))
	}
}

// checkTargets checks that the targets of a block of make commands exist. Their results have
// other tests.
func checkTargets(t *testing.T, b block) {
	t.Helper()
	for line := range strings.Lines(b.text) {
		target := strings.Fields(line)[1]
		if out, err := exec.Command("make", "-n", "-C", "../..", target).CombinedOutput(); err != nil {
			t.Errorf("%v: make %s: %v\n%s", b, target, err, out)
		}
	}
}

// TestPagesUseCommandsThatExist parses the byline commands in blocks and between backquotes,
// with their flags and arguments.
func TestPagesUseCommandsThatExist(t *testing.T) {
	commands := 0
	for page, text := range readPages(t) {
		for _, line := range bylineCommands(page, text) {
			commands++
			if err := parseCommand(line); err != nil {
				t.Errorf("%s: %s: %v", page, line, err)
			}
		}
	}
	if commands < 20 {
		t.Errorf("only %d commands were found: the pages are read wrongly", commands)
	}
}

// TestTheFirstAdapterOfTheTutorialIsTheDemos compares the first block of docs/adapters.md, which
// readers are told works as it stands, with the adapter that the demo runs an agent with.
func TestTheFirstAdapterOfTheTutorialIsTheDemos(t *testing.T) {
	page, err := os.ReadFile("../../docs/adapters.md")
	must(t, err)
	adapter, err := os.ReadFile("demo/tickets.yaml")
	must(t, err)

	blocks := blocksOf("docs/adapters.md", string(page))
	if len(blocks) == 0 || blocks[0].text != string(adapter) {
		t.Error("the first block of docs/adapters.md differs from cmd/byline/demo/tickets.yaml")
	}
}

var inlineCommand = regexp.MustCompile("`(byline [a-z][^`\n]*)`")

// bylineCommands returns the byline command lines in the blocks of a page and between
// backquotes.
func bylineCommands(page, text string) []string {
	var commands []string
	for _, b := range blocksOf(page, text) {
		for _, line := range strings.Split(strings.ReplaceAll(b.text, "\\\n", " "), "\n") {
			line = strings.Replace(line, "runuser -u byline -- ", "", 1)
			at := strings.Index(line, "byline ")
			begins := at == 0 || at > 1 && strings.Contains("$#; |", line[at-2:at-1])
			if begins {
				program := line[:strings.Index(line+" -- ", " -- ")] // without what byline run starts
				commands = append(commands, line[strings.LastIndex(program, "byline "):])
			}
		}
	}
	for _, m := range inlineCommand.FindAllStringSubmatch(text, -1) {
		commands = append(commands, m[1])
	}
	return commands
}

// parseCommand fails if the command of a line or one of its flags does not exist, or if the command
// does not take these arguments. A page may name a command without arguments.
func parseCommand(line string) error {
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
	if err := c.ParseFlags(rest); err != nil {
		return err
	}
	args := c.Flags().Args()
	if len(args) == 0 {
		return nil
	}
	return c.ValidateArgs(args)
}

// splitWords splits a line into words as a shell does, up to the end of the command: --, a
// pipe, a redirection or a comment.
func splitWords(line string) []string {
	var words []string
	var word strings.Builder
	var quote rune
	begun := false

	for _, r := range line + " " {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			quote, begun = r, true
		case r != ' ':
			word.WriteRune(r)
			begun = true
		case begun:
			w := word.String()
			word.Reset()
			begun = false
			if w == "--" || strings.Trim(w, "|&><#;") == "" || strings.HasPrefix(w, "#") {
				return words
			}
			words = append(words, w)
		}
	}
	return words
}
