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
	referenceFile = "../docs/adapters.md"
	schemaFile    = "../configs/adapter.schema.json"
	marker        = "<!-- From here on written by: go generate ./adapters -->\n"
)

// TestReferenceIsWhatTheCodeReads writes the reference from the structs and their comments.
func TestReferenceIsWhatTheCodeReads(t *testing.T) {
	have, err := os.ReadFile(referenceFile)
	if err != nil {
		t.Fatal(err)
	}
	byHand, _, ok := strings.Cut(string(have), marker)
	if !ok {
		t.Fatalf("%s lacks the line %q", referenceFile, marker)
	}
	matchesFile(t, referenceFile, []byte(byHand+marker+reference(t)))
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
		t.Fatalf("%s is not what the structs say (%v); write it anew: go generate ./adapters", path, err)
	}
}

// reference is a section for each struct, in the order in which they are met, and the examples.
func reference(t *testing.T) string {
	var b strings.Builder
	comments := commentsOf(t)
	b.WriteString("\n## Reference\n\nAn unknown key is an error. A default is what holds without the key; where none is given, nothing does.\n")
	var sections func(typ reflect.Type, path string)
	seen := map[reflect.Type]bool{}
	sections = func(typ reflect.Type, path string) {
		if seen[typ] {
			return
		}
		seen[typ] = true
		title, what := "an adapter", "This"
		if path != "" {
			title = "`" + path + "`"
			what = title
		}
		fmt.Fprintf(&b, "\n### %s\n\n%s\n\n| key | type | default | meaning | example |\n|---|---|---|---|---|\n", title, strings.Replace(comments[typ.Name()], typ.Name()+" ", what+" ", 1))
		for i := range typ.NumField() {
			f := typ.Field(i)
			key := f.Tag.Get("yaml")
			text := comments[typ.Name()+"."+f.Name]
			if text == "" || f.Tag.Get("eg") == "" {
				t.Errorf("%s.%s has no comment or no example; they are the reference", typ.Name(), f.Name)
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", key, typeText(f), cell(defaultText(f)), cell(strings.Replace(text, f.Name+" ", "`"+key+"` ", 1)),
				"`"+cell(strings.TrimSuffix(key+": "+f.Tag.Get("eg"), " "))+"`")
		}
		for i := range typ.NumField() {
			f := typ.Field(i)
			inner, suffix := f.Type, ""
			switch inner.Kind() {
			case reflect.Slice:
				inner, suffix = inner.Elem(), "[]"
			case reflect.Map:
				inner, suffix = inner.Elem(), ".NAME"
			}
			if inner.Kind() == reflect.Struct {
				sections(inner, join(path, f.Tag.Get("yaml"))+suffix)
			}
		}
	}
	sections(reflect.TypeFor[Spec](), "")
	b.WriteString("\n## Examples\n\nEach is driven through the whole proxy against an application that insists on its habit (`proxy/example_adapters_test.go`).\n\n| adapter | what it shows |\n|---|---|\n")
	for _, path := range examples(t) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(path)
		fmt.Fprintf(&b, "| [%s](../adapters/examples/%s) | %s |\n", strings.TrimSuffix(name, ".yaml"), name, cell(topComment(string(text))))
	}
	return b.String()
}

func examples(t *testing.T) []string {
	files, err := filepath.Glob("examples/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("no examples", err)
	}
	return files
}

// topComment is the comment that a file begins with, on one line.
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
		return "list of text"
	case reflect.Map:
		if f.Type.Elem().Kind() == reflect.Struct {
			return "names to keys, below"
		}
		return "names to text"
	}
	return "any value"
}

// structSchema is JSON Schema for one struct, with the ones in it.
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

// commentsOf are the doc comments of this package's structs ("Spec") and fields ("Spec.Name"), on one line each.
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

// kindSummaries lists the kinds for the reference: basic (RFC 7617), …
func kindSummaries() string {
	var all []string
	for _, name := range kindNames() {
		all = append(all, name+" ("+kinds[name].summary+")")
	}
	return strings.Join(all, ", ")
}
