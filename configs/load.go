package configs

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Load reads and checks the file at path. If the content is wrong, the error is
// [Problems]; if there is no file, it wraps [ErrNoFile].
func Load(path string) (*Config, error) {
	return configOrError(Read(path))
}

// Read is like [Load], but also returns what it could read of a file that has
// problems, so that a caller can go on to check the files that it names. A
// Config that comes with problems must not be put in force.
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

// Parse is like [Load] for a text that the caller has read already. Relative
// paths in the text are resolved against the directory of the file called name.
func Parse(name string, text []byte) (*Config, error) {
	return configOrError(parse(name, text))
}

// configOrError returns the problems as the error if there are any.
func configOrError(c *Config, problems Problems, err error) (*Config, error) {
	if err == nil && len(problems) > 0 {
		err = problems
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

func parse(name string, text []byte) (*Config, Problems, error) {
	c := &Config{file: name}
	problems := decode(text, c)

	// If nothing could be decoded, the checks would only complain about keys
	// that the file may well contain.
	unreadable := len(problems) > 0 && reflect.DeepEqual(c, &Config{file: name, root: c.root})
	c.SetDefaults()
	if !unreadable {
		for _, err := range c.Check() {
			problems = append(problems, Problem{name, lineOf(&c.root, err.Error()), err.Error()})
		}
	}
	slices.SortStableFunc(problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Text, b.Text))
	})

	base, err := filepath.Abs(filepath.Dir(name))
	if err != nil {
		return nil, nil, err
	}
	for _, path := range c.paths() {
		if *path != "" && !filepath.IsAbs(*path) {
			*path = filepath.Join(base, *path)
		}
	}
	return c, problems, nil
}

// decode parses text into c and c.root. An unknown key, a repeated key and a
// value of the wrong type are problems; everything else is decoded all the same.
// An empty text is valid and sets nothing.
func decode(text []byte, c *Config) (problems Problems) {
	if len(strings.TrimSpace(string(text))) == 0 {
		return nil
	}
	err := yaml.Load(text, &c.root)
	if err == nil {
		err = yaml.Load(text, c, yaml.WithKnownFields())
	}
	if err == nil {
		return nil
	}

	var several *yaml.LoadErrors
	var single *yaml.LoadError
	switch {
	case errors.As(err, &several):
		for _, e := range several.Errors {
			problems = append(problems, problemOf(c.file, e))
		}
	case errors.As(err, &single):
		problems = append(problems, problemOf(c.file, single))
	default:
		problems = append(problems, Problem{File: c.file, Text: strings.TrimPrefix(err.Error(), "yaml: ")})
	}
	return problems
}
