package proxy

import (
	"bytes"
	"slices"
	"strings"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/proxy/wire"
)

// inject puts the session on the request. x.out must not be logged after this.
func (x *exchange) inject() {
	r := adapters.Outgoing{
		Method: x.out.Method, Host: x.tunnel.host, Path: x.out.Path, Query: x.out.Query, HasQuery: x.out.HasQuery,
		TLS: x.publicScheme() == "https", Fields: requestReadableText(x.out.Fields), Cookies: x.cookies,
		Count: x.count, Intent: x.intent, Now: x.started,
	}
	inBody := x.adapter.PutsSessionInBody() && x.body != nil && x.bodyComplete
	if inBody {
		r.Body = x.body
	}

	x.masker = x.adapter.Put(x.session, &r)

	x.out.Fields, x.out.Query, x.out.HasQuery = r.Fields, r.Query, r.HasQuery
	if inBody {
		x.out.Body, x.out.Length = bytes.NewReader(r.Body), int64(len(r.Body))
	}
}

// requestReadableText makes fields ask for whole answers without a content coding,
// in which secrets can be found and masked. An agent that expects something other
// than text keeps its own choice of codings, as far as decode can undo them. docs/decisions/compression.md has the reasons.
func requestReadableText(fields []wire.Field) []wire.Field {
	noText := expectsNoText(fields)
	asksPart := noText && slices.ContainsFunc(fields, asksForPart)
	fields = slices.DeleteFunc(fields, func(f wire.Field) bool {
		return wire.SameName(f.Name, "Accept-Charset") || !noText && asksForPart(f)
	})

	at := slices.IndexFunc(fields, func(f wire.Field) bool { return wire.SameName(f.Name, "Accept-Encoding") })
	switch {
	case at < 0:
		return append(fields, wire.Field{Name: "Accept-Encoding", Value: "identity"})
	case noText && !asksPart: // a part of a coded body cannot be decoded
		fields[at].Value = decodableCodings(fields[at].Value)
	default:
		fields[at].Value = "identity"
	}
	return fields
}

// expectsNoText reports whether the agent asks for something other than text. A
// browser says so in Sec-Fetch-Dest; any client says so in an Accept field that
// names no media type of text.
func expectsNoText(fields []wire.Field) bool {
	switch wire.Value(fields, "Sec-Fetch-Dest") {
	case "image", "audio", "video", "font":
		return true
	}

	accept := wire.Value(fields, "Accept")
	for member := range strings.SplitSeq(accept, ",") {
		media, _, _ := strings.Cut(member, ";")
		if adapters.Maskable(media) {
			return false
		}
	}
	return accept != ""
}

// decodableCodings returns the members of an Accept-Encoding value that decode
// can undo, or identity if there are none.
func decodableCodings(accept string) string {
	var kept []string
	for member := range strings.SplitSeq(accept, ",") {
		coding, _, _ := strings.Cut(member, ";")
		switch strings.ToLower(strings.TrimSpace(coding)) {
		case "gzip", "x-gzip", "deflate", "identity":
			kept = append(kept, strings.TrimSpace(member))
		}
	}
	if len(kept) == 0 {
		return "identity"
	}
	return strings.Join(kept, ", ")
}
