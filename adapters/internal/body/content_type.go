package body

import "strings"

var errHiddenParts = fail(BadContentType, "the Content-Type of the body is that of parts or of a charset, and cannot be read in one way only: send it as type/subtype; name=value")

// ScannedContentType reads the Content-Type fields of a body for a [ContentScanner]. It takes what
// ParseContentType refuses, unless the field may say how parts or characters are to be read.
func ScannedContentType(fields ...string) (ContentType, error) {
	if len(fields) == 1 {
		t, err := parseContentType(fields[0])
		if err == nil && t.Charset == charsetUnknown && !isScannedCharset(t.Label) {
			return ContentType{}, errHiddenCharset
		}
		if err == nil {
			return t, nil
		}
	}

	for _, field := range fields {
		field = strings.ToLower(field)
		if strings.Contains(field, "multipart") || resemblesParameter(field) {
			return ContentType{}, errHiddenParts
		}
	}
	return ContentType{}, nil
}
