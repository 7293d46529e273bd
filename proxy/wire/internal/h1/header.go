package h1

import (
	"net/http"
	"slices"
	"strings"

	"github.com/byline-proxy/byline/proxy/wire"
)

// setHeader fills h with what may stand in HTTP/2 (RFC 9113 section 8.2.2).
func AddToHeader(h http.Header, fields []wire.Field) error {
	for _, f := range fields {
		if m := RoleOf(f.Name); m != RoleEndToEnd && m != RoleContentType && !strings.EqualFold(f.Name, "proxy-authenticate") {
			continue
		}
		if CheckField(f.Name, f.Value) != nil {
			return errSplit
		}
		key := http.CanonicalHeaderKey(f.Name)
		h[key] = append(h[key], f.Value)
	}
	return nil
}

func TrailerFields(h http.Header) []wire.Field {
	var all []wire.Field
	for name, values := range h {
		for _, v := range values {
			if !ForbiddenInTrailer(name) && CheckField(name, v) == nil {
				all = append(all, wire.Field{Name: name, Value: v})
			}
		}
	}
	SortFields(all)
	return all
}

func SortFields(fields []wire.Field) {
	slices.SortStableFunc(fields, func(a, b wire.Field) int { return strings.Compare(a.Name, b.Name) })
}
