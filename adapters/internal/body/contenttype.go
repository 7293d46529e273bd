package body

import "strings"

// ContentType is a Content-Type field (RFC 9110 section 8.3).
type ContentType struct {
	Media    string  // type "/" subtype in lower case; "" when there is no field
	Charset  Charset // what the charset parameter says
	Label    string  // the charset parameter in lower case
	Boundary string  // of a multipart type; "" for other types
	Others   []Pair  // the other parameters, names in lower case. Header writes those that mean something to applications

	// KeepsLabel makes Header write Label, for a form in which bytes beyond ASCII mean what it says.
	KeepsLabel bool
}

// Other returns the value of another parameter; "" if there is none.
func (c ContentType) Other(name string) string {
	for i := range c.Others {
		if c.Others[i].Name == name {
			return c.Others[i].Value
		}
	}
	return ""
}

// maxBoundary is the longest boundary that RFC 2046 section 5.1.1 allows.
const maxBoundary = 70

var (
	errContentType = fail(BadContentType, "the Content-Type is not one media type with parameters: write it as type/subtype; name=value")
	errTwoTypes    = fail(DuplicateParameter, "the Content-Type, or a parameter in it, is given twice: give it once")
	errFalseParam  = fail(FalseParameter, "the Content-Type has a parameter that some servers take for charset or boundary: leave it out")
	errCharset     = fail(WrongCharset, "the Content-Type names a charset that cannot be read in one way only: send UTF-8")
	errBoundary    = fail(BadBoundary, "the boundary in the Content-Type is missing, empty, longer than 70 characters or holds characters that RFC 2046 does not allow")
)

// ParseContentType reads the Content-Type fields of a request. Without a field
// the result is the zero value. It refuses what two readers read differently:
// two fields or a comma-joined list, a parameter given twice, a parameter whose
// name or value holds "boundary" or "charset" without being it (PHP looks for
// these words anywhere), and charsets that change what ASCII bytes mean.
func ParseContentType(fields ...string) (ContentType, error) {
	switch len(fields) {
	case 0:
		return ContentType{}, nil
	case 1:
		c, err := parseContentType(fields[0])
		if err == nil && c.Charset == charsetUnknown {
			err = errCharset
		}
		if err != nil {
			return ContentType{}, err
		}
		return c, nil
	}
	return ContentType{}, errTwoTypes
}

// parseContentType leaves it to its caller to refuse charsetUnknown.
func parseContentType(field string) (c ContentType, err error) {
	media, rest, _ := strings.Cut(field, ";")
	media = trimOWS(media)
	if !isMediaType(media) {
		return ContentType{}, errContentType
	}

	c.Media = strings.ToLower(media)
	for rest = trimOWS(rest); rest != ""; rest = trimOWS(rest) {
		if rest[0] == ';' {
			rest = rest[1:]
			continue
		}
		name, value, after, ok := cutParameter(rest)
		if !ok || after != "" && after[0] != ';' {
			return ContentType{}, errContentType
		}
		if err := c.addParameter(strings.ToLower(name), value); err != nil {
			return ContentType{}, err
		}
		rest = after
	}

	if strings.HasPrefix(c.Media, "multipart/") && c.Boundary == "" {
		return ContentType{}, errBoundary
	}
	return c, nil
}

func (c *ContentType) addParameter(name, value string) error {
	switch name {
	case "charset":
		if c.Charset != CharsetUnstated {
			return errTwoTypes
		}
		c.Charset, c.Label = charsetOf(value), strings.ToLower(value)
		return nil

	case "boundary":
		if c.Boundary != "" {
			return errTwoTypes
		}
		if !isBoundary(value) {
			return errBoundary
		}
		c.Boundary = value
		return nil
	}

	// PHP takes the first "boundary" anywhere in the field for the parameter.
	if resemblesParameter(name) || resemblesParameter(value) {
		return errFalseParam
	}
	for i := range c.Others {
		if c.Others[i].Name == name {
			return errTwoTypes
		}
	}
	if len(c.Others) == maxOtherParameters {
		return errContentType
	}
	c.Others = append(c.Others, Pair{Name: name, Value: value})
	return nil
}

func resemblesParameter(s string) bool {
	s = strings.ToLower(s)
	return strings.Contains(s, "boundary") || strings.Contains(s, "charset")
}

// maxOtherParameters bounds the parameters that a Content-Type may have besides
// charset and boundary. Real types have one or two.
const maxOtherParameters = 8

// Header returns the field in its one spelling: the media type, the parameters that
// applications go by, and boundary if it is not empty. A form that said it is UTF-8
// still says so, because servlet containers read it as ISO-8859-1 otherwise, which is
// not what was decided on.
func (c ContentType) Header(boundary string) string {
	h := c.Media
	for i := range c.Others {
		if p := &c.Others[i]; c.isMeant(p.Name) {
			h += "; " + p.Name + "=" + quoteParameter(p.Value)
		}
	}
	if c.KeepsLabel {
		h += "; charset=" + c.Label
	}
	if c.Charset == CharsetUTF8 && (c.Media == FormType || c.Media == MultipartType) {
		h += "; charset=UTF-8"
	}
	if boundary != "" {
		h += "; boundary=" + boundary
	}
	return h
}

// The media types of forms, and that of SOAP 1.2.
const (
	FormType      = "application/x-www-form-urlencoded"
	MultipartType = "multipart/form-data"
	SOAPType      = "application/soap+xml"
)

// isMeant reports whether applications go by a parameter: those of OData, JSON:API and Atom
// refuse a body or read it otherwise without it, and SOAP 1.2 names the operation by it.
func (c ContentType) isMeant(name string) bool {
	isJSON := c.Media == "application/json" || strings.HasSuffix(c.Media, "+json")
	isXML := strings.HasSuffix(c.Media, "+xml")
	switch name {
	case "action":
		return c.Media == SOAPType
	case "odata", "odata.metadata", "odata.streaming", "ieee754compatible", "ext":
		return isJSON
	case "type":
		return isXML
	case "profile", "version", "v":
		return isJSON || isXML
	}
	return false
}

var errMeantParameter = fail(FalseParameter, "a parameter of the Content-Type by which applications go has characters that some servers read in another way: send visible ASCII without quotes, backslashes, commas and semicolons")

// CheckWritable returns an error if Header would write a parameter that some servers read
// in another way.
func (c ContentType) CheckWritable() error {
	for i := range c.Others {
		if p := &c.Others[i]; c.isMeant(p.Name) && !isPlainParameter(p.Value) {
			return errMeantParameter
		}
	}
	return nil
}

// isPlainParameter reports visible ASCII in which no server finds the end of a parameter.
func isPlainParameter(value string) bool {
	for i := 0; i < len(value); i++ {
		if c := value[i]; c <= ' ' || c >= 0x7f || strings.IndexByte("\"\\,;'", c) >= 0 {
			return false
		}
	}
	return len(value) <= maxMeantParameter
}

// maxMeantParameter is longer than the URI of any operation.
const maxMeantParameter = 1024

func quoteParameter(value string) string {
	if isToken(value) {
		return value
	}
	return `"` + value + `"`
}

// cutParameter reads name=token or name="quoted" from the beginning of s.
func cutParameter(s string) (name, value, rest string, ok bool) {
	n := tokenLength(s)
	if n == 0 || n == len(s) || s[n] != '=' {
		return "", "", "", false
	}
	name, s = s[:n], s[n+1:]

	if s != "" && s[0] == '"' {
		value, rest, ok = cutQuoted(s)
		return name, value, trimOWS(rest), ok
	}
	n = tokenLength(s)
	for strings.EqualFold(name, "boundary") && n < len(s) && strings.IndexByte("=/:?()", s[n]) >= 0 {
		n += 1 + tokenLength(s[n+1:]) // boundaries as JavaMail makes them, which clients forget to quote
	}
	return name, s[:n], trimOWS(s[n:]), n > 0
}

// cutQuoted reads a quoted-string of RFC 9110 section 5.6.4.
func cutQuoted(s string) (value, rest string, ok bool) {
	var unescaped []byte
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			if unescaped != nil {
				return string(unescaped), s[i+1:], true
			}
			return s[1:i], s[i+1:], true
		case c == '\\' && i+1 < len(s):
			if unescaped == nil {
				unescaped = append(make([]byte, 0, len(s)), s[1:i]...)
			}
			i++
			unescaped = append(unescaped, s[i])
		case c < ' ' && c != '\t' || c == 0x7f || c == '\\':
			return "", "", false
		case unescaped != nil:
			unescaped = append(unescaped, c)
		}
	}
	return "", "", false
}

// isMediaType reports a type and a subtype without parameters.
func isMediaType(s string) bool {
	kind, subtype, _ := strings.Cut(s, "/")
	return isToken(kind) && isToken(subtype)
}

// isBoundary reports a boundary of RFC 2046 section 5.1.1.
func isBoundary(s string) bool {
	if s == "" || len(s) > maxBoundary || s[len(s)-1] == ' ' {
		return false
	}
	for i := 0; i < len(s); i++ {
		if !isAlphanumeric(s[i]) && strings.IndexByte("'()+_,-./:=? ", s[i]) < 0 {
			return false
		}
	}
	return true
}

func isToken(s string) bool { return s != "" && tokenLength(s) == len(s) }

// tokenLength is the length of the token (RFC 9110 section 5.6.2) at the beginning of s.
func tokenLength(s string) int {
	for i := 0; i < len(s); i++ {
		if !isAlphanumeric(s[i]) && strings.IndexByte("!#$%&'*+-.^_`|~", s[i]) < 0 {
			return i
		}
	}
	return len(s)
}

func isAlphanumeric(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func trimOWS(s string) string { return strings.Trim(s, " \t") }
