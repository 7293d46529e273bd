package h1

import (
	"net/http"
	"slices"
	"strings"

	"github.com/byline-proxy/byline/proxy/wire"
)

// AddToHeader adds to h those fields that may be in a message of HTTP/2 (RFC 9113
// section 8.2.2). It fails for a field that CheckField refuses.
func AddToHeader(h http.Header, fields []wire.Field) error {
	values := make([]string, len(fields)) // of which each name gets a part; most names come once
	for i, f := range fields {
		if !passesOn(f.Name) {
			continue
		}
		if CheckField(f.Name, f.Value) != nil {
			return errFieldSplits
		}
		key := http.CanonicalHeaderKey(f.Name)
		if h[key] == nil {
			values[i] = f.Value
			h[key] = values[i : i+1 : i+1]
			continue
		}
		h[key] = append(h[key], f.Value)
	}
	return nil
}

// TrailerFields returns the fields of a trailer, sorted by name. It leaves out what
// must not come after a body and what CheckField refuses.
func TrailerFields(trailer http.Header) []wire.Field {
	var fields []wire.Field
	for name, values := range trailer {
		for _, v := range values {
			if !ForbiddenInTrailer(name) && CheckField(name, v) == nil {
				fields = append(fields, wire.Field{Name: name, Value: v})
			}
		}
	}
	SortFields(fields)
	return fields
}

// SortFields sorts fields by name. Fields of one name stay in their order. The order
// of names in an http.Header is random; a fixed order keeps records and tests stable.
func SortFields(fields []wire.Field) {
	slices.SortStableFunc(fields, func(a, b wire.Field) int { return strings.Compare(a.Name, b.Name) })
}
