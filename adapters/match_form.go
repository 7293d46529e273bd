package adapters

import "bytes"

// plainParts: body is parts in the one form that every reader takes alike (RFC 2046 section 5.1.1, RFC 7578): no text
// before the first delimiter or behind the last, delimiters and header lines that end in CR LF, no folded line, and the
// boundary nowhere else. The standard library's reader takes more, and so do applications, each in its own way.
func plainParts(body []byte, boundary string) bool {
	delimiter := []byte("--" + boundary)
	if !bytes.HasPrefix(body, delimiter) {
		return false
	}
	for rest := body[len(delimiter):]; ; {
		if end, last := bytes.CutPrefix(rest, []byte("--")); last {
			return len(end) == 0 || string(end) == "\r\n"
		}
		part, ok := bytes.CutPrefix(rest, []byte("\r\n"))
		if !ok {
			return false
		}
		next := bytes.Index(part, delimiter)
		if next < 2 || string(part[next-2:next]) != "\r\n" {
			return false
		}
		if !plainPartHead(part[:next]) {
			return false
		}
		rest = part[next+len(delimiter):]
	}
}

// plainPartHead looks at the lines up to the empty one.
func plainPartHead(part []byte) bool {
	for {
		end := bytes.IndexAny(part, "\r\n")
		if end < 0 || !bytes.HasPrefix(part[end:], []byte("\r\n")) {
			return false
		}
		if end == 0 {
			return true
		}
		if part[0] == ' ' || part[0] == '\t' || bytes.IndexByte(part[:end], 0) >= 0 {
			return false
		}
		part = part[end+2:]
	}
}
