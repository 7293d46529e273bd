package wire

import (
	"net/http"
	"slices"
	"strings"
)

// setHeader fills h with what may stand in HTTP/2 (RFC 9113 section 8.2.2).
func setHeader(h http.Header, fields []Field) error {
	for _, f := range fields {
		if m := meaningOf(f.Name); m != endToEnd && m != isContentType && !strings.EqualFold(f.Name, "proxy-authenticate") {
			continue
		}
		if checkField(f.Name, f.Value) != nil {
			return errSplit
		}
		key := http.CanonicalHeaderKey(f.Name)
		h[key] = append(h[key], f.Value)
	}
	return nil
}

func flatten(h http.Header) []Field {
	var all []Field
	for name, values := range h {
		for _, v := range values {
			if !forbiddenInTrailer(name) && checkField(name, v) == nil {
				all = append(all, Field{Name: name, Value: v})
			}
		}
	}
	sortByName(all)
	return all
}

func sortByName(fields []Field) {
	slices.SortStableFunc(fields, func(a, b Field) int { return strings.Compare(a.Name, b.Name) })
}
