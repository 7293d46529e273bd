package adapters

// MessageSpec names what a message does that an agent sends on a WebSocket.
type MessageSpec struct {
	// Name is the action, as scopes and policies spell it.
	Name string `yaml:"name" json:"name" need:"yes" eg:"card.move"`

	// Privileged actions are granted only by their exact name, never by a wildcard.
	Privileged bool `yaml:"privileged" json:"privileged,omitempty" eg:"true"`

	// Binary makes this the rule for binary messages, whatever is in them. It takes the place of match.
	Binary bool `yaml:"binary" json:"binary,omitempty" eg:"true"`

	// Match says which text messages are this action.
	Match MessageMatchSpec `yaml:"match" json:"match,omitzero" eg:"{json: {type: move, card: \"{card}\"}, only: [to]}"`

	// Resource is what the action is done to: a template over the variables that match binds here, and in
	// the action that opened the WebSocket.
	Resource string `yaml:"resource" json:"resource,omitempty" eg:"board/{board}/card/{card}"`
}

// MessageMatchSpec says which text messages an action is: every key that is given must hold. Patterns are
// those of match. A variable that the action's own match binds has that value here too. What leaves is
// the JSON that was read, rewritten. A message that is not JSON, or that has a key twice, cannot be
// told by json, only, keys or graphql, and no rule after such a rule is tried: put rules on plain text
// first.
type MessageMatchSpec struct {
	// Text is one pattern or a list of them on the whole message.
	Text Strings `yaml:"text" json:"text,omitempty" eg:"[ping, \"SUBSCRIBE {channel}\"]"`

	// Prefix is one pattern or a list of them on the text before the JSON, as socket.io has it. The JSON
	// begins at the first {, [ or ". The text leaves as it came, without blanks at its end.
	Prefix Strings `yaml:"prefix" json:"prefix,omitempty" eg:"[\"42\", \"42{ack:digits}\", \"42/{namespace},\"]"`

	// Embedded lists dotted pointers to texts that hold JSON themselves. The pointers of json, keys and
	// graphql_at then lead on into that JSON, which is rewritten within its text. A text that holds
	// anything else cannot be read.
	Embedded Strings `yaml:"embedded" json:"embedded,omitempty" eg:"[identifier, data]"`

	// JSON maps dotted pointers into the message to patterns, as in match. The members of a list have
	// numbers, from 0 on.
	JSON map[string]Strings `yaml:"json" json:"json,omitempty" eg:"{type: move, card: \"{card}\"}"`

	// Only lists every key that the message may have at its top besides those that json and graphql_at
	// name; [] allows none. In a message that is a list, the keys are numbers.
	Only Strings `yaml:"only" json:"only,omitzero" def:"any key" eg:"[to]"`

	// Keys maps dotted pointers to objects to all the keys that they may have, as in match.
	Keys map[string]Strings `yaml:"keys" json:"keys,omitempty" eg:"{payload: [x, y]}"`

	// GraphQL says what the GraphQL request in the message may ask for, as in match.
	GraphQL GraphQLSpec `yaml:"graphql" json:"graphql,omitzero" eg:"{type: subscription, field: pageChanged, argument: {id: \"{id}\"}}"`

	// GraphQLAt is a dotted pointer to the object with query, operationName and variables. The default
	// is where graphql-transport-ws and graphql-ws have it.
	GraphQLAt string `yaml:"graphql_at" json:"graphql_at,omitempty" def:"payload" eg:"payload.data"`

	// Where maps variables to RE2 expressions that the whole value must fit, as in match.
	Where map[string]string `yaml:"where" json:"where,omitempty" eg:"{card: \"[a-z0-9]+\"}"`

	// Batch says that the message may be a list of calls, each of which must fit, as in match.
	Batch bool `yaml:"batch" json:"batch,omitempty" eg:"true"`

	// Fold compares values without regard to case.
	Fold bool `yaml:"fold" json:"fold,omitempty" eg:"true"`
}

// FramingSpec says how one WebSocket message holds several messages. Binary messages are never divided.
type FramingSpec struct {
	// Separator are the control characters that end each message: "\u001e" for SignalR, "\n" where each
	// line is a message. Byline writes one after the last message too.
	Separator string `yaml:"separator" json:"separator,omitempty" eg:"\"\\u001e\""`

	// List says that a WebSocket message is a JSON list of texts, each of which is a message, as SockJS
	// sends them.
	List bool `yaml:"list" json:"list,omitempty" eg:"true"`
}
