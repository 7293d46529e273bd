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

The configuration is one file, named by ` + "`--config`" + ` or ` + "`BYLINE_CONFIG`" + `, ` + "`byline.yaml`" + ` otherwise. ` + "`byline init`" + ` writes a commented one, and
` + "`byline check`" + ` reads it, and every file that it names, as a server would, without starting anything.

- Paths count from the folder of the file. Durations are written like ` + "`30s`, `5m` or `1h30m`" + `.
- An unknown key, a key twice or a value of the wrong kind is an error. All problems of all files are listed at once, each
  with file and line; a server with a problem does not start, and a running one keeps what was in force.
- ` + "`adapters.*`, `policy.*` and `pass_through`" + ` take effect at a reload: within seconds of a change, or at SIGHUP. Every other key
  takes effect at the next start; the log names those that changed.
- [configs/byline.schema.json](../configs/byline.schema.json) is the same for editors: put
  ` + "`# yaml-language-server: $schema=…/byline.schema.json`" + ` into the first line.

This page is made from the comments of the code and cannot say anything else: ` + "`go test ./configs -run Page -update`" + `.
`

// TestConfigurationPageIsWhatTheCodeReads makes docs/configuration.md from the
// structs, their comments and their defaults.
func TestConfigurationPageIsWhatTheCodeReads(t *testing.T) {
	defaults := &Config{DataDir: "data"}
	defaults.SetDefaults()
	values, comments := defaults.values(), comments{}
	var top, sections strings.Builder
	eachKey(reflect.TypeFor[Config](), "", nil, func(f field) {
		if f.section {
			fmt.Fprintf(&sections, "\n## %s\n\n%s\n\n| key | default | |\n|---|---|---|\n", f.path, comments.of(t, f))
			return
		}
		to := &top
		if strings.Contains(f.path, ".") {
			to = &sections
		}
		fmt.Fprintf(to, "| `%s` | %s | %s |\n", f.path, written(values[f.path], f.path), strings.ReplaceAll(comments.of(t, f), "|", "\\|"))
		if item := f.of.Type; item.Kind() == reflect.Slice && item.Elem().Kind() == reflect.Struct {
			for i := range item.Elem().NumField() {
				of := item.Elem().Field(i)
				key := f.path + "[]." + of.Tag.Get("yaml")
				fmt.Fprintf(to, "| `%s` | | %s |\n", key, strings.ReplaceAll(comments.of(t, field{path: key, in: item.Elem(), of: of}), "|", "\\|"))
			}
		}
	})
	page := []byte(pageHead + "\n## The top level\n\n| key | default | |\n|---|---|---|\n" + top.String() + sections.String())
	if *update {
		if err := os.WriteFile(pageFile, page, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(pageFile)
	if err != nil || !bytes.Equal(have, page) {
		t.Fatalf("%s is not what the structs say (%v); write it anew: go test ./configs -run Page -update", pageFile, err)
	}
}

// written is a default as it is written in the file; nothing for what has none.
func written(v any, path string) string {
	switch v := v.(type) {
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
	return fmt.Sprintf("`%v`", v)
}
