package adapters

import (
	"maps"
	"reflect"
	"slices"

	"github.com/byline-proxy/byline/adapters/internal/text"
)

// inherit fills what the file does not say from the library adapter that it extends.
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
		case "name", "extends", "hosts", "interim", "cookies", "headers", "query", "actions":
			continue
		}
		if d.lines[key] == 0 {
			child.Field(i).Set(from.Field(i))
		}
	}
	p := parent.spec
	d.spec.Cookies.Hold = slices.Concat(d.spec.Cookies.Hold, p.Cookies.Hold)
	d.spec.Cookies.Pass = slices.Concat(d.spec.Cookies.Pass, p.Cookies.Pass)
	d.spec.Cookies.Mask = slices.Concat(d.spec.Cookies.Mask, p.Cookies.Mask)
	d.spec.Cookies.Person = slices.Concat(d.spec.Cookies.Person, p.Cookies.Person)
	d.spec.Headers.Strip = slices.Concat(d.spec.Headers.Strip, p.Headers.Strip)
	d.spec.Headers.Pass = slices.Concat(d.spec.Headers.Pass, p.Headers.Pass)
	d.spec.Query.Strip = slices.Concat(d.spec.Query.Strip, p.Query.Strip)
	d.spec.Query.Pass = slices.Concat(d.spec.Query.Pass, p.Query.Pass)
	d.spec.Query.Semicolon = d.spec.Query.Semicolon || p.Query.Semicolon
	d.spec.Actions = slices.Concat(d.spec.Actions, p.Actions)
}
