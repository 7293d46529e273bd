package configs

import (
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Problem is one mistake in a configuration file.
type Problem struct {
	File string
	Line int // 0 if the problem belongs to no particular line
	Text string
}

// String returns the problem as file:line: text.
func (p Problem) String() string {
	if p.Line == 0 {
		return p.File + ": " + p.Text
	}
	return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Text)
}

// Problems is the error for a file with mistakes: all of them, sorted by line.
type Problems []Problem

// Error returns one problem per line.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// problemOf converts an error of the YAML decoder. An unknown key is reported
// by its name instead of by the Go type that lacks it.
func problemOf(file string, e *yaml.LoadError) Problem {
	text := e.Message
	key, _, unknown := strings.Cut(strings.TrimPrefix(text, "field "), " not found in type")
	if unknown {
		text = key + ": is not a known key; see the reference that byline init writes"
	}
	return Problem{file, e.Mark.Line, text}
}

// Where returns the position of the key path as problems show it: byline.yaml:12
// for the line of the deepest part of path that the file contains, or the file
// name alone if it contains no part of it.
func (c *Config) Where(path string) string {
	if line := lineOf(&c.root, path); line > 0 {
		return fmt.Sprintf("%s:%d", c.file, line)
	}
	return c.file
}

// lineOf returns the line of the deepest key or list entry that root contains of
// the key path at the start of text, such as log.level or guard.allow[1]. The
// path ends at the first colon. The line is 0 if root does not contain even the
// first key.
func lineOf(root *yaml.Node, text string) (line int) {
	path, _, _ := strings.Cut(text, ":")
	node := root
	if node.Kind == yaml.DocumentNode && len(node.Content) > 0 {
		node = node.Content[0]
	}
	for part := range strings.SplitSeq(path, ".") {
		key, index, indexed := strings.Cut(part, "[")
		keyNode, value := lookUp(node, key)
		if keyNode == nil {
			return line
		}
		line, node = keyNode.Line, value

		i, err := strconv.Atoi(strings.TrimSuffix(index, "]"))
		if indexed && err == nil && i < len(node.Content) {
			node = node.Content[i]
			line = node.Line
		}
	}
	return line
}

// lookUp returns the nodes of key and its value in a mapping, or nil if node is
// not a mapping or does not contain key.
func lookUp(node *yaml.Node, key string) (keyNode, value *yaml.Node) {
	if node.Kind != yaml.MappingNode {
		return nil, nil
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		if node.Content[i].Value == key {
			return node.Content[i], node.Content[i+1]
		}
	}
	return nil, nil
}
