package configs

import (
	"reflect"
	"regexp"
	"testing"

	"go.yaml.in/yaml/v4"
)

// commentedOut matches a key of the reference that is commented out because its
// default depends on another key.
var commentedOut = regexp.MustCompile(`(?m)^( *)# ([a-z_]+: .*)$`)

// TestReferenceNamesEveryKey compares whole key paths: a key of the same name in
// another section does not count.
func TestReferenceNamesEveryKey(t *testing.T) {
	complete := commentedOut.ReplaceAll(reference, []byte("$1$2"))
	var root yaml.Node
	if err := yaml.Load(complete, &root); err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	var collect func(node *yaml.Node, prefix string)
	collect = func(node *yaml.Node, prefix string) {
		for i := 0; node.Kind == yaml.MappingNode && i+1 < len(node.Content); i += 2 {
			path := prefix + node.Content[i].Value
			named[path] = true
			collect(node.Content[i+1], path+".")
		}
	}
	collect(root.Content[0], "")

	forEachKey(reflect.TypeFor[Config](), func(k key) {
		if !named[k.path] {
			t.Errorf("byline.yaml does not name %s", k.path)
		}
		delete(named, k.path)
	})
	for path := range named {
		t.Errorf("byline.yaml names %s, which is not a key", path)
	}
}

func TestReferenceStatesTheDefaults(t *testing.T) {
	stated, err := Parse("/etc/byline/byline.yaml", Reference())
	if err != nil {
		t.Fatal(err)
	}
	minimal, err := Parse("/etc/byline/byline.yaml", []byte("data_dir: data\n"))
	if err != nil {
		t.Fatal(err)
	}
	defaults := minimal.values()
	for path, got := range stated.values() {
		want := defaults[path]
		if isEmptySlice(got) && isEmptySlice(want) { // [] in the file, nil in the defaults
			continue
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: the reference says %v, the default is %v", path, got, want)
		}
	}
}

func isEmptySlice(value any) bool {
	v := reflect.ValueOf(value)
	return v.Kind() == reflect.Slice && v.Len() == 0
}
