package configs

import (
	"reflect"
	"regexp"
	"testing"

	"go.yaml.in/yaml/v4"
)

// commented is a key of the reference that is commented out because its
// default hangs on another one.
var commented = regexp.MustCompile(`(?m)^( *)# ([a-z_]+: .*)$`)

// TestReferenceNamesEveryKey walks the tree by path: a key of the same name in
// another section does not count.
func TestReferenceNamesEveryKey(t *testing.T) {
	whole := commented.ReplaceAll(reference, []byte("$1$2"))
	var top yaml.Node
	if err := yaml.Load(whole, &top); err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	var walk func(*yaml.Node, string)
	walk = func(n *yaml.Node, path string) {
		for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
			key := path + n.Content[i].Value
			named[key] = true
			walk(n.Content[i+1], key+".")
		}
	}
	walk(top.Content[0], "")
	eachKey(reflect.TypeFor[Config](), "", nil, func(f field) {
		if !named[f.path] {
			t.Errorf("byline.yaml does not name %s", f.path)
		}
		delete(named, f.path)
	})
	for path := range named {
		t.Errorf("byline.yaml names %s, which there is not", path)
	}
}

// TestReferenceStatesTheDefaults holds its second line.
func TestReferenceStatesTheDefaults(t *testing.T) {
	stated, err := Parse("/etc/byline/byline.yaml", Reference())
	if err != nil {
		t.Fatal(err)
	}
	least, err := Parse("/etc/byline/byline.yaml", []byte("data_dir: data\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := least.values()
	for path, got := range stated.values() {
		if v := reflect.ValueOf(got); v.Kind() == reflect.Slice && v.Len() == 0 && reflect.ValueOf(want[path]).Len() == 0 {
			continue
		}
		if !reflect.DeepEqual(got, want[path]) {
			t.Errorf("%s: the reference says %v, the default is %v", path, got, want[path])
		}
	}
}
