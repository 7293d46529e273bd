package adapters

import (
	"bytes"
	"maps"
	"reflect"
	"slices"

	"github.com/byline-proxy/byline/adapters/internal/text"
)

// parentsOf returns the drafts of the library, or nil if no file extends one.
func parentsOf(own []Source) map[string]*draft {
	if !slices.ContainsFunc(own, func(src Source) bool { return bytes.Contains(src.Text, []byte("extends")) }) {
		return nil
	}
	parents, _ := parseLibrary(LibrarySources())
	return parents
}

// inherit fills in what the file does not say from the library adapter that it extends. It reports an adapter that is
// not in the library.
func (d *draft) inherit(library map[string]*draft) {
	name := d.spec.Extends
	if name == "" {
		return
	}
	parent := library[name]
	if parent == nil {
		d.at("extends", text.Nearest(name, slices.Sorted(maps.Keys(library))), "there is no library adapter %q", name)
		return
	}

	child, from := reflect.ValueOf(&d.spec).Elem(), reflect.ValueOf(&parent.spec).Elem()
	for i, key := range keysOf(child.Type()) {
		switch key {
		case "name", "extends", "hosts", "interim":
			// never inherited
		case "cookies", "headers", "query", "body":
			joinLists(child.Field(i), from.Field(i))
		case "actions":
			d.spec.Actions = slices.Concat(d.spec.Actions, parent.spec.Actions)
		default:
			if d.lines[key] == 0 {
				child.Field(i).Set(from.Field(i))
			}
		}
	}
}

// joinLists adds to every list of a section what the parent has there, after the file's own. A switch is on if either
// turns it on.
func joinLists(section, parent reflect.Value) {
	for i := range section.NumField() {
		own, inherited := section.Field(i), parent.Field(i)
		switch own.Kind() {
		case reflect.Slice:
			joined := reflect.Zero(own.Type()) // an array of its own: many files may extend one parent
			own.Set(reflect.AppendSlice(reflect.AppendSlice(joined, own), inherited))
		case reflect.Bool:
			own.SetBool(own.Bool() || inherited.Bool())
		default:
			panic("adapters: extends cannot join a " + own.Kind().String())
		}
	}
}
