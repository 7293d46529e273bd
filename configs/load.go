package configs

import (
	"cmp"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

//go:embed byline.yaml
var reference []byte

// Reference is the commented byline.yaml that byline init writes.
func Reference() []byte { return slices.Clone(reference) }

// Problem is one thing that is wrong with the file. Line 0 means that it
// belongs to no line.
type Problem struct {
	File string
	Line int
	Text string
}

func (p Problem) String() string {
	if p.Line == 0 {
		return p.File + ": " + p.Text
	}
	return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Text)
}

// Problems are all that is wrong with a file, by line.
type Problems []Problem

// Error lists one problem a line.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// Load reads and checks the file at path. The error is [Problems] when the
// content is wrong and wraps [ErrNoFile] when there is none.
func Load(path string) (*Config, error) { return whole(Read(path)) }

func whole(c *Config, problems Problems, err error) (*Config, error) {
	if err == nil && len(problems) > 0 {
		err = problems
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

// Read is Load for who wants to look at the files that the configuration names
// even when it has problems itself: what could be read of it comes back with
// them, and must not be put in force.
func Read(path string) (*Config, Problems, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("%w at %s", ErrNoFile, path)
	}
	if err != nil {
		return nil, nil, err
	}
	return parse(path, text)
}

// Parse is Load of a text that was read already; relative paths in it count
// from the folder of name.
func Parse(name string, text []byte) (*Config, error) {
	return whole(parse(name, text))
}

func parse(name string, text []byte) (*Config, Problems, error) {
	c := &Config{name: name}
	problems := decode(name, text, &c.top, c)
	unread := len(problems) > 0 && reflect.DeepEqual(c, &Config{name: name, top: c.top})
	c.SetDefaults()
	if !unread { // else nothing is known of what the file says
		for _, err := range c.Check() {
			problems = append(problems, Problem{name, lineOf(&c.top, err.Error()), err.Error()})
		}
	}
	slices.SortStableFunc(problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Text, b.Text))
	})
	base, err := filepath.Abs(filepath.Dir(name))
	if err != nil {
		return nil, nil, err
	}
	for _, p := range c.paths() {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(base, *p)
		}
	}
	return c, problems, nil
}

func decode(name string, text []byte, top *yaml.Node, c *Config) (out Problems) {
	if len(strings.TrimSpace(string(text))) == 0 {
		return nil
	}
	err := yaml.Load(text, top)
	if err == nil {
		err = yaml.Load(text, c, yaml.WithKnownFields())
	}
	var all *yaml.LoadErrors
	var one *yaml.LoadError
	switch {
	case err == nil:
	case errors.As(err, &all):
		for _, e := range all.Errors {
			out = append(out, problem(name, e))
		}
	case errors.As(err, &one):
		out = append(out, problem(name, one))
	default:
		out = append(out, Problem{File: name, Text: strings.TrimPrefix(err.Error(), "yaml: ")})
	}
	return out
}

func problem(name string, e *yaml.LoadError) Problem {
	text := e.Message
	if field, _, ok := strings.Cut(strings.TrimPrefix(text, "field "), " not found in type"); ok {
		text = field + ": is no key here; see the reference that byline init writes"
	}
	return Problem{name, e.Mark.Line, text}
}

// Where names the file, and the line of the deepest key of path that stands in
// it, as problems do: byline.yaml:12, or byline.yaml for what is a default.
func (c *Config) Where(path string) string {
	if line := lineOf(&c.top, path); line > 0 {
		return fmt.Sprintf("%s:%d", c.name, line)
	}
	return c.name
}

// lineOf finds the line of the deepest key or entry that text's leading key
// path names, like log.level or guard.allow[1].
func lineOf(top *yaml.Node, text string) (line int) {
	path, _, _ := strings.Cut(text, ":")
	n := top
	if n.Kind == yaml.DocumentNode && len(n.Content) > 0 {
		n = n.Content[0]
	}
	for key := range strings.SplitSeq(path, ".") {
		key, entry, listed := strings.Cut(key, "[")
		if n.Kind != yaml.MappingNode {
			return line
		}
		i := 0
		for ; i+1 < len(n.Content) && n.Content[i].Value != key; i += 2 {
		}
		if i+1 >= len(n.Content) {
			return line
		}
		line, n = n.Content[i].Line, n.Content[i+1]
		if at, err := strconv.Atoi(strings.TrimSuffix(entry, "]")); listed && err == nil && at < len(n.Content) {
			n = n.Content[at]
			line = n.Line
		}
	}
	return line
}
