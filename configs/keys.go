package configs

import (
	"reflect"
	"slices"
	"strings"
)

// Changed lists the key paths, sorted, whose values differ between c and other.
func (c *Config) Changed(other *Config) (paths []string) {
	mine, theirs := c.values(), other.values()
	for path, v := range mine {
		if !reflect.DeepEqual(v, theirs[path]) {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	return paths
}

// values are all settings by key path, like log.level.
func (c *Config) values() map[string]any {
	out := map[string]any{}
	each(reflect.TypeFor[Config](), "", nil, func(f field) {
		out[f.path] = reflect.ValueOf(c).Elem().FieldByIndex(f.index).Interface()
	})
	return out
}

// field is one key of the file, section or setting.
type field struct {
	path    string
	index   []int // for reflect's FieldByIndex
	of      reflect.StructField
	in      reflect.Type
	section bool
}

// each visits every setting below t, parents before what they hold, in the
// order of the structs.
func each(t reflect.Type, prefix string, index []int, visit func(field)) {
	eachKey(t, prefix, index, func(f field) {
		if !f.section {
			visit(f)
		}
	})
}

// eachKey is each with the sections too.
func eachKey(t reflect.Type, prefix string, index []int, visit func(field)) {
	for i := range t.NumField() {
		sf := t.Field(i)
		key, option, _ := strings.Cut(sf.Tag.Get("yaml"), ",")
		at := append(slices.Clone(index), i)
		switch {
		case !sf.IsExported():
		case option == "inline":
			eachKey(sf.Type, prefix, at, visit)
		case sf.Type.Kind() == reflect.Struct:
			visit(field{prefix + key, at, sf, t, true})
			eachKey(sf.Type, prefix+key+".", at, visit)
		default:
			visit(field{prefix + key, at, sf, t, false})
		}
	}
}
