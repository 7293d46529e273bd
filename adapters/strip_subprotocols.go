package adapters

import "strings"

// cleanSubprotocols keeps of a Sec-WebSocket-Protocol what is a name and leaves what may be a credential: browsers
// cannot set headers on a WebSocket, so applications take tokens there, alone or behind a word like bearer.
func cleanSubprotocols(value string) (kept string, left []Borrowed) {
	var names []string
	behind := false // the item before announced a credential
	for item := range strings.SplitSeq(value, ",") {
		item = strings.Trim(item, " \t")
		if announces := looksCredential(strings.ToLower(item)); announces || behind || !isProtocolName(item) {
			left = append(left, Borrowed{In: "header", Name: "Sec-WebSocket-Protocol", Value: NewSecret(item)})
			behind = announces && len(item) <= 20 // a longer one has the credential in it
			continue
		}
		names = append(names, item)
	}
	return strings.Join(names, ", "), left
}

// longestWord is how long a word of a subprotocol's name may be: actioncable-v1-json, graphql-transport-ws and
// v4.channel.k8s.io stay far below it, keys and tokens do not.
const longestWord = 15

// isProtocolName: words of letters and digits, with signs between them.
func isProtocolName(item string) bool {
	word := 0
	for i := 0; i < len(item); i++ {
		switch c := item[i]; {
		case 'a' <= c|0x20 && c|0x20 <= 'z', '0' <= c && c <= '9':
			if word++; word > longestWord {
				return false
			}
		case strings.IndexByte("-._+/:", c) >= 0:
			word = 0
		default:
			return false
		}
	}
	return item != "" && len(item) <= 48
}
