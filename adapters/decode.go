package adapters

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"

	"go.yaml.in/yaml/v4"

	"github.com/byline-proxy/byline/adapters/internal/text"
)

// decoder fills a Spec from YAML nodes. The struct decoder of the library is not used, so that every level is strict,
// every value has its line, and every problem is found in one run.
type decoder struct {
	file  string
	lines map[string]int // "actions[2].match.path" → line
	found Problems
}

// maxDepth bounds the nesting of a file. No adapter comes near it.
const maxDepth = 32

func (d *decoder) problem(line int, hint, format string, args ...any) {
	d.found = append(d.found, Problem{File: d.file, Line: line, What: fmt.Sprintf(format, args...), Hint: hint})
}

// decode sets v to what the node says, and reports what is wrong with it. path is the key of the node, "" at the top.
func (d *decoder) decode(n *yaml.Node, v reflect.Value, path string, depth int) {
	d.lines[path] = n.Line
	if depth > maxDepth {
		d.problem(n.Line, "", "%s is nested too deeply", path)
		return
	}
	if n.Kind == yaml.AliasNode || n.Anchor != "" {
		d.problem(n.Line, "write the value out", "%s uses an anchor or alias", orTop(path))
		return
	}

	switch v.Kind() {
	case reflect.Struct:
		d.decodeStruct(n, v, path, depth)
	case reflect.Map:
		d.decodeMap(n, v, path, depth)
	case reflect.Slice:
		d.decodeSlice(n, v, path, depth)
	case reflect.Interface:
		if x := d.decodeAny(n, path, depth); x != nil {
			v.Set(reflect.ValueOf(x))
		}
	default:
		d.decodeScalar(n, v, path)
	}
}

func (d *decoder) decodeStruct(n *yaml.Node, v reflect.Value, path string, depth int) {
	if n.Kind != yaml.MappingNode {
		d.problem(n.Line, "", "%s must be a mapping of keys", orTop(path))
		return
	}

	known := keysOf(v.Type())
	for key, value := range d.pairs(n, path) {
		i := slices.Index(known, key.Value)
		if i < 0 {
			d.problem(key.Line, text.Nearest(key.Value, known), "unknown key %q in %s", key.Value, orTop(path))
			continue
		}
		d.decode(value, v.Field(i), join(path, key.Value), depth+1)
	}

	if path == "" {
		return // check reports missing keys at the top: a file that extends another one may leave them out
	}
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if f.Tag.Get("need") == "yes" && d.lines[join(path, known[i])] == 0 {
			d.problem(n.Line, "for example "+known[i]+": "+f.Tag.Get("eg"), "%s lacks %s", path, known[i])
		}
	}
}

func (d *decoder) decodeMap(n *yaml.Node, v reflect.Value, path string, depth int) {
	if n.Kind != yaml.MappingNode {
		d.problem(n.Line, "", "%s must be a mapping of names", path)
		return
	}

	v.Set(reflect.MakeMap(v.Type()))
	for key, value := range d.pairs(n, path) {
		element := reflect.New(v.Type().Elem()).Elem()
		d.decode(value, element, join(path, key.Value), depth+1)
		v.SetMapIndex(reflect.ValueOf(key.Value), element)
	}
}

// decodeSlice also takes one value without a list, where the type says so.
func (d *decoder) decodeSlice(n *yaml.Node, v reflect.Value, path string, depth int) {
	single := v.Type() == reflect.TypeFor[Strings]() || v.Type() == reflect.TypeFor[Ints]()
	if n.Kind == yaml.ScalarNode && single {
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		d.decodeScalar(n, v.Index(0), path)
		return
	}
	if n.Kind != yaml.SequenceNode {
		d.problem(n.Line, "", "%s must be a list", path)
		return
	}

	v.Set(reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content)))
	for i, item := range n.Content {
		d.decode(item, v.Index(i), fmt.Sprintf("%s[%d]", path, i), depth+1)
	}
}

// decodeScalar takes numbers and booleans for text where text is wanted, as they are written.
func (d *decoder) decodeScalar(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.ScalarNode || n.ShortTag() == "!!null" {
		d.problem(n.Line, "", "%s must be a single value", path)
		return
	}

	switch v.Kind() {
	case reflect.String:
		v.SetString(n.Value)
	case reflect.Bool:
		if n.Value != "true" && n.Value != "false" {
			d.problem(n.Line, "", "%s must be true or false, not %q", path, n.Value)
			return
		}
		v.SetBool(n.Value == "true")
	case reflect.Int:
		i, err := strconv.Atoi(n.Value)
		if err != nil {
			d.problem(n.Line, "", "%s must be a whole number, not %q", path, n.Value)
			return
		}
		v.SetInt(int64(i))
	}
}

// decodeAny returns a value in the shape of JSON: objects, lists, strings, numbers, booleans, null.
func (d *decoder) decodeAny(n *yaml.Node, path string, depth int) any {
	d.lines[path] = n.Line
	if depth > maxDepth || n.Kind == yaml.AliasNode || n.Anchor != "" {
		d.problem(n.Line, "write the value out", "%s is nested too deeply or uses an alias", path)
		return nil
	}

	switch n.Kind {
	case yaml.MappingNode:
		object := map[string]any{}
		for key, value := range d.pairs(n, path) {
			object[key.Value] = d.decodeAny(value, join(path, key.Value), depth+1)
		}
		return object
	case yaml.SequenceNode:
		list := make([]any, len(n.Content))
		for i, item := range n.Content {
			list[i] = d.decodeAny(item, fmt.Sprintf("%s[%d]", path, i), depth+1)
		}
		return list
	}
	return d.decodeAnyScalar(n, path)
}

// decodeAnyScalar refuses numbers that JSON cannot write, as infinity.
func (d *decoder) decodeAnyScalar(n *yaml.Node, path string) any {
	switch n.ShortTag() {
	case "!!null":
		return nil
	case "!!bool":
		return n.Value == "true"
	case "!!int":
		if i, err := strconv.ParseInt(n.Value, 10, 64); err == nil {
			return i
		}
		d.problem(n.Line, "quote it to make it text", "%s: %q is not a JSON number", path, n.Value)
	case "!!float":
		if f, err := strconv.ParseFloat(n.Value, 64); err == nil && f-f == 0 {
			return f
		}
		d.problem(n.Line, "quote it to make it text", "%s: %q is not a JSON number", path, n.Value)
	}
	return n.Value
}

// pairs yields the keys and values of a mapping. It reports keys that are not plain text or come twice, and leaves them
// out.
func (d *decoder) pairs(n *yaml.Node, path string) func(func(k, v *yaml.Node) bool) {
	return func(yield func(k, v *yaml.Node) bool) {
		seen := map[string]int{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i]
			if key.Kind != yaml.ScalarNode {
				d.problem(key.Line, "", "a key of %s is not plain text", orTop(path))
				continue
			}
			if first, twice := seen[key.Value]; twice {
				d.problem(key.Line, "", "key %q of %s was already given on line %d", key.Value, orTop(path), first)
				continue
			}
			seen[key.Value] = key.Line

			if !yield(key, n.Content[i+1]) {
				return
			}
		}
	}
}

// keysOf lists the YAML keys of a struct, in the order of its fields.
func keysOf(t reflect.Type) []string {
	keys := make([]string, t.NumField())
	for i := range keys {
		keys[i] = t.Field(i).Tag.Get("yaml")
	}
	return keys
}

// join is the path of a key below another one.
func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// orTop is what problems call a path.
func orTop(path string) string {
	if path == "" {
		return "the adapter"
	}
	return path
}
