package adapters

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

const (
	referenceFile = "../docs/adapters-reference.md"
	schemaFile    = "../configs/adapter.schema.json"
)

const referenceHead = `# Adapter reference

Every key that an adapter may have. [adapters.md](adapters.md) is the tutorial. An unknown key is an error. The default of a
key applies if the key is absent; – means that the key then has no effect. [configs/adapter.schema.json](../configs/adapter.schema.json)
describes the same keys to editors.

This page is generated from the comments in the code: ` + "`go generate ./adapters`" + `.
`

const examplesHead = `
## Examples

` + "`proxy/example_adapters_test.go`" + ` drives each example through the whole proxy against an application that behaves as described.

| adapter | what it shows |
|---|---|
`

// TestReferenceIsWhatTheCodeReads generates docs/adapters-reference.md from the structs and their
// comments, and compares it with the file.
func TestReferenceIsWhatTheCodeReads(t *testing.T) {
	matchesFile(t, referenceFile, []byte(reference(t)))
}

func TestReferenceSchemaIsWhatTheCodeReads(t *testing.T) {
	top := structSchema(t, reflect.TypeFor[Spec](), commentsOf(t))
	top["$schema"], top["title"] = "https://json-schema.org/draft/2020-12/schema", "adapter"
	top["required"] = []string{"name", "hosts", "interim"}
	top["anyOf"] = []any{map[string]any{"required": []string{"extends"}}, map[string]any{"required": []string{"login", "actions"}}}
	text, err := json.MarshalIndent(top, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	matchesFile(t, schemaFile, append(text, '\n'))
}

func matchesFile(t *testing.T, path string, want []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(have, want) {
		t.Fatalf("%s differs from the comments in the code (error: %v); generate it: go generate ./adapters", path, err)
	}
}

// reference returns the page: a section for each struct, in the order in which the language
// refers to them, and the examples.
func reference(t *testing.T) string {
	comments := commentsOf(t)
	seen := map[reflect.Type]bool{}
	var page strings.Builder
	page.WriteString(referenceHead)

	var writeSections func(typ reflect.Type, path string)
	writeSections = func(typ reflect.Type, path string) {
		if seen[typ] {
			return
		}
		seen[typ] = true

		writeSectionHead(&page, typ, path, comments)
		for i := range typ.NumField() {
			writeRow(t, &page, typ, typ.Field(i), comments)
		}

		for i := range typ.NumField() {
			field := typ.Field(i)
			inner, suffix := field.Type, ""
			switch inner.Kind() {
			case reflect.Slice:
				inner, suffix = inner.Elem(), "[]"
			case reflect.Map:
				inner, suffix = inner.Elem(), ".NAME"
			}
			if inner.Kind() == reflect.Struct {
				writeSections(inner, join(path, field.Tag.Get("yaml"))+suffix)
			}
		}
	}
	writeSections(reflect.TypeFor[Spec](), "")
	writeBuiltIn(&page)

	page.WriteString(examplesHead)
	for _, path := range examples(t) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(path)
		fmt.Fprintf(&page, "| [%s](../adapters/examples/%s) | %s |\n", strings.TrimSuffix(name, ".yaml"), name, cell(topComment(string(text))))
	}
	return page.String()
}

// writeSectionHead writes the title and the comment of a struct, and the head of its table. path is
// where the struct is in the file, "" for the whole of it.
func writeSectionHead(page *strings.Builder, typ reflect.Type, path string, comments map[string]string) {
	title, subject := "The whole file", "This"
	if path != "" {
		title = "`" + path + "`"
		subject = title
	}
	comment := strings.Replace(comments[typ.Name()], typ.Name()+" ", subject+" ", 1)
	fmt.Fprintf(page, "\n## %s\n\n%s\n\n| key | type | default | meaning | example |\n|---|---|---|---|---|\n", title, comment)
}

func writeRow(t *testing.T, page *strings.Builder, typ reflect.Type, field reflect.StructField, comments map[string]string) {
	t.Helper()
	key, example := field.Tag.Get("yaml"), field.Tag.Get("eg")
	comment := comments[typ.Name()+"."+field.Name]
	if comment == "" || example == "" {
		t.Errorf("%s.%s has no comment or no example, which the reference needs", typ.Name(), field.Name)
	}

	meaning := strings.Replace(comment, field.Name+" ", "`"+key+"` ", 1)
	fmt.Fprintf(page, "| `%s` | %s | %s | %s | `%s` |\n", key, typeText(field), cell(defaultText(field)), cell(meaning),
		cell(strings.TrimSuffix(key+": "+example, " ")))
}

func examples(t *testing.T) []string {
	files, err := filepath.Glob("examples/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("no examples", err)
	}
	return files
}

// topComment returns the comment at the head of a file, on one line.
func topComment(text string) string {
	var words []string
	for line := range strings.Lines(text) {
		rest, ok := strings.CutPrefix(line, "#")
		if !ok {
			break
		}
		words = append(words, strings.Fields(rest)...)
	}
	return strings.Join(words, " ")
}

func cell(s string) string { return strings.ReplaceAll(s, "|", "\\|") }

func defaultText(f reflect.StructField) string {
	if f.Tag.Get("need") == "yes" {
		return "must be given"
	}
	if d := f.Tag.Get("def"); d != "" {
		return d
	}
	if f.Type.Kind() == reflect.Bool {
		return "false"
	}
	return "–"
}

func typeText(f reflect.StructField) string {
	if one := choicesOf(f); one != nil {
		return "one of " + strings.Join(one, ", ")
	}
	switch f.Type {
	case reflect.TypeFor[Strings]():
		return "text or a list of it"
	case reflect.TypeFor[Ints]():
		return "number or a list of them"
	}
	switch f.Type.Kind() {
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "true or false"
	case reflect.Int:
		return "number"
	case reflect.Struct:
		return "keys, below"
	case reflect.Slice:
		if f.Type.Elem().Kind() == reflect.Struct {
			return "list of keys, below"
		}
		if f.Type.Elem().Kind() == reflect.Map {
			return "list of names to text"
		}
		return "list of text"
	case reflect.Map:
		if f.Type.Elem().Kind() == reflect.Struct {
			return "names to keys, below"
		}
		return "names to text"
	}
	return "any value"
}

// structSchema returns the JSON Schema of a struct and of the structs in it.
func structSchema(t *testing.T, typ reflect.Type, comments map[string]string) map[string]any {
	properties, required := map[string]any{}, []string{}
	for i := range typ.NumField() {
		f := typ.Field(i)
		s := typeSchema(t, f.Type, comments)
		s["description"] = strings.Replace(comments[typ.Name()+"."+f.Name], f.Name+" ", f.Tag.Get("yaml")+" ", 1)
		if one := choicesOf(f); one != nil {
			s = map[string]any{"enum": one, "description": s["description"]}
		}
		var eg any
		if err := yaml.Load([]byte(f.Tag.Get("eg")), &eg); err == nil && eg != nil {
			s["examples"] = []any{eg}
		}
		properties[f.Tag.Get("yaml")] = s
		if f.Tag.Get("need") == "yes" {
			required = append(required, f.Tag.Get("yaml"))
		}
	}
	s := map[string]any{"type": "object", "additionalProperties": false, "properties": properties}
	if len(required) > 0 {
		s["required"] = required
	}
	return s
}

func typeSchema(t *testing.T, typ reflect.Type, comments map[string]string) map[string]any {
	text := map[string]any{"type": []string{"string", "number", "boolean"}} // YAML reads 7 and true as what they look like
	switch typ {
	case reflect.TypeFor[Strings]():
		return map[string]any{"anyOf": []any{text, map[string]any{"type": "array", "items": text}}}
	case reflect.TypeFor[Ints]():
		number := map[string]any{"type": "integer"}
		return map[string]any{"anyOf": []any{number, map[string]any{"type": "array", "items": number}}}
	}
	switch typ.Kind() {
	case reflect.String:
		return text
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Int:
		return map[string]any{"type": "integer"}
	case reflect.Interface:
		return map[string]any{}
	case reflect.Struct:
		return structSchema(t, typ, comments)
	case reflect.Slice:
		return map[string]any{"type": "array", "items": typeSchema(t, typ.Elem(), comments)}
	case reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": typeSchema(t, typ.Elem(), comments)}
	}
	t.Fatalf("no schema for %s", typ)
	return nil
}

// commentsOf returns the doc comments of the structs of this package ("Spec") and of their fields
// ("Spec.Name"), each on one line.
func commentsOf(t *testing.T) map[string]string {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	files = slices.DeleteFunc(files, func(f string) bool { return strings.HasSuffix(f, "_test.go") })

	out := map[string]string{}
	for _, path := range files {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}

		for _, decl := range file.Decls {
			g, ok := decl.(*ast.GenDecl)
			if !ok || g.Tok != token.TYPE {
				continue
			}
			for _, spec := range g.Specs {
				ts := spec.(*ast.TypeSpec)
				st, ok := ts.Type.(*ast.StructType)
				if !ok {
					continue
				}
				out[ts.Name.Name] = strings.Join(strings.Fields(g.Doc.Text()), " ")
				for _, f := range st.Fields.List {
					for _, name := range f.Names {
						out[ts.Name.Name+"."+name.Name] = strings.Join(strings.Fields(f.Doc.Text()), " ")
					}
				}
			}
		}
	}

	out["LoginSpec.Kind"] = strings.TrimSuffix(out["LoginSpec.Kind"], ".") + ": " + kindSummaries() + "."
	return out
}

// kindSummaries lists the login kinds for the reference: basic (RFC 7617), …
func kindSummaries() string {
	var all []string
	for _, name := range kindNames() {
		all = append(all, name+" ("+kinds[name].summary+")")
	}
	return strings.Join(all, ", ")
}
