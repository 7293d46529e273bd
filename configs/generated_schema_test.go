package configs

import (
	"bytes"
	"encoding/json"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"

	"github.com/byline-proxy/byline/proxy/audit/journal"
	"github.com/byline-proxy/byline/proxy/sinks"
)

var update = flag.Bool("update", false, "write byline.schema.json and docs/configuration.md")

const schemaFile = "byline.schema.json"

// TestSchemaMatchesTheCode generates byline.schema.json from the structs, their
// comments and their defaults, and compares it with the file.
func TestSchemaMatchesTheCode(t *testing.T) {
	schema, err := json.MarshalIndent(generateSchema(t), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	schema = append(schema, '\n')
	if *update {
		if err := os.WriteFile(schemaFile, schema, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	file, err := os.ReadFile(schemaFile)
	if err != nil || !bytes.Equal(file, schema) {
		t.Fatalf("%s differs from the comments in the code (error: %v); generate it: go test ./configs -run Schema -update", schemaFile, err)
	}
}

func TestSchemaAcceptsWhatLoadAccepts(t *testing.T) {
	schema, err := jsonschema.NewCompiler().Compile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	complete := commentedOut.ReplaceAllFunc(reference, func(line []byte) []byte {
		if bytes.Contains(line, []byte("key_")) { // the vault accepts only one of its three keys
			return line
		}
		return commentedOut.ReplaceAll(line, []byte("$1$2"))
	})
	for name, c := range map[string]struct {
		text  string
		valid bool
	}{
		"the reference":            {string(complete), true},
		"only the required key":    {"data_dir: d\n", true},
		"nothing":                  {"{}\n", false},
		"unknown key":              {"data_dir: d\nlog: {levle: info}\n", false},
		"unknown value":            {"data_dir: d\nlog: {level: loud}\n", false},
		"duration without a unit":  {"data_dir: d\ndrain: soon\n", false},
		"witness without a key":    {"data_dir: d\naudit: {witnesses: [{url: 'https://w.example'}]}\n", false},
		"listener":                 {"data_dir: d\nlisteners: [{listen: '0.0.0.0:8443', mode: redirect}]\n", true},
		"listener of no mode":      {"data_dir: d\nlisteners: [{listen: '0.0.0.0:8443', mode: socks}]\n", false},
		"sink":                     {"data_dir: d\nsinks: [{name: siem, kind: http, url: 'https://siem.example'}]\n", true},
		"unknown kind of sink":     {"data_dir: d\nsinks: [{name: siem, kind: kafka, url: 'https://siem.example'}]\n", false},
		"unknown key of a sink":    {"data_dir: d\nsinks: [{name: siem, kind: http, uri: 'https://siem.example'}]\n", false},
		"text in place of a list":  {"data_dir: d\npass_through: a.example\n", false},
		"list in place of a table": {"data_dir: d\nlog: [info]\n", false},
	} {
		var v any
		if err := yaml.Load([]byte(c.text), &v); err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(v); (err == nil) != c.valid {
			t.Errorf("%s: the schema says %v, want valid=%v", name, err, c.valid)
		}
		if _, err := Parse("b.yaml", []byte(c.text)); (err == nil) != c.valid {
			t.Errorf("%s: Parse says %v, want valid=%v", name, err, c.valid)
		}
	}
}

func generateSchema(t *testing.T) map[string]any {
	defaults := new(Config)
	defaults.SetDefaults()
	values := defaults.values()
	comments := comments{}
	choices := map[string][]string{"adapters.overdue": Overdue, "log.level": Levels, "log.format": Formats, "run.isolate": IsolateModes}

	top := map[string]any{
		"$schema":  "https://json-schema.org/draft/2020-12/schema",
		"title":    "byline.yaml",
		"required": []string{"data_dir"},
	}
	sections := map[string]map[string]any{"": asObject(top)}
	forEachKey(reflect.TypeFor[Config](), func(k key) {
		parent, name := "", k.path
		if i := strings.LastIndexByte(k.path, '.'); i >= 0 {
			parent, name = k.path[:i], k.path[i+1:]
		}
		schema := map[string]any{"description": comments.of(t, k)}
		sections[parent]["properties"].(map[string]any)[name] = schema
		if k.section {
			sections[k.path] = asObject(schema)
			return
		}

		switch k.field.Type {
		case reflect.TypeFor[time.Duration]():
			schema["type"] = "string"
			schema["pattern"] = `^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$`
			schema["default"] = values[k.path].(time.Duration).String()
		case reflect.TypeFor[bool]():
			schema["type"] = "boolean"
			schema["default"] = values[k.path]
		case reflect.TypeFor[int](), reflect.TypeFor[int64]():
			schema["type"] = "integer"
			schema["default"] = values[k.path]
		case reflect.TypeFor[string]():
			schema["type"] = "string"
		case reflect.TypeFor[[]string]():
			schema["type"] = "array"
			schema["items"] = map[string]any{"type": "string"}
		case reflect.TypeFor[[]journal.Witness]():
			schema["type"] = "array"
			schema["items"] = entrySchema(t, k, comments, nil, "url", "key")
		case reflect.TypeFor[[]Listener]():
			schema["type"] = "array"
			schema["items"] = entrySchema(t, k, comments, map[string][]string{"mode": Modes}, "listen")
		case reflect.TypeFor[[]sinks.Config]():
			schema["type"] = "array"
			schema["items"] = entrySchema(t, k, comments,
				map[string][]string{"kind": sinks.Kinds(), "format": sinks.Formats}, "name", "kind", "url")
		default:
			t.Fatalf("%s has the type %s, for which there is no schema", k.path, k.field.Type)
		}
		if c := choices[k.path]; c != nil {
			schema["enum"] = c
			schema["default"] = values[k.path]
		}
	})
	return top
}

// entrySchema returns the schema of one entry of a list: a struct of strings and
// integers.
func entrySchema(t *testing.T, list key, comments comments, choices map[string][]string, required ...string) map[string]any {
	entry := asObject(map[string]any{"required": required})
	types := map[reflect.Kind]string{reflect.String: "string", reflect.Int: "integer"}
	for _, k := range entryKeys(list) {
		name := k.field.Tag.Get("yaml")
		schema := map[string]any{"type": types[k.field.Type.Kind()], "description": comments.of(t, k)}
		if c := choices[name]; c != nil {
			schema["enum"] = c
		}
		entry["properties"].(map[string]any)[name] = schema
	}
	return entry
}

// asObject makes schema that of an object with no keys yet, and returns it.
func asObject(schema map[string]any) map[string]any {
	schema["type"] = "object"
	schema["additionalProperties"] = false
	schema["properties"] = map[string]any{}
	return schema
}

// comments caches the doc comments of struct fields: by package directory, then
// by Struct.Field.
type comments map[string]map[string]string

// of returns the doc comment of a key in one line. A comment begins with the
// name of the Go field, as is usual in Go; a reader of the configuration knows
// only the key, so the key takes its place.
func (c comments) of(t *testing.T, k key) string {
	t.Helper()
	dir := filepath.Join("..", strings.TrimPrefix(k.owner.PkgPath(), "github.com/byline-proxy/byline/"))
	if c[dir] == nil {
		c[dir] = parseComments(t, dir)
	}
	text := c[dir][k.owner.Name()+"."+k.field.Name]
	if text == "" {
		t.Errorf("%s (%s.%s) has no comment; the comment is its reference manual", k.path, k.owner, k.field.Name)
	}
	if rest, ok := strings.CutPrefix(text, k.field.Name+" "); ok {
		name, _, _ := strings.Cut(k.field.Tag.Get("yaml"), ",")
		return name + " " + rest
	}
	return text
}

func parseComments(t *testing.T, dir string) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s contains no Go files (error: %v)", dir, err)
	}
	found := map[string]string{}
	for _, path := range files {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			structure, ok := spec.Type.(*ast.StructType)
			if !ok {
				return true
			}
			for _, field := range structure.Fields.List {
				for _, name := range field.Names {
					found[spec.Name.Name+"."+name.Name] = strings.Join(strings.Fields(field.Doc.Text()), " ")
				}
			}
			return true
		})
	}
	return found
}
