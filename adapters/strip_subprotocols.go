package adapters

import (
	"slices"
	"strings"
)

// allowedSubprotocols are the names of WebSocket subprotocols that go on without being named in headers.subprotocols:
// those that IANA lists for protocols in use, and those of usual libraries and applications. Names are in lower case.
var allowedSubprotocols = map[string]bool{}

func init() {
	for _, name := range []string{
		// IANA's WebSocket Subprotocol Name Registry.
		"amqp", "bfcp", "coap", "jmap", "lwm2m", "mqtt", "mqttv3.1", "msrp", "ocpp1.2", "ocpp1.5", "ocpp1.6", "ocpp2.0", "ocpp2.0.1",
		"ocpp2.1", "rfb", "rpc", "sip", "soap", "v10.stomp", "v11.stomp", "v12.stomp", "wamp", "wpcp", "xmpp", "xrdp",

		// GraphQL, Rails, Kubernetes, WAMP, Jupyter, terminals, desktops, and development servers.
		"graphql-ws", "graphql-transport-ws", "graphql-subscriptions", "subscriptions-transport-ws",
		"actioncable-v1-json", "actioncable-v1-msgpack", "actioncable-unsupported",
		"channel.k8s.io", "v2.channel.k8s.io", "v3.channel.k8s.io", "v4.channel.k8s.io", "v5.channel.k8s.io", "base64.channel.k8s.io",
		"binary.k8s.io", "base64.binary.k8s.io", "spdy/3.1+portforward.k8s.io",
		"wamp.2.json", "wamp.2.msgpack", "wamp.2.cbor", "v1.kernel.websocket.jupyter.org",
		"binary", "base64", "guacamole", "tty", "webtty", "janus-protocol", "realtime", "vite-hmr", "vite-ping", "webpack-hmr",
		"centrifuge-json", "centrifuge-protobuf", "json", "msgpack", "protobuf", "cbor", "jsonrpc", "json-rpc", "chat", "superchat", "echo", "echo-protocol",
	} {
		allowedSubprotocols[name] = true
	}
}

// stripSubprotocols returns the items of a Sec-WebSocket-Protocol field that are known names of protocols, and removes
// all others. Browsers cannot set headers on a WebSocket, so applications take tokens from this field, alone or after
// a word like bearer. An item after such a word is removed whatever it is.
func (a *Adapter) stripSubprotocols(value string) (kept string, removed []Borrowed) {
	var names []string
	announced := false // the item before says that a credential follows
	for item := range strings.SplitSeq(value, ",") {
		item = strings.Trim(item, " \t")
		isNamed := slices.Contains(a.spec.Headers.Subprotocols, item)
		announces := namesCredential(strings.ToLower(item)) && !isNamed
		if !announced && (isNamed || allowedSubprotocols[strings.ToLower(item)]) {
			names = append(names, item)
			continue
		}
		removed = append(removed, Borrowed{In: "header", Name: "Sec-WebSocket-Protocol", Value: NewSecret(item), Held: !announced && !announces})
		announced = announces && len(item) <= maxAnnouncement
	}
	return strings.Join(names, ", "), removed
}

// maxAnnouncement is the length in bytes of the longest item that announces a credential. A longer one has the
// credential in itself.
const maxAnnouncement = 20
