package body

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"sort"
	"strings"
	"testing"
	"unicode/utf8"
)

func (m *message) isMultipart() bool { return strings.HasPrefix(m.contentType, MultipartType) }

// understood is what this package reads in a message, and the message it makes of it.
type understood struct {
	canonical message
	query     []Pair
	fields    []Pair // of an urlencoded body
	parts     []Part // of a multipart body
	tree      any    // of a JSON body
	xml       string // of an XML body
}

// understand reads and writes a message as a proxy does. The options are those of the
// query and of an urlencoded body.
func understand(m message, o FormOptions) (*understood, error) {
	t, err := ParseContentType(m.contentType)
	if err != nil {
		return nil, err
	}
	u := &understood{}
	if u.query, err = ParseForm(nil, m.query, o); err != nil {
		return nil, err
	}
	u.canonical = message{contentType: t.Header(""), query: string(AppendQuery(nil, u.query))}

	switch t.Media {
	case FormType:
		o.Charset = t.Charset
		if u.fields, err = ParseForm(nil, string(m.body), o); err != nil {
			return nil, err
		}
		u.canonical.body = AppendForm(nil, u.fields)
	case MultipartType:
		if u.parts, err = readParts(bytes.NewReader(m.body), t, MultipartOptions{}); err != nil {
			return nil, err
		}
		var out bytes.Buffer
		w := NewMultipartWriter(&out, testBoundary)
		for i := range u.parts {
			if err := w.WritePart(&u.parts[i]); err != nil {
				return nil, fmt.Errorf("what was read cannot be written: %v", err)
			}
		}
		if err := w.Close(); err != nil {
			return nil, err
		}
		u.canonical.contentType, u.canonical.body = t.Header(testBoundary), out.Bytes()
	case "application/json":
		var d JSON
		if err := d.Parse(m.body, JSONOptions{Charset: t.Charset}); err != nil {
			return nil, err
		}
		u.tree, u.canonical.body = toAny(d.Root()), bytes.Clone(d.Bytes())
	case "application/xml":
		d, err := ParseXML(m.body, XMLOptions{Charset: t.Charset})
		if err != nil {
			return nil, err
		}
		u.xml, u.canonical.body = describe(d.Root), d.Bytes()
	default:
		return nil, fail(BadContentType, "not a form")
	}
	return u, nil
}

// compare says how what a reader read differs from what was understood; "" if it does
// not.
func (u *understood) compare(reader string, r *reading) string {
	if r == nil {
		return "no answer"
	}
	if reader == "python-multipart" && r.Error == "ValueError('not multipart')" {
		return ""
	}
	if (reader == "python-multipart" || reader == "CGI.pm") && u.canonical.isMultipart() && len(u.parts) == 0 {
		return "" // they refuse a form without parts
	}
	if r.Error != "" {
		return "refused: " + r.Error
	}

	var differences []string
	note := func(what, difference string) {
		if difference != "" {
			differences = append(differences, what+" "+difference)
		}
	}
	if readsQuery(reader, u) && (reader != "qs" || isUTF8(u.query)) {
		note("query:", sameEntries(reader, pairEntries(u.query), r.Query))
	}
	if reader == "qs" && !isUTF8(u.query, u.fields) {
		return "" // it leaves the escapes of such a value undecoded
	}
	fields, files, vague := u.bodyEntries()
	for name := range vague {
		if (reader == "php" || reader == "multer") && strings.ContainsAny(name, ". []") {
			return "" // which it gives another name
		}
	}
	if reader == "multer" && slices.ContainsFunc(fields, func(e entry) bool { return strings.Contains(string(e[0]), "[") }) {
		return "" // it nests names on top of busboy, which is compared
	}
	note("fields:", sameEntries(reader, fields, without(r.Fields, vague)))
	note("files:", sameEntries(reader, files, without(r.Files, vague)))
	return strings.Join(differences, "; ")
}

func readsQuery(reader string, u *understood) bool {
	if u.canonical.isMultipart() && (reader == "go" || reader == "qs") {
		return false
	}
	switch reader {
	case "busboy", "multer", "multiparty", "formidable", "node fetch", "python-multipart":
		return false
	case "CGI.pm": // takes a query without any "=" for keywords
		return strings.Contains(u.canonical.query, "=")
	}
	return true
}

func pairEntries(pairs []Pair) (entries []entry) {
	for _, p := range pairs {
		entries = append(entries, entry{hexText(p.Name), hexText(p.Value)})
	}
	return entries
}

// bodyEntries are the fields and the files that every reader is to read. Names of
// parts about which readers differ, as PartKind says, are vague; the generator gives
// them to no other parts.
func (u *understood) bodyEntries() (fields, files []entry, vague map[string]bool) {
	fields = pairEntries(u.fields)
	vague = map[string]bool{}
	for _, p := range u.parts {
		switch p.Kind {
		case Field:
			fields = append(fields, entry{hexText(p.Name), hexText(p.Value)})
		case File:
			files = append(files, entry{hexText(p.Name), hexText(p.FileName), hexText(p.Type), hexText(p.Value)})
		default:
			vague[p.Name] = true
		}
	}
	drop := func(e entry) bool { return vague[string(e[0])] }
	return slices.DeleteFunc(fields, drop), slices.DeleteFunc(files, drop), vague
}

func without(entries []entry, names map[string]bool) []entry {
	return slices.DeleteFunc(slices.Clone(entries), func(e entry) bool { return names[strings.ReplaceAll(string(e[0]), "\x00", "")] })
}

// keepsBytes are the readers that decode nothing into characters.
var keepsBytes = map[string]bool{"go": true, "php": true, "CGI.pm": true, "tornado": true, "rack": true}

var simpleFileName = regexp.MustCompile(`^[A-Za-z0-9. \p{L}]+$`)

// sameEntries compares entries by name: many readers keep no order between names.
func sameEntries(reader string, want, got []entry) string {
	if reader == "php" {
		want = phpEntries(want)
	}
	unclear := map[string]bool{}
	for _, e := range want {
		if len(e) == 4 && !simpleFileName.MatchString(string(e[1])) {
			unclear[asRead(reader, e[0])] = true
		}
	}
	a, b := groupEntries(reader, want, unclear), groupEntries(reader, got, unclear)
	if a == b {
		return ""
	}
	at := 0
	for at < min(len(a), len(b)) && a[at] == b[at] {
		at++
	}
	at = max(0, at-100)
	return fmt.Sprintf("want %.300s, got %.300s", a[at:], b[at:])
}

// groupEntries describes entries, without the names of files that the servers change.
func groupEntries(reader string, entries []entry, unclear map[string]bool) string {
	groups := map[string][]string{}
	for _, e := range entries {
		name, text := asRead(reader, e[0]), asRead(reader, e[len(e)-1])
		if len(e) == 4 {
			if !unclear[name] {
				text += " as " + asRead(reader, e[1])
			}
			if reader != "python-multipart" && reader != "CGI.pm" { // which keeps one type for all files of one name
				text += " of type " + asRead(reader, e[2])
			}
		}
		groups[name] = append(groups[name], text)
	}

	names := make([]string, 0, len(groups))
	for name := range groups {
		names = append(names, name)
	}
	sort.Strings(names)
	var out strings.Builder
	for _, name := range names {
		fmt.Fprintf(&out, "%q=%q ", name, groups[name])
	}
	return out.String()
}

var replacements = regexp.MustCompile("\uFFFD+")

func asRead(reader string, text hexText) string {
	if keepsBytes[reader] {
		return string(text)
	}
	if reader == "formidable" { // drops an incomplete character at the end of a value
		return replacements.ReplaceAllString(strings.ToValidUTF8(string(text), ""), "")
	}
	return replacements.ReplaceAllString(strings.ToValidUTF8(string(text), "\uFFFD"), "\uFFFD")
}

var seed = flag.Uint64("seed", 1, "what the forms and trees of TestRealParsers are made from")

// TestRealParsers compares what this package reads with what the parsers of real
// languages and frameworks read in the canonical spelling.
func TestRealParsers(t *testing.T) {
	if testing.Short() {
		t.Skip("starts interpreters")
	}
	programs := startPrograms(t)
	t.Run("forms", func(t *testing.T) { compareForms(t, programs) })
	t.Run("padded forms", func(t *testing.T) { comparePaddedForms(t, programs) })
	t.Run("trees", func(t *testing.T) { compareTrees(t, programs) })
	t.Run("originals", func(t *testing.T) { compareOriginals(t, programs) })
	t.Run("hostile originals", func(t *testing.T) { compareHostile(t, programs) })
	t.Run("hostile trees", func(t *testing.T) { compareHostileTrees(t, programs) })
}

// compareForms is about 10,000 queries, urlencoded bodies and multipart bodies.
func compareForms(t *testing.T, programs []program) {
	g := newGenerator(*seed)

	var messages []message
	var all []*understood
	generated, refused := 0, map[Kind]int{}
	for generated < 10_000 {
		generated++
		m := g.message(generated%2 == 0)
		u, err := understand(m, pick(g, FormOptions{}, FormOptions{Semicolon: KeepSemicolon, LonePercent: true}, FormOptions{Semicolon: SplitAtSemicolon}))
		if err != nil {
			if KindOf(err) == "" {
				t.Fatalf("%q: %v", m.body, err)
			}
			refused[KindOf(err)]++
			continue
		}
		messages, all = append(messages, u.canonical), append(all, u)
	}
	t.Logf("%d forms, of which %d were understood; refused: %v", generated, len(messages), refused)

	failures, readings := 0, map[string]int{}
	for i, said := range askAll(t, programs, messages) {
		for reader, r := range said {
			readings[reader]++
			if difference := all[i].compare(reader, r); difference != "" {
				if failures++; failures <= 30 {
					t.Errorf("%s reads another form\n%s\nin %.500q\n%s\n%.1500q", reader, difference, messages[i].query, messages[i].contentType, messages[i].body)
				}
			}
		}
	}
	t.Logf("readings: %v; %d differ", readings, failures)
}

// comparePaddedForms: the blanks after the final boundary that fill a promised
// Content-Length change nothing, but that Node's Fetch refuses them.
func comparePaddedForms(t *testing.T, programs []program) {
	g := newGenerator(*seed + 1)

	var messages []message
	var all []*understood
	for len(messages) < 200 {
		m := g.multipartDraft().message()
		u, err := understand(m, FormOptions{})
		if err != nil || len(u.parts) == 0 {
			continue
		}
		t, err := ParseContentType(m.contentType)
		if err != nil {
			continue
		}
		upload, err := ReadUpload(bytes.NewReader(m.body), t, MultipartOptions{}, 10)
		if err != nil {
			continue
		}
		var padded bytes.Buffer
		options := StreamOptions{Accept: func(*Part) error { return nil }, PadTo: int64(len(u.canonical.body) + pick(g, 1, 2, 60, 5000))}
		if _, err := upload.Stream(testBoundary, options).WriteTo(&padded); err != nil {
			continue
		}
		u.canonical.body = padded.Bytes()
		messages, all = append(messages, u.canonical), append(all, u)
	}
	for i, said := range askAll(t, programs, messages) {
		for reader, r := range said {
			if reader == "node fetch" {
				continue
			}
			if difference := all[i].compare(reader, r); difference != "" {
				t.Errorf("%s reads another form\n%s\nin %.1500q", reader, difference, messages[i].body)
			}
		}
	}
}

// compareTrees is about JSON and XML.
func compareTrees(t *testing.T, programs []program) {
	g := newGenerator(*seed + 2)

	var messages []message
	var all []*understood
	for i := range 3000 {
		m := message{contentType: "application/json", body: []byte(g.json(0))}
		if i%2 == 0 {
			m = message{contentType: "application/xml", body: []byte(g.xml(0, nil))}
		}
		u, err := understand(m, FormOptions{})
		if err != nil {
			if k := KindOf(err); k != DuplicateKey && k != UnknownEntity {
				t.Fatalf("%q: %v", m.body, err)
			}
			continue
		}
		messages, all = append(messages, u.canonical), append(all, u)
	}

	readings := map[string]int{}
	for i, said := range askAll(t, programs, messages) {
		for reader, r := range said {
			readings[reader]++
			if !all[i].isTree(r) {
				t.Errorf("%s reads %.500q, error %q in\n%.500s", reader, r.Tree, r.Error, messages[i].body)
			}
		}
	}
	t.Logf("%d bodies, readings: %v", len(messages), readings)
}

// isTree reports whether a reader read the tree that was understood.
func (u *understood) isTree(r *reading) bool {
	if r.Error != "" {
		return false
	}
	if u.xml != "" {
		return string(r.Tree) == u.xml
	}
	tree, err := decodeAny([]byte(r.Tree))
	return err == nil && equalTrees(tree, u.tree)
}

// equalTrees compares JSON values; numbers as the floating point numbers they are to
// most readers.
func equalTrees(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for key := range a {
			other, known := b[key]
			if !known || !equalTrees(a[key], other) {
				return false
			}
		}
		return true
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for i := range a {
			if !equalTrees(a[i], b[i]) {
				return false
			}
		}
		return true
	case json.Number:
		b, ok := b.(json.Number)
		x, _ := new(big.Float).SetString(a.String())
		if !ok {
			return false
		}
		y, _ := new(big.Float).SetString(b.String())
		fx, _ := x.Float64()
		fy, _ := y.Float64()
		return fx == fy
	}
	return a == b
}

func isUTF8(lists ...[]Pair) bool {
	for _, pairs := range lists {
		for _, p := range pairs {
			if !utf8.ValidString(p.Name) || !utf8.ValidString(p.Value) {
				return false
			}
		}
	}
	return true
}
