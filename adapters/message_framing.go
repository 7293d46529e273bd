package adapters

import (
	"bytes"

	"github.com/byline-proxy/byline/adapters/internal/body"
)

// maxFramedMessages bounds the messages in one WebSocket message, each of which is put on record.
const maxFramedMessages = 256

// The reasons why a WebSocket message cannot be divided.
const (
	unreadableList  = "it is not a list of texts"
	tooManyMessages = "it holds more messages than are read at once"
	emptyFraming    = "it holds no message"
)

// divide returns the messages in a WebSocket message, or why it has none that can be told apart.
func (f *FramingSpec) divide(m SocketMessage) (parts [][]byte, why string) {
	switch {
	case m.Binary:
	case f.List:
		return divideList(m.Payload)
	case f.Separator != "":
		return divideLines(m.Payload, []byte(f.Separator))
	}
	return [][]byte{m.Payload}, ""
}

func divideLines(payload, separator []byte) (parts [][]byte, why string) {
	payload = bytes.TrimSuffix(payload, separator)
	if bytes.Count(payload, separator) >= maxFramedMessages {
		return nil, tooManyMessages
	}
	return bytes.Split(payload, separator), ""
}

func divideList(payload []byte) (parts [][]byte, why string) {
	var list body.JSON
	err := list.Parse(payload, body.JSONOptions{MaxDepth: 1, MaxValues: maxFramedMessages + 1})
	if err != nil || list.Root().Kind() != body.JSONArray {
		return nil, unreadableList
	}

	for item := range list.Root().Items() {
		if item.Kind() != body.JSONString {
			return nil, unreadableList
		}
		parts = append(parts, []byte(item.Text()))
	}
	if len(parts) == 0 {
		return nil, emptyFraming
	}
	return parts, ""
}

// join writes messages as one WebSocket message. It is the reverse of divide.
func (f *FramingSpec) join(m SocketMessage, parts [][]byte) []byte {
	var out []byte
	switch {
	case m.Binary || !f.List && f.Separator == "":
		return parts[0]
	case f.List:
		out = append(out, '[')
		for i, part := range parts {
			if i > 0 {
				out = append(out, ',')
			}
			out = body.AppendJSONString(out, string(part))
		}
		return append(out, ']')
	}

	for _, part := range parts {
		out = append(append(out, part...), f.Separator...)
	}
	return out
}
