package adapters

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Path is the target of the request for one page of entries; next is "" for the
// first page and what Page returned after that. item is one of those that Each
// lists: its fields are percent-encoded, so that none of them leaves its place.
func (r *HistoryRead) Path(from, to time.Time, item map[string]string, next string) (string, error) {
	path, err := expandTemplate(r.Get, func(name string) (string, error) {
		switch name {
		case "from":
			return from.UTC().Format(r.layout()), nil
		case "to":
			return to.UTC().Format(r.layout()), nil
		}
		switch value := item[name]; {
		case r.Each.Get == "":
			return "", fmt.Errorf("there is no ${%s} here, only ${from} and ${to}", name)
		case value == "":
			return "", fmt.Errorf("an item of each has no %s", name)
		default:
			return strings.ReplaceAll(url.QueryEscape(value), "+", "%20"), nil
		}
	})
	return r.Next.page(path, next), err
}

// SamplePath is a path like those of [HistoryRead.Path], to find the action that names
// them.
func (r *HistoryRead) SamplePath(from, to time.Time) (string, error) {
	item := map[string]string{}
	if _, err := expandTemplate(r.Get, func(name string) (string, error) { item[name] = "1"; return "", nil }); err != nil {
		return "", err
	}
	return r.Path(from, to, item, "")
}

// Path is the target of the request for one page of the list, as in [HistoryRead.Path].
func (e *HistoryEach) Path(next string) string { return e.Next.page(e.Get, next) }

// Page reads one page of the list, as [HistoryRead.Page] does.
func (e *HistoryEach) Page(body []byte, page int) (items []map[string]string, next string, err error) {
	return readPage(body, page, e.Items, &e.Next)
}

// page is path with what asks for one more page.
func (n *HistoryNext) page(path, next string) string {
	if next == "" {
		return path
	}
	separator := "?"
	if strings.Contains(path, "?") {
		separator = "&"
	}
	return path + separator + url.QueryEscape(n.Param) + "=" + url.QueryEscape(next)
}

// layout is a layout of package time; RFC 3339 unless the adapter says otherwise.
func (r *HistoryRead) layout() string {
	if r.Time == "" {
		return time.RFC3339
	}
	return r.Time
}

// Page reads one page: its items as flat maps of dotted names to texts, and
// what asks for the next page; "" after the last. page counts from 1.
func (r *HistoryRead) Page(body []byte, page int) (items []map[string]string, next string, err error) {
	return readPage(body, page, r.Items, &r.Next)
}

func readPage(body []byte, page int, pointer string, following *HistoryNext) (items []map[string]string, next string, err error) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var answer any
	if err := decoder.Decode(&answer); err != nil {
		return nil, "", errors.New("the answer is not JSON")
	}
	list, ok := at(answer, pointer).([]any)
	if !ok {
		return nil, "", fmt.Errorf("the answer has no array at %q", pointer)
	}
	for _, item := range list {
		flat := map[string]string{}
		flatten(item, "", flat)
		items = append(items, flat)
	}
	switch {
	case following.JSON != "":
		flat := map[string]string{}
		flatten(at(answer, following.JSON), "next", flat)
		next = flat["next"]
	case following.Param != "" && len(list) > 0:
		next = strconv.Itoa(page + 1)
	}
	return items, next, nil
}

// at follows a dotted pointer; nil when there is nothing there.
func at(v any, pointer string) any {
	if pointer == "" {
		return v
	}
	for key := range strings.SplitSeq(pointer, ".") {
		switch here := v.(type) {
		case map[string]any:
			v = here[key]
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i < 0 || i >= len(here) {
				return nil
			}
			v = here[i]
		default:
			return nil
		}
	}
	return v
}

// flatten names every text, number and boolean below v by its dotted path.
func flatten(v any, path string, into map[string]string) {
	join := func(key string) string {
		if path == "" {
			return key
		}
		return path + "." + key
	}
	switch v := v.(type) {
	case map[string]any:
		for key, below := range v {
			flatten(below, join(key), into)
		}
	case []any:
		for i, below := range v {
			flatten(below, join(strconv.Itoa(i)), into)
		}
	case string:
		into[path] = v
	case json.Number, bool:
		into[path] = fmt.Sprint(v)
	}
}

// FlattenLine is the form of one line of a JSON-lines export that [HistorySpec.Interpret]
// takes.
func FlattenLine(line []byte) (map[string]string, error) {
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.UseNumber()
	var v any
	if err := decoder.Decode(&v); err != nil {
		return nil, errors.New("the line is not JSON")
	}
	flat := map[string]string{}
	flatten(v, "", flat)
	return flat, nil
}
