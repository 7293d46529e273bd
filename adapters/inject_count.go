package adapters

import (
	"slices"
	"strconv"

	"github.com/byline-proxy/byline/adapters/internal/text"
)

// CountsRequests reports whether the adapter numbers requests (count.header). Put then needs Count
// and Intent.
func (a *Adapter) CountsRequests() bool { return a.spec.Count.Header != "" }

// putCount replaces the field of count.header by one with the number of a request and the id of its
// intent. It does nothing if the adapter does not number requests.
func (a *Adapter) putCount(dst []Field, n int64, intent string) []Field {
	name := a.spec.Count.Header
	if name == "" {
		return dst
	}

	dst = slices.DeleteFunc(dst, func(f Field) bool { return text.SameName(f.Name, name) })
	return append(dst, Field{Name: name, Value: strconv.FormatInt(n, 10) + " " + intent})
}
