package oplog

import (
	"bytes"
)

// classify returns the kind of a line of zerolog, and what it says apart from names
// and numbers that are different each time. isLimited is false for a line of debug
// or trace level and for one that is not understood.
//
// A line that names a record is about one request. Which task it was of is on record,
// so that the same refusal of many tasks says the same.
func classify(line []byte) (kind string, content []byte, isLimited bool) {
	var level, message, code []byte
	aboutRequest := bytes.Contains(line, []byte(`,"record":"r_`))
	content = make([]byte, 0, len(line))
	ok := eachMember(line, func(name, value []byte) {
		switch string(name) {
		case "time", "record", "left_out":
			return
		case "task", "lease":
			if aboutRequest {
				return
			}
		case "level":
			level = value
		case "message":
			message = value
		case "code":
			code = value
		}

		content = append(append(content, name...), ':')
		switch string(name) {
		case "error", "text", "stack": // ports, offsets, addresses
			content = appendWithoutDigits(content, value)
		default:
			content = append(content, value...)
		}
		content = append(content, ',')
	})
	if !ok || string(level) == `"debug"` || string(level) == `"trace"` {
		return "", nil, false
	}
	return string(appendWithoutDigits(bytes.Clone(level), message)) + string(code), content, true
}

// appendWithoutDigits appends text with # for each word that has a digit.
func appendWithoutDigits(to, text []byte) []byte {
	for len(text) > 0 {
		n := 0
		hasDigit := false
		for n < len(text) && isWordByte(text[n]) {
			hasDigit = hasDigit || '0' <= text[n] && text[n] <= '9'
			n++
		}
		switch {
		case n == 0:
			to = append(to, text[0])
			n = 1
		case hasDigit:
			to = append(to, '#')
		default:
			to = append(to, text[:n]...)
		}
		text = text[n:]
	}
	return to
}

func isWordByte(b byte) bool {
	return 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9' || b == '_'
}

// eachMember calls f with each member of a JSON object as zerolog writes it: without
// white space between members. It reports whether the line has that form.
func eachMember(line []byte, f func(name, value []byte)) bool {
	rest, ok := bytes.CutPrefix(line, []byte("{"))
	for ok {
		n := valueLength(rest)
		if n < 2 || n >= len(rest) || rest[0] != '"' || rest[n] != ':' {
			return false
		}
		name := rest[1 : n-1]
		rest = rest[n+1:]

		n = valueLength(rest)
		if n == 0 || n >= len(rest) {
			return false
		}
		f(name, rest[:n])

		if rest[n] == '}' {
			return len(bytes.TrimSpace(rest[n+1:])) == 0
		}
		ok = rest[n] == ','
		rest = rest[n+1:]
	}
	return false
}

// valueLength returns the length of the JSON value that b begins with, 0 if it does
// not end.
func valueLength(b []byte) int {
	depth := 0
	inString := false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
			if !inString && depth == 0 {
				return i + 1
			}
		case inString:
		case c == '{' || c == '[':
			depth++
		case (c == '}' || c == ']') && depth > 0:
			depth--
			if depth == 0 {
				return i + 1
			}
		case depth == 0 && (c == ',' || c == '}' || c == ':'):
			return i
		}
	}
	return 0
}
