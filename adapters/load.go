package adapters

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io"
	"path"
	"reflect"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// Source is the text of one adapter file. Name is what problems call it, usually the file's path.
type Source struct {
	Name string
	Text []byte
}

// Problem is one thing that is wrong with one line of one file.
type Problem struct {
	File string
	Line int
	What string
	Hint string // what to do about it; may be empty
}

// Error is file:line: what (hint).
func (p Problem) Error() string {
	message := fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.What)
	if p.Hint != "" {
		message += " (" + p.Hint + ")"
	}
	return message
}

// Problems is everything that is wrong, sorted by file and line. It never contains a secret: adapters hold none.
type Problems []Problem

// Error has one line for each problem.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i := range p {
		lines[i] = p[i].Error()
	}
	return strings.Join(lines, "\n")
}

func (p Problems) sort() {
	slices.SortStableFunc(p, func(a, b Problem) int {
		if c := strings.Compare(a.File, b.File); c != 0 {
			return c
		}
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return strings.Compare(a.What, b.What)
	})
}

//go:embed library/*.yaml
var libraryFiles embed.FS

// LibrarySources returns the adapters that ship in the binary, by name. They have no hosts: an operator's own adapter
// extends one of them.
func LibrarySources() []Source {
	entries, err := libraryFiles.ReadDir("library")
	if err != nil {
		return nil // cannot happen: the directory is embedded
	}

	var sources []Source
	for _, e := range entries {
		name := path.Join("library", e.Name())
		if text, err := libraryFiles.ReadFile(name); err == nil {
			sources = append(sources, Source{Name: name, Text: text})
		}
	}
	return sources
}

// LoadLibrary compiles the adapters that ship in the binary, by name. They have neither hosts nor interim: they are to
// look at and to extend. The error is Problems.
func LoadLibrary() ([]*Adapter, error) {
	var all []*Adapter
	var found Problems
	for _, src := range LibrarySources() {
		d := parse(src)
		if a := d.build(false); a != nil {
			all = append(all, a)
		}
		found = append(found, d.found...)
	}
	if len(found) > 0 {
		return nil, found
	}
	return all, nil
}

// Load compiles the given adapters. Those of the library take part only if one of them is extended. If anything is
// wrong, the Set is nil and the error is Problems: all of them, sorted.
func Load(own []Source) (*Set, error) {
	return load(own, LibrarySources())
}

func load(own, library []Source) (*Set, error) {
	parents, found := parseLibrary(library)

	set := &Set{exact: map[string]*Adapter{}, suffix: map[string]*Adapter{}}
	for _, src := range own {
		d := parse(src)
		d.inherit(parents)
		if a := d.build(true); a != nil {
			d.addTo(set, a)
		}
		found = append(found, d.found...)
	}

	if len(found) > 0 {
		found.sort()
		return nil, slices.Compact(found)
	}
	set.finish()
	return set, nil
}

// parseLibrary parses the adapters that files may extend, by name.
func parseLibrary(library []Source) (map[string]*draft, Problems) {
	parents := map[string]*draft{}
	var found Problems
	for _, src := range library {
		d := parse(src)
		parents[d.spec.Name] = d
		found = append(found, d.found...)
	}
	return parents, found
}

// draft is a decoded file: what it says, on which lines, and what is wrong with it.
type draft struct {
	decoder
	spec Spec
}

// maxSource bounds an adapter file, in bytes.
const maxSource = 1 << 20

// parse decodes one file. If it cannot be decoded, the draft has problems and no lines.
func parse(src Source) *draft {
	d := &draft{decoder: decoder{file: src.Name, lines: map[string]int{}}}
	if len(src.Text) > maxSource {
		d.problem(1, "", "the file is larger than %d bytes", maxSource)
		return d
	}

	documents := yaml.NewDecoder(bytes.NewReader(src.Text))
	var top, second yaml.Node
	if err := documents.Decode(&top); err != nil {
		if errors.Is(err, io.EOF) {
			d.problem(1, "an adapter has at least name, hosts, interim, login and actions", "the file is empty")
		} else {
			d.problem(lineOf(err), "", "not YAML: %s", reasonOf(err))
		}
		return d
	}
	if err := documents.Decode(&second); !errors.Is(err, io.EOF) {
		d.problem(max(second.Line, 1), "one adapter per file", "the file has a second document")
	}
	if len(top.Content) != 1 {
		d.problem(1, "", "the file is empty")
		return d
	}

	d.decode(top.Content[0], reflect.ValueOf(&d.spec).Elem(), "", 0)
	return d
}

// reasonOf is the text of an error of the YAML library on one line, without the line number, which the problem has.
func reasonOf(err error) string {
	text := strings.Join(strings.Fields(err.Error()), " ")
	return strings.TrimPrefix(text, fmt.Sprintf("yaml: line %d: ", lineOf(err)))
}

// lineOf reads the line out of the text of an error of the YAML library; 1 if it has none.
func lineOf(err error) int {
	line := 1
	if _, rest, ok := strings.Cut(err.Error(), "line "); ok {
		_, _ = fmt.Sscanf(rest, "%d", &line) // without a number line stays 1
	}
	return max(line, 1)
}

// at reports a problem at the line of a key, or of the nearest key above it that the file has.
func (d *draft) at(key, hint, format string, args ...any) {
	d.problem(d.line(key), hint, format, args...)
}

func (d *draft) line(key string) int {
	for key != "" {
		if n := d.lines[key]; n > 0 {
			return n
		}
		key = key[:max(strings.LastIndexAny(key, ".["), 0)]
	}
	return max(d.lines[""], 1)
}

// build checks and compiles a draft. It returns nil if anything is wrong. An adapter of the library (own is false) is
// built without hosts and interim.
func (d *draft) build(own bool) *Adapter {
	if d.lines[""] > 0 { // else nothing was decoded, and the problem is known
		d.check(own)
	}
	if len(d.found) > 0 {
		return nil
	}

	a := &Adapter{
		spec:     d.spec,
		position: func(key string) string { return fmt.Sprintf("%s:%d", d.file, d.line(key)) },
	}
	for i, h := range a.spec.Hosts {
		a.spec.Hosts[i] = canonicalHost(h)
	}
	if day, err := time.Parse(time.DateOnly, d.spec.Interim.ReviewBy); err == nil {
		a.overdue = day.AddDate(0, 0, 1)
	}

	var err error
	a.digest, err = digestOf(&a.spec)
	if err != nil {
		d.at("", "", "the adapter has no canonical form: %s", err)
		return nil
	}
	a.rules = d.compile()
	a.passedPaths = d.compilePassedPaths()
	a.loginHeaders = loginHeadersOf(&a.spec.Login)
	a.loginFields = loginFieldsOf(&a.spec.Login)
	a.loginCookies = sessionCookiesOf(&a.spec.Login)
	a.sessionNames = sessionNamesOf(&a.spec.Login)
	if len(d.found) > 0 {
		return nil
	}
	return a
}

// canonicalHost is a host pattern in lower case, without a dot at the end of the name.
func canonicalHost(pattern string) string {
	host, port := splitAuthority(pattern)
	if port == "" {
		return host
	}
	return host + ":" + port
}

// addTo adds the adapter that was built from the draft to a set. It reports a name and hosts that another one has.
func (d *draft) addTo(set *Set, a *Adapter) {
	if set.ByName(d.spec.Name) != nil {
		d.at("name", "give one of them another name", "another adapter is already called %q", d.spec.Name)
	}
	for pattern, other := range set.add(a) {
		d.at(fmt.Sprintf("hosts[%d]", slices.Index(a.spec.Hosts, pattern)), "", "host %q already belongs to adapter %q", pattern, other)
	}
}
