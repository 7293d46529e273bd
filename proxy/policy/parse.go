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

// builtinName names base.cedar in ids and digests.
const builtinName = "base"

// File is one policy file.
type File struct {
	Name string // unique; it is in ids and problems
	Text []byte
}

// Limits of a file, so that no file can exhaust the stack of Cedar's parser.
const (
	maxFileBytes = 256 << 10
	maxDepth     = 64 // brackets within brackets
)

// Set is all policies in force. It never changes. The zero Set denies.
type Set struct {
	rules     []rule
	byAction  map[string][]int // rules by each action and group that their head names
	anyAction []int            // rules whose head names no action
	digest    string
}

// rule is one policy of a file.
type rule struct {
	id          string
	policy      *cedar.Policy
	tree        *ast.Policy
	contextKeys []string // that the conditions read
}

// Parse reads the operator's policy files and adds the built-in policies. If
// known is not nil, policies may name only its adapters and actions. The error
// is [Problems]: everything that is wrong in all files.
func Parse(own []File, known *Catalog) (*Set, error) {
	own = slices.SortedFunc(slices.Values(own), func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	s := &Set{byAction: map[string][]int{}, digest: digestOf(own)}

	var problems Problems
	s.readFile(File{builtinName, []byte(builtin)}, &problems)
	for i, f := range own {
		if i > 0 && own[i-1].Name == f.Name || f.Name == builtinName {
			problems.add(f.Name, 1, "another file has the name %q; rename one, or records could not tell them apart", f.Name)
			continue
		}
		first := len(s.rules)
		s.readFile(f, &problems)
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

// Digest returns "sha256:" and the hexadecimal SHA-256 of all policy files, the
// built-in one first and the others by name. Each file is hashed as the length
// of its name, ':', its name, the length of its text, ':' and its text.
func (s *Set) Digest() string { return s.digest }

func digestOf(own []File) string {
	h := sha256.New()
	for _, f := range append([]File{{builtinName, []byte(builtin)}}, own...) {
		fmt.Fprintf(h, "%d:%s%d:%s", len(f.Name), f.Name, len(f.Text), f.Text)
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}

// readFile adds the policies of a file, or the problems that it has.
func (s *Set) readFile(f File, problems *Problems) {
	if len(f.Text) > maxFileBytes {
		problems.add(f.Name, 1, "holds more than %d bytes; split it into several files", maxFileBytes)
		return
	}
	if !utf8.Valid(f.Text) {
		valid := bytes.ToValidUTF8(f.Text, []byte{0xff})
		line := 1 + bytes.Count(f.Text[:bytes.IndexByte(valid, 0xff)], []byte("\n"))
		problems.add(f.Name, line, "is not UTF-8; save the file as UTF-8 text")
		return
	}
	statements, deepLine := splitStatements(f.Text)
	if deepLine > 0 {
		problems.add(f.Name, deepLine, "has more than %d brackets within brackets; write several policies instead", maxDepth)
		return
	}

	lineOfID := map[string]int{}
	n := 0
	for _, st := range statements {
		policies, err := cedar.NewPolicyListFromBytes(f.Name, st.text)
		if err != nil {
			line, text := describeParseError(err)
			problems.add(f.Name, st.line+line-1, "%s", text)
			continue
		}
		for _, p := range policies {
			n++
			s.addRule(f.Name, n, st.line-1, p, lineOfID, problems)
		}
	}
}

// addRule adds the policy with that number in the file. skippedLines is how many
// lines are before its statement.
func (s *Set) addRule(file string, n, skippedLines int, p *cedar.Policy, lineOfID map[string]int, problems *Problems) {
	r := rule{policy: p, tree: (*ast.Policy)(p.AST())}
	r.tree.Position.Line += skippedLines
	line := r.tree.Position.Line

	name := strconv.Itoa(n)
	if id, ok := p.Annotations()["id"]; ok {
		name = string(id)
		if !idPattern.MatchString(name) {
			problems.add(file, line, "@id(%q) is not a name; write one that begins with a letter and holds letters, digits, '.', '_' and '-', at most 64", name)
		}
		if other := lineOfID[name]; other > 0 {
			problems.add(file, line, "@id(%q) is also on line %d; ids are unique in a file", name, other)
		} else {
			lineOfID[name] = line
		}
	}
	r.id = file + "#" + name

	if p.Effect() == cedar.Permit {
		problems.add(file, line, "permit: only a task's scope permits, and a policy would widen what was approved; write forbid … unless { … } for the case you meant to allow")
	}

	r.contextKeys = contextKeysOf(r.tree)
	s.indexRule(len(s.rules), r.tree.Action)
	s.rules = append(s.rules, r)
}

var (
	idPattern       = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9._-]{0,63}$`)
	positionPattern = regexp.MustCompile(`<input>:(\d+):\d+`)
)

// describeParseError returns the line and the text of an error of Cedar's
// parser, which has both in one string.
func describeParseError(err error) (line int, text string) {
	text = strings.TrimPrefix(err.Error(), "parser error: ")
	line = 1
	if m := positionPattern.FindStringSubmatch(text); m != nil {
		line, _ = strconv.Atoi(m[1]) // the pattern ensures digits
		line = max(line, 1)          // Cedar has no line for some bytes
	}

	text = positionPattern.ReplaceAllString(text, "")
	text = strings.TrimPrefix(strings.TrimPrefix(text, "parse error at "), ": ")
	return line, "cannot be read at " + strings.TrimSpace(text)
}

// statement is a part of a file that ends with ';'.
type statement struct {
	line int // of its first byte, from 1
	text []byte
}

// splitStatements cuts a file after each ';' outside of strings and comments, so
// that one mistake does not hide the next. deepLine is the line where brackets
// nest deeper than maxDepth, or 0.
func splitStatements(text []byte) (statements []statement, deepLine int) {
	line := 1
	start, startLine := 0, 1
	depth := 0
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
				i-- // a string that is not closed, which Cedar reports
			}

		case c == '/' && i+1 < len(text) && text[i+1] == '/':
			for i+1 < len(text) && text[i+1] != '\n' {
				i++
			}

		case strings.IndexByte("([{", c) >= 0:
			depth++
			if depth > maxDepth {
				return nil, line
			}

		case strings.IndexByte(")]}", c) >= 0:
			depth = max(depth-1, 0)

		case c == ';':
			statements = append(statements, statement{startLine, text[start : i+1]})
			start, startLine = i+1, line
			depth = 0
		}
	}
	return append(statements, statement{startLine, text[start:]}), 0
}
