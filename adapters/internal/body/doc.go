// Package body reads the query and the body of a request into typed, ordered
// values, and writes them again in one canonical spelling.
//
// Two programs that read the same bytes can read two different requests: a
// proxy that decides by one parser guards nothing if the application uses
// another. This package therefore does not check whether the agent's bytes are
// safe to pass on. It reads them, and what is sent is written from the values
// that were read. A spelling that it does not understand is an error, and a detail
// that it does not keep (a preamble, a comment, an unknown header field of a
// part) is not in the output.
//
// The formats are
//
//   - queries and application/x-www-form-urlencoded: [ParseForm], [AppendForm], [AppendQuery];
//   - multipart/form-data, streamed: [MultipartReader], [MultipartWriter], and [Upload], which combines them;
//   - JSON: [JSON];
//   - XML without a document type definition: [XML];
//   - the Content-Type field: [ParseContentType].
//
// Each canonical spelling is read in the same way by the parsers that the
// differential tests run (PHP, Django, Werkzeug, Node's busboy and others), with
// the exceptions that [PartKind] names. Canonical JSON and XML are plain ASCII, so
// that an application which assumes another charset still reads the same text.
//
// Errors of the input are of type *[Error]. Errors of an underlying reader or
// writer are returned as they are. No function logs, and no text of an error
// holds a part of the body.
package body
