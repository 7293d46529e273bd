package adapters

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Path returns the target of the request for one page of entries. next is "" for the first page, and
// what Page returned for each page after it. item is one item of the list of Each, or nil without
// Each; its fields are percent-encoded, so that they cannot change the rest of the path.
func (r *HistoryRead) Path(from, to time.Time, item map[string]string, next string) (string, error) {
	path, err := expandTemplate(r.Get, func(name string) (string, error) {
		switch name {
		case "from":
			return from.UTC().Format(r.timeLayout()), nil
		case "to":
			return to.UTC().Format(r.timeLayout()), nil
		}

		value := item[name]
		switch {
		case r.Each.Get == "":
			return "", fmt.Errorf("unknown variable ${%s}; without each there are only ${from} and ${to}", name)
		case value == "":
			return "", fmt.Errorf("an item of each has no %s", name)
		}
		return strings.ReplaceAll(url.QueryEscape(value), "+", "%20"), nil
	})
	return r.Next.addTo(path, next), err
}

// SamplePath returns a path like those that Path returns, with made-up fields of an item. Callers use
// it to find the action that such requests are.
func (r *HistoryRead) SamplePath(from, to time.Time) (string, error) {
	item := map[string]string{}
	_, err := expandTemplate(r.Get, func(name string) (string, error) {
		item[name] = "1"
		return "", nil
	})
	if err != nil {
		return "", err
	}
	return r.Path(from, to, item, "")
}

// timeLayout returns the layout of ${from} and ${to}.
func (r *HistoryRead) timeLayout() string {
	if r.Time == "" {
		return time.RFC3339
	}
	return r.Time
}

// Page reads one page of entries from the body of an answer. It returns the items as flat maps from
// dotted names to texts, and the next argument of Path for the page after it, which is "" after the
// last page. page counts from 1.
func (r *HistoryRead) Page(body []byte, page int) (items []map[string]string, next string, err error) {
	return readPage(body, page, r.Items, &r.Next)
}

// Path returns the target of the request for one page of the list, as [HistoryRead.Path] does for
// entries.
func (e *HistoryEach) Path(next string) string { return e.Next.addTo(e.Get, next) }

// Page reads one page of the list, as [HistoryRead.Page] does for entries.
func (e *HistoryEach) Page(body []byte, page int) (items []map[string]string, next string, err error) {
	return readPage(body, page, e.Items, &e.Next)
}

// addTo returns a path with the parameter that asks for a page after the first one.
func (n *HistoryNext) addTo(path, next string) string {
	if next == "" {
		return path
	}

	separator := "?"
	if strings.Contains(path, "?") {
		separator = "&"
	}
	return path + separator + url.QueryEscape(n.Param) + "=" + url.QueryEscape(next)
}

// readPage reads one page, whose items are at a dotted pointer. following says how the next page is
// asked for.
func readPage(body []byte, page int, pointer string, following *HistoryNext) (items []map[string]string, next string, err error) {
	answer, err := decodeJSON(body)
	if err != nil {
		return nil, "", errors.New("the answer is not JSON")
	}
	list, ok := valueAt(answer, pointer).([]any)
	if !ok {
		return nil, "", fmt.Errorf("the answer has no array at %q", pointer)
	}
	for _, item := range list {
		items = append(items, flatten(item))
	}

	switch {
	case following.JSON != "":
		next, _ = scalarText(valueAt(answer, following.JSON))
	case following.Param != "" && len(list) > 0: // pages are counted until one is empty
		next = strconv.Itoa(page + 1)
	}
	return items, next, nil
}

// ReadJSON reads a JSON value of an export into items for Interpret: one item, or those of an answer of the
// application, as log.read says. It fails if there is more than one value.
func (r *HistoryReader) ReadJSON(value []byte) ([]map[string]string, error) {
	decoder := json.NewDecoder(bytes.NewReader(value))
	decoder.UseNumber()
	var v any
	if decoder.Decode(&v) != nil {
		return nil, errors.New("it is not JSON")
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is more than one JSON value")
	}

	one := flatten(v)
	if strings.TrimSpace(r.timeOf(one)) != "" {
		return []map[string]string{one}, nil
	}
	list, isList := v.([]any)
	for i := range r.spec.Read {
		if pointer := r.spec.Read[i].Items; pointer != "" && !isList {
			list, isList = valueAt(v, pointer).([]any)
		}
	}
	if !isList {
		return []map[string]string{one}, nil
	}
	var items []map[string]string
	for _, item := range list {
		items = append(items, flatten(item))
	}
	return items, nil
}

// valueAt returns the value at a dotted pointer, v itself for "", and nil if there is none.
func valueAt(v any, pointer string) any {
	if pointer == "" {
		return v
	}
	for key := range strings.SplitSeq(pointer, ".") {
		v, _ = childOf(v, key)
	}
	return v
}

// flatten returns every text, number and boolean in v by its dotted path.
func flatten(v any) map[string]string {
	flat := map[string]string{}
	flattenInto(flat, "", v)
	return flat
}

func flattenInto(flat map[string]string, path string, v any) {
	pathOf := func(key string) string {
		if path == "" {
			return key
		}
		return path + "." + key
	}

	switch v := v.(type) {
	case map[string]any:
		for key, child := range v {
			flattenInto(flat, pathOf(key), child)
		}
	case []any:
		for i, child := range v {
			flattenInto(flat, pathOf(strconv.Itoa(i)), child)
		}
	default:
		if text, ok := scalarText(v); ok {
			flat[path] = text
		}
	}
}
