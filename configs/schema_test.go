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

	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/sinks"
)

var update = flag.Bool("update", false, "write byline.schema.json anew")

const schemaFile = "byline.schema.json"

// TestSchemaIsWhatTheCodeReads makes the schema from the structs, their
// comments and their defaults.
func TestSchemaIsWhatTheCodeReads(t *testing.T) {
	text, err := json.MarshalIndent(schemaOf(t), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	text = append(text, '\n')
	if *update {
		if err := os.WriteFile(schemaFile, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(schemaFile)
	if err != nil || !bytes.Equal(have, text) {
		t.Fatalf("%s is not what the structs say (%v); write it anew: go test ./configs -run Schema -update", schemaFile, err)
	}
}

func TestSchemaJudgesLikeLoad(t *testing.T) {
	schema, err := jsonschema.NewCompiler().Compile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	whole := commented.ReplaceAllFunc(reference, func(b []byte) []byte {
		if bytes.Contains(b, []byte("key_")) { // one key at most
			return b
		}
		return commented.ReplaceAll(b, []byte("$1$2"))
	})
	for name, c := range map[string]struct {
		text string
		ok   bool
	}{
		"the reference":       {string(whole), true},
		"the least":           {"data_dir: d\n", true},
		"nothing":             {"{}\n", false},
		"an unknown key":      {"data_dir: d\nlog: {levle: info}\n", false},
		"an unknown value":    {"data_dir: d\nlog: {level: loud}\n", false},
		"a time without unit": {"data_dir: d\ndrain: soon\n", false},
		"no witness's key":    {"data_dir: d\naudit: {witnesses: [{url: 'https://w.example'}]}\n", false},
		"a sink":              {"data_dir: d\nsinks: [{name: siem, kind: http, url: 'https://siem.example'}]\n", true},
		"no such kind":        {"data_dir: d\nsinks: [{name: siem, kind: kafka, url: 'https://siem.example'}]\n", false},
		"a sink's odd key":    {"data_dir: d\nsinks: [{name: siem, kind: http, uri: 'https://siem.example'}]\n", false},
		"the wrong type":      {"data_dir: d\npass_through: a.example\n", false},
	} {
		var v any
		if err := yaml.Load([]byte(c.text), &v); err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(v); (err == nil) != c.ok {
			t.Errorf("%s: schema says %v", name, err)
		}
		if _, err := Parse("b.yaml", []byte(c.text)); (err == nil) != c.ok {
			t.Errorf("%s: load says %v", name, err)
		}
	}
}

func schemaOf(t *testing.T) map[string]any {
	defaults := new(Config)
	defaults.SetDefaults()
	values := defaults.values()
	top := map[string]any{"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "byline.yaml", "required": []string{"data_dir"}}
	sections := map[string]map[string]any{"": section(top)}
	enums := map[string][]string{"adapters.overdue": Overdue, "log.level": Levels, "log.format": Formats}
	comments := comments{}
	eachKey(reflect.TypeFor[Config](), "", nil, func(f field) {
		parent, key := "", f.path
		if i := strings.LastIndexByte(f.path, '.'); i >= 0 {
			parent, key = f.path[:i], f.path[i+1:]
		}
		s := map[string]any{"description": comments.of(t, f)}
		sections[parent]["properties"].(map[string]any)[key] = s
		if f.section {
			sections[f.path] = section(s)
			return
		}
		switch f.of.Type {
		case reflect.TypeFor[time.Duration]():
			s["type"], s["pattern"], s["default"] = "string", `^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$`, values[f.path].(time.Duration).String()
		case reflect.TypeFor[bool]():
			s["type"], s["default"] = "boolean", values[f.path]
		case reflect.TypeFor[int](), reflect.TypeFor[int64]():
			s["type"], s["default"] = "integer", values[f.path]
		case reflect.TypeFor[[]string]():
			s["type"], s["items"] = "array", map[string]any{"type": "string"}
		case reflect.TypeFor[string]():
			s["type"] = "string"
		case reflect.TypeFor[[]audit.Witness]():
			s["type"], s["items"] = "array", itemOf(t, f, comments, nil, "url", "key")
		case reflect.TypeFor[[]sinks.Config]():
			s["type"], s["items"] = "array", itemOf(t, f, comments, map[string][]string{"kind": sinks.Kinds, "format": sinks.Formats}, "name", "kind", "url")
		default:
			t.Fatalf("%s has a type that the schema does not know: %s", f.path, f.of.Type)
		}
		if e := enums[f.path]; e != nil {
			s["enum"], s["default"] = e, values[f.path]
		}
	})
	return top
}

// itemOf is the schema of one entry of a list: a struct of texts and numbers.
func itemOf(t *testing.T, f field, comments comments, enums map[string][]string, required ...string) map[string]any {
	item := section(map[string]any{"required": required})
	for i := range f.of.Type.Elem().NumField() {
		of := f.of.Type.Elem().Field(i)
		key := of.Tag.Get("yaml")
		s := map[string]any{"type": map[reflect.Kind]string{reflect.String: "string", reflect.Int: "integer"}[of.Type.Kind()],
			"description": comments.of(t, field{path: f.path + "[]." + key, in: f.of.Type.Elem(), of: of})}
		if e := enums[key]; e != nil {
			s["enum"] = e
		}
		item["properties"].(map[string]any)[key] = s
	}
	return item
}

func section(s map[string]any) map[string]any {
	s["type"], s["additionalProperties"], s["properties"] = "object", false, map[string]any{}
	return s
}

// comments are the doc comments of struct fields, by package folder, struct
// and field.
type comments map[string]map[string]string

func (c comments) of(t *testing.T, f field) string {
	t.Helper()
	dir := filepath.Join("..", strings.TrimPrefix(f.in.PkgPath(), "github.com/byline-proxy/byline/"))
	if c[dir] == nil {
		c[dir] = commentsIn(t, dir)
	}
	text := c[dir][f.in.Name()+"."+f.of.Name]
	if text == "" {
		t.Errorf("%s (%s.%s) has no comment; it is the reference manual", f.path, f.in, f.of.Name)
	}
	return text
}

func commentsIn(t *testing.T, dir string) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: no source: %v", dir, err)
	}
	out := map[string]string{}
	for _, path := range files {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			ts, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			if st, ok := ts.Type.(*ast.StructType); ok {
				for _, f := range st.Fields.List {
					for _, name := range f.Names {
						out[ts.Name.Name+"."+name.Name] = oneLine(f.Doc.Text())
					}
				}
			}
			return true
		})
	}
	return out
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
