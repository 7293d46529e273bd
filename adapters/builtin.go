package adapters

import (
	"maps"
	"slices"
	"strings"

	"github.com/byline-proxy/byline/adapters/internal/credential"
)

// Lists are the built-in lists by which requests are judged, for documentation and commands.
type Lists struct {
	Headers      []string          `json:"headers"`      // that go on
	Limited      map[string]string `json:"limited"`      // headers that go on with one of some values
	Destinations []string          `json:"destinations"` // headers that go on as a URL of the application
	Subprotocols []string          `json:"subprotocols"` // items of Sec-WebSocket-Protocol that go on
	Rereading    []string          `json:"rereading"`    // headers that are held even if headers.pass names them
	Trailers     []string          `json:"trailers"`     // that go on
	Judge        credential.Lists  `json:"judge"`        // names and values of credentials
}

// BuiltIn returns the built-in lists.
func BuiltIn() Lists {
	l := Lists{
		Headers:      slices.Sorted(maps.Keys(allowedFields)),
		Limited:      map[string]string{},
		Subprotocols: slices.Sorted(maps.Keys(allowedSubprotocols)),
		Destinations: append(slices.Sorted(maps.Keys(destinationFields)), "referer"),
		Rereading:    slices.Sorted(maps.Keys(rereadingFields)),
		Trailers:     slices.Sorted(maps.Keys(allowedTrailers)),
		Judge:        credential.Judged(),
	}
	for name, values := range allowedValues {
		l.Limited[name] = strings.Join(values, ", ")
	}
	return l
}
