package proxy

import (
	"slices"
	"strings"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/proxy/wire"
)

// inject puts the session on. out.Fields is never logged after this.
func (x *exchange) inject() {
	x.out.Fields = readable(x.out.Fields)
	x.out.Fields = x.adapter.Inject(x.out.Fields, x.session, x.cookies, x.tunnel.host, x.in.Path, x.publicScheme() == "https", x.started)
	x.out.Fields = x.adapter.Count(x.out.Fields, x.count, x.intent)
	x.masker = x.session.Veil()
	x.out.Query = x.adapter.InjectQuery(x.out.Query, x.session)
	x.out.HasQuery = x.out.HasQuery || x.out.Query != ""
	x.injectBody()
	x.out.Fields = x.adapter.Sign(x.out.Fields, x.session, x.out.Method, x.out.Path, x.out.Query, x.out.HasQuery)
}

// injectBody puts the session into the body, where the adapter says so.
func (x *exchange) injectBody() {
	if !x.adapter.PutsJSON() || x.body == nil || !x.bodyComplete {
		return
	}
	body := x.adapter.PutJSON(x.body, x.session)
	x.out.Body, x.out.Length = newReplay(body), int64(len(body))
}

// readable asks the SaaS for text that can be read, and so masked: no content
// coding. Where the agent says that it awaits no text, its own choice goes out, as
// far as we could read it if a text came after all. docs/decisions/compression.md
// has the reasons.
func readable(fields []wire.Field) []wire.Field {
	at := slices.IndexFunc(fields, func(f wire.Field) bool { return strings.EqualFold(f.Name, "Accept-Encoding") })
	switch {
	case at < 0:
		return append(fields, wire.Field{Name: "Accept-Encoding", Value: "identity"})
	case awaitsNoText(fields):
		fields[at].Value = decodable(fields[at].Value)
	default:
		fields[at].Value = "identity"
	}
	return fields
}

// awaitsNoText goes by what a browser says of its request, and by Accept when it
// names nothing that could be text.
func awaitsNoText(fields []wire.Field) bool {
	switch value(fields, "Sec-Fetch-Dest") {
	case "image", "audio", "video", "font":
		return true
	}
	accept := value(fields, "Accept")
	for kind := range strings.SplitSeq(accept, ",") {
		media, _, _ := strings.Cut(kind, ";")
		if adapters.Maskable(media) {
			return false
		}
	}
	return accept != ""
}

// decodable keeps of an Accept-Encoding what decode can undo.
func decodable(accept string) string {
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
