package adapters

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"
)

var fencedYAML = regexp.MustCompile("(?s)```yaml\n(.*?)```")

const tutorialFile = "../docs/adapters.md"

// tutorialBase holds the keys that a snippet of the tutorial leaves out. A snippet replaces those that
// it gives itself.
var tutorialBase = [][2]string{
	{"name", "name: snippet\n"},
	{"interim", "interim: {reason: r, owner: o, review_by: 2027-06-30}\n"},
	{"hosts", "hosts: [tickets.acme.example]\n"},
	{"login", "login: {kind: basic}\n"},
	{"actions", "actions: [{name: page.read, match: {path: /}}]\n"},
}

// TestTutorialSnippetsLoad loads every YAML block of the tutorial. A block that begins with name is a
// whole file; the first block is one.
func TestTutorialSnippetsLoad(t *testing.T) {
	page, err := os.ReadFile(tutorialFile)
	if err != nil {
		t.Fatal(err)
	}
	snippets := fencedYAML.FindAllStringSubmatch(string(page), -1)
	if len(snippets) < 8 {
		t.Fatalf("only %d snippets", len(snippets))
	}
	if !strings.HasPrefix(snippets[0][1], "name:") {
		t.Errorf("the first block is not a whole adapter:\n%s", snippets[0][1])
	}

	for _, m := range snippets {
		text := m[1]
		if !strings.HasPrefix(text, "name:") {
			text = addTutorialBase(text)
		}
		if _, err := Load([]Source{{Name: "snippet.yaml", Text: []byte(text)}}); err != nil {
			t.Errorf("%v\n%s", err, m[1])
		}
	}
}

func addTutorialBase(snippet string) string {
	text := snippet
	for _, part := range tutorialBase {
		if !strings.HasPrefix(snippet, part[0]+":") && !strings.Contains(snippet, "\n"+part[0]+":") {
			text = part[1] + text
		}
	}
	return text
}

func TestReferenceExamplesDecode(t *testing.T) {
	var walk func(typ reflect.Type)
	seen := map[reflect.Type]bool{}
	walk = func(typ reflect.Type) {
		for typ.Kind() == reflect.Slice || typ.Kind() == reflect.Map {
			typ = typ.Elem()
		}
		if typ.Kind() != reflect.Struct || seen[typ] {
			return
		}
		seen[typ] = true
		for i := range typ.NumField() {
			f := typ.Field(i)
			var node yaml.Node
			if err := yaml.Unmarshal([]byte(f.Tag.Get("eg")), &node); err != nil || len(node.Content) != 1 {
				t.Errorf("%s.%s: the example is not YAML: %v", typ.Name(), f.Name, err)
				continue
			}
			d := decoder{file: "eg", lines: map[string]int{}}
			d.decode(node.Content[0], reflect.New(f.Type).Elem(), f.Tag.Get("yaml"), 0)
			for _, p := range d.found {
				t.Errorf("%s.%s: %v", typ.Name(), f.Name, p)
			}
			walk(f.Type)
		}
	}
	walk(reflect.TypeFor[Spec]())
}

// asText keeps days as they are written, which is how YAML 1.2 and editors read them.
func asText(v any) any {
	switch v := v.(type) {
	case time.Time:
		return v.Format(time.DateOnly)
	case map[string]any:
		for key := range v {
			v[key] = asText(v[key])
		}
	case []any:
		for i := range v {
			v[i] = asText(v[i])
		}
	}
	return v
}

func TestReferenceSchemaJudgesLikeLoad(t *testing.T) {
	schema, err := jsonschema.NewCompiler().Compile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	type file struct {
		name, text string
		ok         bool
	}
	good := "name: a\nhosts: [a.example]\ninterim: {reason: r, owner: o, review_by: 2027-06-30}\n"
	files := []file{
		{"the least", good + "login: {kind: basic}\nactions: [{name: x, match: {path: /}}]\n", true},
		{"a child", good + "extends: mediawiki\n", true},
		{"a number as text", good + "login: {kind: basic}\nactions: [{name: x, match: {path: /, query: {p: 7}}}]\n", true},
		{"nothing", "{}\n", false},
		{"no login", good + "actions: [{name: x, match: {path: /}}]\n", false},
		{"unknown key", good + "login: {kind: basic, sucess: {}}\nactions: [{name: x, match: {path: /}}]\n", false},
		{"unknown kind", good + "login: {kind: magic}\nactions: [{name: x, match: {path: /}}]\n", false},
		{"no path", good + "login: {kind: basic}\nactions: [{name: x, match: {method: GET}}]\n", false},
		{"a list for text", good + "login: {kind: [basic]}\nactions: [{name: x, match: {path: /}}]\n", false},
	}
	for _, path := range examples(t) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file{path, strings.ReplaceAll(string(text), "SSO_HOST", "sso.acme.example"), true})
	}
	for _, f := range files {
		var v any
		if err := yaml.Load([]byte(f.text), &v); err != nil {
			t.Fatal(f.name, err)
		}
		if err := schema.Validate(asText(v)); (err == nil) != f.ok {
			t.Errorf("%s: the schema says %v", f.name, err)
		}
		if _, err := Load([]Source{{Name: f.name, Text: []byte(f.text)}}); (err == nil) != f.ok {
			t.Errorf("%s: Load says %v", f.name, err)
		}
	}
}
