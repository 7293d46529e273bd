package configs

import (
	"bytes"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"
)

const pageFile = "../docs/configuration.md"

const pageHead = `# byline.yaml

The configuration is one file: the one that ` + "`--config`" + ` or ` + "`BYLINE_CONFIG`" + ` names, or else ` + "`byline.yaml`" + `. ` + "`byline init`" + ` writes a commented file.
` + "`byline check`" + ` reads it and every file that it names, exactly as a server would, without starting anything.

- Relative paths are resolved against the directory of the file. Durations are written like ` + "`30s`, `5m` or `1h30m`" + `.
- An unknown key, a repeated key or a value of the wrong type is an error. All problems in all files are reported at once, each
  with its file and line. A server does not start with a problem; a running server keeps the configuration in force.
- ` + "`adapters.*`, `policy.*` and `pass_through`" + ` take effect on a reload: within seconds of a change, or on SIGHUP. All other keys
  take effect at the next start; the log names those that have changed.
- [configs/byline.schema.json](../configs/byline.schema.json) describes the same keys to editors: put
  ` + "`# yaml-language-server: $schema=…/byline.schema.json`" + ` into the first line of the file.

This page is generated from the comments in the code: ` + "`go test ./configs -run Page -update`" + `.
`

// TestConfigurationPageMatchesTheCode generates docs/configuration.md from the
// structs, their comments and their defaults, and compares it with the file.
func TestConfigurationPageMatchesTheCode(t *testing.T) {
	const tableHead = "| key | default | |\n|---|---|---|\n"
	defaults := &Config{DataDir: "data"}
	defaults.SetDefaults()
	values := defaults.values()
	comments := comments{}

	var top, sections strings.Builder
	forEachKey(reflect.TypeFor[Config](), func(k key) {
		if k.section {
			fmt.Fprintf(&sections, "\n## %s\n\n%s\n\n%s", k.path, comments.of(t, k), tableHead)
			return
		}
		table := &top
		if strings.Contains(k.path, ".") {
			table = &sections
		}
		fmt.Fprintf(table, "| `%s` | %s | %s |\n", k.path, inCode(values[k.path], k.path), escapeCell(comments.of(t, k)))

		entry := k.field.Type
		if entry.Kind() != reflect.Slice || entry.Elem().Kind() != reflect.Struct {
			return
		}
		for _, item := range entryKeys(k) {
			fmt.Fprintf(table, "| `%s` | | %s |\n", item.path, escapeCell(comments.of(t, item)))
		}
	})

	page := []byte(pageHead + "\n## Top level\n\n" + tableHead + top.String() + sections.String())
	if *update {
		if err := os.WriteFile(pageFile, page, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	file, err := os.ReadFile(pageFile)
	if err != nil || !bytes.Equal(file, page) {
		t.Fatalf("%s differs from the comments in the code (error: %v); generate it: go test ./configs -run Page -update", pageFile, err)
	}
}

// entryKeys returns the keys of one entry of a list of structs.
func entryKeys(list key) []key {
	entry := list.field.Type.Elem()
	keys := make([]key, entry.NumField())
	for i := range keys {
		field := entry.Field(i)
		keys[i] = key{path: list.path + "[]." + field.Tag.Get("yaml"), field: field, owner: entry}
	}
	return keys
}

// inCode returns a default as it is written in the file, or "" if there is none.
func inCode(value any, path string) string {
	switch v := value.(type) {
	case time.Duration:
		return "`" + v.String() + "`"
	case string:
		if v == "" || path == "data_dir" {
			return ""
		}
		return "`" + v + "`"
	case []string:
		return "`[]`"
	}
	return fmt.Sprintf("`%v`", value)
}

func escapeCell(text string) string { return strings.ReplaceAll(text, "|", "\\|") }
