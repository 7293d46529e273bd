package body

import (
	"slices"
	"strconv"
	"strings"
)

// phpEntries are entries under the names that PHP gives them, where a later one takes
// the place of an earlier one (php_register_variable_ex in main/php_variables.c).
func phpEntries(entries []entry) []entry {
	root := &phpArray{index: map[string]int{}}
	for _, e := range entries {
		path := phpName(string(e[0]))
		if len(path) > 0 {
			root.set(path, e)
		}
	}
	return root.entries(nil)
}

type phpArray struct {
	keys  []string
	index map[string]int
	items []any // entry or *phpArray
	next  int
}

func phpName(name string) (path []string) {
	name = strings.TrimLeft(name, " ")
	base, rest := name, ""
	if i := strings.IndexByte(name, '['); i >= 0 {
		base, rest = name[:i], name[i:]
	}
	if base == "" {
		return nil
	}
	path = append(path, strings.NewReplacer(" ", "_", ".", "_").Replace(base))
	for strings.HasPrefix(rest, "[") {
		key, after, closed := strings.Cut(rest[1:], "]")
		if !closed {
			if len(path) == 1 { // no array after all
				return []string{path[0] + "_" + strings.NewReplacer(" ", "_", ".", "_", "[", "_").Replace(rest[1:])}
			}
			break
		}
		if len(key) == 1 && strings.Contains(" \t\r\n\v\f", key) {
			key = "" // which PHP takes for no key
		}
		path, rest = append(path, key), after
	}
	return path
}

func (a *phpArray) set(path []string, e entry) {
	key := path[0]
	if key == "" {
		key = strconv.Itoa(a.next)
	}
	if n, err := strconv.Atoi(key); err == nil && strconv.Itoa(n) == key && n >= a.next {
		a.next = n + 1
	}
	at, known := a.index[key]
	if !known {
		at = len(a.items)
		a.index[key], a.keys, a.items = at, append(a.keys, key), append(a.items, nil)
	}
	if len(path) == 1 {
		a.items[at] = e
		return
	}
	inner, ok := a.items[at].(*phpArray)
	if !ok {
		inner = &phpArray{index: map[string]int{}}
		a.items[at] = inner
	}
	inner.set(path[1:], e)
}

func (a *phpArray) entries(path []string) (all []entry) {
	for i, item := range a.items {
		at := append(slices.Clone(path), a.keys[i])
		switch item := item.(type) {
		case entry:
			e := slices.Clone(item)
			e[0] = hexText(strings.Join(at, "\x00"))
			all = append(all, e)
		case *phpArray:
			all = append(all, item.entries(at)...)
		}
	}
	return all
}
