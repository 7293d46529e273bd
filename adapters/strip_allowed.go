package adapters

// allowedFields are the request fields that go on without being named in headers.pass, if their values are no
// credentials: those that describe a message or a preference, and that an application cannot take for a person. Names
// are in lower case with - for _.
var allowedFields = newNameSet(
	// Content negotiation, content and preferences (RFC 9110, RFC 9111, RFC 9530, RFC 7240, RFC 9218).
	"accept", "accept-charset", "accept-datetime", "accept-encoding", "accept-language", "accept-patch", "accept-post", "a-im",
	"content-digest", "content-disposition", "content-encoding", "content-id", "content-language", "content-length",
	"content-md5", "content-range", "content-transfer-encoding", "content-type", "date", "digest", "dnt", "early-data", "expect", "idempotency-key",
	"max-forwards", "mime-version", "prefer", "priority", "purpose", "repr-digest", "save-data", "sec-gpc", "sec-purpose", "te", "trailer",
	"upgrade-insecure-requests", "user-agent", "via", "want-content-digest", "want-digest", "want-repr-digest", "warning", "alt-used",

	// Caching and conditions (RFC 9110 section 13, RFC 9111, RFC 6638).
	"cache-control", "if-match", "if-modified-since", "if-none-match", "if-schedule-tag-match", "if-unmodified-since", "pragma",

	// Ranges and events (RFC 9110 section 14, HTML).
	"if-range", "last-event-id", "range", "request-range",

	// Fetch metadata, client hints and CORS.
	"sec-fetch-dest", "sec-fetch-mode", "sec-fetch-site", "sec-fetch-storage-access", "sec-fetch-user",
	"device-memory", "downlink", "dpr", "ect", "rtt", "viewport-width", "width",
	"sec-ch-device-memory", "sec-ch-dpr", "sec-ch-downlink", "sec-ch-ect", "sec-ch-prefers-color-scheme", "sec-ch-prefers-contrast",
	"sec-ch-prefers-reduced-data", "sec-ch-prefers-reduced-motion", "sec-ch-prefers-reduced-transparency", "sec-ch-rtt", "sec-ch-save-data",
	"sec-ch-ua", "sec-ch-ua-arch", "sec-ch-ua-bitness", "sec-ch-ua-form-factors", "sec-ch-ua-full-version", "sec-ch-ua-full-version-list",
	"sec-ch-ua-mobile", "sec-ch-ua-model", "sec-ch-ua-platform", "sec-ch-ua-platform-version", "sec-ch-ua-wow64",
	"sec-ch-viewport-height", "sec-ch-viewport-width", "sec-ch-width",
	"access-control-request-headers", "access-control-request-local-network", "access-control-request-method",
	"access-control-request-private-network", "origin", "service-worker", "service-worker-navigation-preload",

	// WebSocket (RFC 6455).
	"sec-websocket-key", "sec-websocket-version",

	// Tokens and marks against request forgery.
	"anti-csrf-token", "csrf-token", "requestverificationtoken", "requesttoken", "x-anti-forgery-token", "x-csrf-token", "x-csrftoken",
	"x-request-verification-token", "x-requested-with", "x-requestverificationtoken", "x-wp-nonce", "x-xsrf-token", "xsrf-token",

	// WebDAV, CalDAV and SOAP (RFC 4918, RFC 3253, RFC 3648, RFC 6638).
	"apply-to-redirect-ref", "brief", "depth", "if", "label", "lock-token", "ordering-type", "overwrite", "position",
	"schedule-reply", "soapaction", "timeout", "translate",
)

// destinationFields lead to a second resource. They go on as a URL of the application alone.
var destinationFields = newNameSet("content-location", "destination")

// rereadingFields make an application, or a server in front of it, read another method, path or host than the request
// has. They are held even if headers.pass names them, unless the adapter says what they mean.
var rereadingFields = newNameSet(
	"x-http-method", "x-http-method-override", "x-method-override", "x-original-method", "x-forwarded-method",
	"x-original-url", "x-original-uri", "x-original-path", "x-rewrite-url", "x-rewrite-uri", "x-waws-unencoded-url", "x-forwarded-uri", "x-forwarded-path", "x-forwarded-prefix", "x-request-uri",
	"x-original-host", "x-forwarded-host", "x-forwarded-server", "x-host", "x-http-host-override",
)

// allowedTrailers are the fields that may follow a body: an application may merge trailers with the head, so no field
// that changes how a request is read is among them (RFC 9110 section 6.5.1).
var allowedTrailers = newNameSet("content-digest", "content-md5", "digest", "repr-digest")

// allowedValues are fields that go on with one of these values alone, without regard to case.
var allowedValues = map[string][]string{
	"x-atlassian-token": {"no-check", "nocheck"},
}

// signatureFields say together who signed a request (RFC 9421, and the draft on Signature-Agent). An application that
// gets some of them without the others would verify something else than what was signed.
var signatureFields = newNameSet("signature", "signature-input", "signature-agent")

// nameSet is a set of names of header fields.
type nameSet map[string]bool

func newNameSet(names ...string) nameSet {
	set := nameSet{}
	for _, name := range names {
		set[name] = true
	}
	return set
}
