package adapters

import (
	"slices"
	"strconv"

	"github.com/byline-proxy/byline/adapters/internal/text"
)

// CountsRequests reports whether the adapter asks for the number of each request.
func (a *Adapter) CountsRequests() bool { return a.spec.Count.Header != "" }

// putCount puts the number of a request, and the id of its intent, on dst in the place of whatever stood under the header's
// name. It does nothing when the adapter does not ask for it.
func (a *Adapter) putCount(dst []Field, n int64, intent string) []Field {
	name := a.spec.Count.Header
	if name == "" {
		return dst
	}
	dst = slices.DeleteFunc(dst, func(f Field) bool { return text.SameName(f.Name, name) })
	return append(dst, Field{Name: name, Value: strconv.FormatInt(n, 10) + " " + intent})
}
