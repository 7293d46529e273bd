package policy

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
)

//go:embed base.cedar
var builtin string

// Source is one policy file.
type Source struct {
	Name string // of the file, for ids and errors: unique
	Text []byte
}

// Most that a file may hold, so that no file can exhaust the stack: bytes, and
// brackets within brackets.
const (
	maxSource = 256 << 10
	maxDepth  = 64
)

// Set is all policies in force. It is immutable. The zero Set denies.
type Set struct {
	rules    []rule
	byAction map[string][]int // rules by the id of each action or group that their head names
	anywhere []int            // rules whose head names none
	digest   string
}

type rule struct {
	id     string
	policy *cedar.Policy
	tree   *ast.Policy
	keys   []string // of the context, that the conditions read
}

// Parse reads the operator's policy files and puts them on top of the built-in
// ones. With a catalog, policies may name only adapters and actions that are
// in it; nil accepts any. The error is [Problems]: everything that is wrong in
// all files.
func Parse(own []Source, known *Catalog) (*Set, error) {
	own = slices.SortedFunc(slices.Values(own), func(a, b Source) int { return strings.Compare(a.Name, b.Name) })
	s := &Set{byAction: map[string][]int{}, digest: digest(own)}
	var problems Problems
	s.read(Source{"base", []byte(builtin)}, &problems)
	for i, src := range own {
		if i > 0 && own[i-1].Name == src.Name || src.Name == "base" {
			problems.add(src.Name, 1, "another file has the name %q; rename one, or records could not tell them apart", src.Name)
			continue
		}
		first := len(s.rules)
		s.read(src, &problems)
		for _, r := range s.rules[first:] {
			r.check(known, &problems)
		}
	}
	if len(problems) > 0 {
		problems.sort()
		return nil, problems
	}
	return s, nil
}

// Digest is "sha256:" and the hexadecimal SHA-256 of all policies, the built-in
// ones first and then by file name, each as the length of its name, its name,
// the length of its text and its text.
func (s *Set) Digest() string { return s.digest }

func digest(own []Source) string {
	h := sha256.New()
	for _, src := range append([]Source{{"base", []byte(builtin)}}, own...) {
		fmt.Fprintf(h, "%d:%s%d:%s", len(src.Name), src.Name, len(src.Text), src.Text)
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}

func (s *Set) read(src Source, problems *Problems) {
	if len(src.Text) > maxSource {
		problems.add(src.Name, 1, "holds more than %d bytes; split it into several files", maxSource)
		return
	}
	if !utf8.Valid(src.Text) {
		valid := bytes.ToValidUTF8(src.Text, []byte{0xff})
		line := 1 + bytes.Count(src.Text[:bytes.IndexByte(valid, 0xff)], []byte("\n"))
		problems.add(src.Name, line, "is not UTF-8; save the file as UTF-8 text")
		return
	}
	statements, line := split(src.Text)
	if line > 0 {
		problems.add(src.Name, line, "has more than %d brackets within brackets; write several policies instead", maxDepth)
		return
	}
	ids := map[string]int{} // by id, the line that has it
	n := 0
	for _, st := range statements {
		list, err := cedar.NewPolicyListFromBytes(src.Name, st.text)
		if err != nil {
			at, text := place(err)
			problems.add(src.Name, st.line+at-1, "%s", text)
			continue
		}
		for _, p := range list {
			n++
			s.keep(src.Name, n, st.line-1, p, ids, problems)
		}
	}
}

// keep files one policy. skipped is how many lines lie before its statement.
func (s *Set) keep(file string, n, skipped int, p *cedar.Policy, ids map[string]int, problems *Problems) {
	r := rule{policy: p, tree: (*ast.Policy)(p.AST())}
	r.tree.Position.Line += skipped
	line := r.tree.Position.Line
	name := strconv.Itoa(n)
	if id, ok := p.Annotations()["id"]; ok {
		name = string(id)
		if !idForm.MatchString(name) {
			problems.add(file, line, "@id(%q) is no name; write one that begins with a letter and holds letters, digits, '.', '_' and '-', at most 64", name)
		}
		if before := ids[name]; before > 0 {
			problems.add(file, line, "@id(%q) is also on line %d; ids are unique in a file", name, before)
		} else {
			ids[name] = line
		}
	}
	r.id = file + "#" + name
	if p.Effect() == cedar.Permit {
		problems.add(file, line, "permit: only a task's scope permits, and a policy would widen what was approved; write forbid … unless { … } for the case you meant to allow")
	}
	r.keys = keysOf(r.tree)
	s.index(len(s.rules), r.tree.Action)
	s.rules = append(s.rules, r)
}

var (
	idForm    = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9._-]{0,63}$`)
	placeForm = regexp.MustCompile(`<input>:(\d+):\d+`)
)

// place takes the line out of an error of Cedar's parser.
func place(err error) (line int, text string) {
	text = strings.TrimPrefix(err.Error(), "parser error: ")
	line = 1
	if m := placeForm.FindStringSubmatch(text); m != nil {
		line, _ = strconv.Atoi(m[1]) // it is digits
		line = max(line, 1)          // of some bytes Cedar knows no line
	}
	text = placeForm.ReplaceAllString(text, "")
	text = strings.TrimPrefix(strings.TrimPrefix(text, "parse error at "), ": ")
	return line, "cannot be read at " + strings.TrimSpace(text)
}

type statement struct {
	line int // of its first byte, from 1
	text []byte
}

// split cuts a file after each ';' outside strings and comments, so that one
// mistake does not hide the next. tooDeep is the line where brackets nest
// beyond maxDepth, or 0.
func split(text []byte) (out []statement, tooDeep int) {
	line, start, startLine, depth := 1, 0, 1, 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\n':
			line++
		case c == '"':
			for i++; i < len(text) && text[i] != '"' && text[i] != '\n'; i++ {
				if text[i] == '\\' && i+1 < len(text) && text[i+1] != '\n' {
					i++
				}
			}
			if i < len(text) && text[i] == '\n' {
				i-- // an unclosed string: Cedar will say so
			}
		case c == '/' && i+1 < len(text) && text[i+1] == '/':
			for i+1 < len(text) && text[i+1] != '\n' {
				i++
			}
		case strings.IndexByte("([{", c) >= 0:
			if depth++; depth > maxDepth {
				return nil, line
			}
		case strings.IndexByte(")]}", c) >= 0:
			depth = max(depth-1, 0)
		case c == ';':
			out = append(out, statement{startLine, text[start : i+1]})
			start, startLine, depth = i+1, line, 0
		}
	}
	return append(out, statement{startLine, text[start:]}), 0
}
