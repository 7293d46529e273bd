package adapters

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

const builtInHead = `
## What requests are judged by

These lists hold for every adapter. ` + "`byline adapter show NAME`" + ` prints them too. Names of header fields are compared without regard to
case, with ` + "`_`" + ` as ` + "`-`" + `. Other names are compared without regard to case, separators and full-width letters: accessToken, access_token,
ACCESS-TOKEN and user[access.token] are alike.

A parameter of the query that is judged a credential is removed, and so is a header field. A body or a message with one is refused
(` + "`credential_in_body`, `credential_in_message`" + `), and a path with one (` + "`credential_in_path`" + `). Values of asterisks are what the masker wrote, and
pass. Values are also judged by what they hold: percent-encoding, base64, JSON, URLs and lists of pairs are undone, up to four within
one another. In text that people read, as in a wiki page, only tokens and keys count that look as if they worked: words, names and
examples pass. Names in base64 are not judged.

| list | entries |
|---|---|
`

// writeBuiltIn writes the lists by which every request is judged.
func writeBuiltIn(page *strings.Builder) {
	l := BuiltIn()
	var limited []string
	for _, name := range slices.Sorted(maps.Keys(l.Limited)) {
		limited = append(limited, name+" ("+l.Limited[name]+")")
	}

	page.WriteString(builtInHead)
	for _, row := range []struct {
		title   string
		entries []string
	}{
		{"header fields that go on unless their value is a credential", l.Headers},
		{"header fields that go on with these values", limited},
		{"header fields that go on as a URL, without user information, session and credentials; Destination and Content-Location as a URL of the application alone", l.Destinations},
		{"names in `Sec-WebSocket-Protocol` that go on, besides those of `headers.subprotocols`", l.Subprotocols},
		{"header fields that are held even if `headers.pass` names them, unless `method_override` or a `match.header` does", l.Rereading},
		{"trailers that go on", l.Trailers},
		{"names of credentials: words anywhere in the name", l.Judge.Anywhere},
		{"words at its end", l.Judge.Last},
		{"the whole name; short ones also as its last word", l.Judge.Whole},
		{"the whole name, unless the value has up to ten digits or is like PROJ or PROJ-123", l.Judge.Except},
		{"the whole name, if the value looks like a credential", l.Judge.ByShape},
		{"in `Sec-WebSocket-Protocol`, in addition", l.Judge.Fields},
		{"tokens against request forgery, which are no credentials: words anywhere in the name", l.Judge.Forgery},
		{"other tokens that are none: words before token", l.Judge.HarmlessTokens},
		{"values of credentials: what follows the name of a scheme", l.Judge.Schemes},
		{"what begins as a key of a known issuer does, in its length and alphabet", l.Judge.KeyPrefixes},
		{"by structure", l.Judge.Structure},
	} {
		separator := ", "
		if strings.Contains(strings.Join(row.entries, ""), ", ") {
			separator = "; "
		}
		fmt.Fprintf(page, "| %s | %s |\n", row.title, cell(strings.Join(row.entries, separator)))
	}
}
