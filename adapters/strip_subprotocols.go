package adapters

import "strings"

// stripSubprotocols returns the items of a Sec-WebSocket-Protocol field that are names of protocols, and
// removes those that may be credentials. Browsers cannot set headers on a WebSocket, so applications
// take tokens from this field, alone or after a word like bearer.
func stripSubprotocols(value string) (kept string, removed []Borrowed) {
	var names []string
	announced := false // the item before says that a credential follows
	for item := range strings.SplitSeq(value, ",") {
		item = strings.Trim(item, " \t")
		announces := namesCredential(strings.ToLower(item))
		if announces || announced || !isProtocolName(item) {
			removed = append(removed, Borrowed{In: "header", Name: "Sec-WebSocket-Protocol", Value: NewSecret(item)})
			announced = announces && len(item) <= maxAnnouncement
			continue
		}
		names = append(names, item)
	}
	return strings.Join(names, ", "), removed
}

// Lengths of the items of Sec-WebSocket-Protocol, in bytes. The words of actioncable-v1-json,
// graphql-transport-ws and v4.channel.k8s.io are far shorter than maxProtocolWord, keys and tokens are
// longer.
const (
	maxProtocolName = 48
	maxProtocolWord = 15
	maxAnnouncement = 20 // a longer item has the credential in itself
)

// isProtocolName reports whether an item consists of short words of letters and digits with signs
// between them.
func isProtocolName(item string) bool {
	word := 0 // length of the word so far
	for i := 0; i < len(item); i++ {
		switch c := item[i]; {
		case 'a' <= c|0x20 && c|0x20 <= 'z', '0' <= c && c <= '9':
			word++
			if word > maxProtocolWord {
				return false
			}
		case strings.IndexByte("-._+/:", c) >= 0:
			word = 0
		default:
			return false
		}
	}
	return item != "" && len(item) <= maxProtocolName
}
