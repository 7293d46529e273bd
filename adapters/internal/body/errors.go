package body

import "errors"

// Kind classifies an [Error]. The values are stable: tests and counters use them.
type Kind string

// Kinds that several formats share.
const (
	TooLarge     Kind = "too_large"     // more than the caller allows to be held
	TooMany      Kind = "too_many"      // more parameters, parts or values than the caller allows
	TooDeep      Kind = "too_deep"      // nested deeper than the caller allows
	InvalidUTF8  Kind = "invalid_utf8"  // bytes that are not UTF-8
	WrongCharset Kind = "wrong_charset" // a charset in which the bytes would mean something else
	NUL          Kind = "nul"           // a NUL byte, at which some readers end a text
	EmptyName    Kind = "empty_name"    // a parameter without a name, or without one before its first bracket
	BadSyntax    Kind = "bad_syntax"    // not of the format's grammar
)

// Kinds of queries and urlencoded forms.
const (
	Semicolon   Kind = "semicolon"    // a bare ";", at which some readers begin a new parameter
	LonePercent Kind = "lone_percent" // a "%" that begins no escape
)

// Kinds of the Content-Type field.
const (
	BadContentType     Kind = "bad_content_type"    // not of the field's grammar
	DuplicateParameter Kind = "duplicate_parameter" // a parameter or field that comes twice
	FalseParameter     Kind = "false_parameter"     // a parameter that some readers take for another one
	BadBoundary        Kind = "bad_boundary"        // no boundary, or not one of RFC 2046
)

// Kinds of multipart forms.
const (
	LineEnds           Kind = "line_ends"            // a line that ends in a bare LF or CR
	BadDelimiter       Kind = "bad_delimiter"        // a boundary line with something after the boundary
	Truncated          Kind = "truncated"            // the body ends before its final boundary
	OutsideParts       Kind = "outside_parts"        // too much text before the first part or after the last
	BadPartHead        Kind = "bad_part_head"        // a part's header fields are not of the grammar
	DuplicateField     Kind = "duplicate_field"      // a header field of a part that comes twice
	NoDisposition      Kind = "no_disposition"       // a part without Content-Disposition: form-data
	BadDisposition     Kind = "bad_disposition"      // a Content-Disposition that is not of the grammar
	UnknownParameter   Kind = "unknown_parameter"    // a parameter of Content-Disposition that a form has not
	ExtendedName       Kind = "extended_name"        // name*=
	NameEscape         Kind = "name_escape"          // a backslash, quote or semicolon in a name
	EmptyFileName      Kind = "empty_file_name"      // content under an empty file name
	BadFileName        Kind = "bad_file_name"        // filename*= that cannot be decoded
	TransferEncoding   Kind = "transfer_encoding"    // a Content-Transfer-Encoding that changes the content
	NestedMultipart    Kind = "nested_multipart"     // a part that is itself a form
	BoundaryInContent  Kind = "boundary_in_content"  // the boundary of the canonical form occurs in the content
	LateField          Kind = "late_field"           // a part after a file that was sent on would have decided otherwise; for callers
	LongerThanPromised Kind = "longer_than_promised" // the canonical form does not fit its Content-Length
)

// Kinds of JSON and XML.
const (
	DuplicateKey  Kind = "duplicate_key"  // a key of a JSON object or an attribute of an XML element that comes twice
	FoldedKey     Kind = "folded_key"     // a key that differs only in case from one that decides
	LoneSurrogate Kind = "lone_surrogate" // half of a surrogate pair
	TrailingData  Kind = "trailing_data"  // something after the value or the root element
	Doctype       Kind = "doctype"        // a document type definition
	Instruction   Kind = "instruction"    // a processing instruction
	UnknownEntity Kind = "unknown_entity" // an entity that is not one of the five of XML itself
	BadNamespace  Kind = "bad_namespace"  // a namespace prefix that is not declared, or a namespace declared wrongly
)

// Error says why an input was not understood.
type Error struct {
	Kind Kind
	Text string // one plain sentence for whoever sent the body, without a full stop; holds nothing of the body
}

// Error returns the text.
func (e *Error) Error() string { return e.Text }

// KindOf returns the kind of an error of this package, or "".
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return ""
}

func fail(kind Kind, text string) *Error { return &Error{Kind: kind, Text: text} }

var errNotUTF8 = fail(InvalidUTF8, "the body is not valid UTF-8")
