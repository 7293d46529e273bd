package configs

import (
	"reflect"
	"strings"
	"testing"
)

func TestReferenceLoadsAndNamesEveryKey(t *testing.T) {
	if _, err := Parse("/etc/byline/byline.yaml", Reference()); err != nil {
		t.Fatal(err)
	}
	var walk func(reflect.Type)
	walk = func(ty reflect.Type) {
		for f := range ty.NumField() {
			key, _, _ := strings.Cut(ty.Field(f).Tag.Get("yaml"), ",")
			if !strings.Contains(string(reference), key+":") {
				t.Errorf("byline.yaml does not name %s", key)
			}
			if ty.Field(f).Type.Kind() == reflect.Struct {
				walk(ty.Field(f).Type)
			}
		}
	}
	walk(reflect.TypeFor[Config]())
}

func TestParse(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"the least":      {"data_dir: d\n", ""},
		"empty":          {"", "b.yaml: data_dir: is missing; name the folder that holds the server's state"},
		"unknown key":    {"data_dir: d\nlog:\n  levle: info\n", "b.yaml:3: levle: is no key here; see the reference that byline init writes"},
		"all at once":    {"data_dir: d\nlog: {level: loud}\nguard: {allow: [ten]}\n", "b.yaml:2: log.level: \"loud\" is none of [debug info warn error]\nb.yaml:3: guard.allow: entry 1, \"ten\", is no prefix; write it like 10.0.0.0/8"},
		"a room's check": {"data_dir: d\ntask:\n  max_ttl: -1s\n  default_ttl: -2s\n", "b.yaml:3: task.max_ttl: must be positive\nb.yaml:4: task.default_ttl: must be positive and at most max_ttl"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse("b.yaml", []byte(c.in))
			got := ""
			if err != nil {
				got = err.Error()
			}
			if got != c.want {
				t.Fatalf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

func TestPathsCountFromTheFile(t *testing.T) {
	c, err := Parse("/etc/byline/byline.yaml", []byte("data_dir: d\naudit: {dir: /var/a}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if c.Vault.KeyFile != "/etc/byline/d/vault.key" || c.Audit.Dir != "/var/a" {
		t.Fatalf("got %q and %q", c.Vault.KeyFile, c.Audit.Dir)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(reference)
	f.Add([]byte("data_dir: [1]\nlog: 3\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if c, err := Parse("b.yaml", text); (c == nil) == (err == nil) {
			t.Fatalf("neither or both: %v %v", c, err)
		}
	})
}
