package configs

import (
	"reflect"
	"slices"
	"strings"
)

// Changed returns the sorted paths of all keys whose values differ between c and
// other, such as log.level.
func (c *Config) Changed(other *Config) (paths []string) {
	theirs := other.values()
	for path, value := range c.values() {
		if !reflect.DeepEqual(value, theirs[path]) {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	return paths
}

// values returns the values of all settings by key path.
func (c *Config) values() map[string]any {
	values := map[string]any{}
	forEachSetting(reflect.TypeFor[Config](), func(k key) {
		values[k.path] = reflect.ValueOf(c).Elem().FieldByIndex(k.index).Interface()
	})
	return values
}

// key is one key of the file: a setting, or a section that holds further keys.
type key struct {
	path    string              // from the top level, such as audit.dir
	index   []int               // of the field in Config, for reflect.Value.FieldByIndex
	field   reflect.StructField // the field that holds the value
	owner   reflect.Type        // the struct that declares field
	section bool
}

// forEachSetting calls visit for each key that is not a section, in the order of
// the struct fields.
func forEachSetting(t reflect.Type, visit func(key)) {
	forEachKey(t, func(k key) {
		if !k.section {
			visit(k)
		}
	})
}

// forEachKey calls visit for each key, in the order of the struct fields; a
// section comes before its keys.
func forEachKey(t reflect.Type, visit func(key)) { visitKeys(t, "", nil, visit) }

func visitKeys(t reflect.Type, prefix string, index []int, visit func(key)) {
	for i := range t.NumField() {
		field := t.Field(i)
		if !field.IsExported() {
			continue
		}

		name, option, _ := strings.Cut(field.Tag.Get("yaml"), ",")
		k := key{
			path:    prefix + name,
			index:   append(slices.Clone(index), i),
			field:   field,
			owner:   t,
			section: field.Type.Kind() == reflect.Struct,
		}

		switch {
		case option == "inline":
			visitKeys(field.Type, prefix, k.index, visit)
		case k.section:
			visit(k)
			visitKeys(field.Type, k.path+".", k.index, visit)
		default:
			visit(k)
		}
	}
}
