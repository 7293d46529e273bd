package cookie

import (
	"strings"

	"github.com/byline-proxy/byline/adapters/internal/text"
)

// Pair is the name and the value of a cookie that an agent sends.
type Pair = struct{ Name, Value string }

// CutPair splits name=value. It returns false for what RFC 6265 section 4.1.1 does not allow. Quotes
// around a value are part of it, as that section says.
func CutPair(pair string) (name, value string, ok bool) {
	name, value, ok = strings.Cut(pair, "=")
	if !ok || !text.IsToken(name) {
		return "", "", false
	}

	inner := value
	if len(inner) >= 2 && inner[0] == '"' && inner[len(inner)-1] == '"' {
		inner = inner[1 : len(inner)-1]
	}
	for i := 0; i < len(inner); i++ {
		if c := inner[i]; c <= ' ' || c >= 0x7f || c == '"' || c == ',' || c == ';' || c == '\\' {
			return "", "", false
		}
	}
	return name, value, true
}
