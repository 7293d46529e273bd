package proxy

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"html/template"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/dunglas/httpsfv"

	"github.com/byline-proxy/byline/proxy/wire"
)

// problem is the body of a refusal (RFC 9457 section 3.1).
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Code   Code   `json:"code"`
	Record string `json:"record,omitempty"`
}

func (r *Refusal) problem(record string) problem {
	return problem{
		Type: "https://byline.dev/refusals#" + string(r.Code), Title: codes[r.Code].title,
		Status: r.status(), Detail: r.Detail, Code: r.Code, Record: record,
	}
}

//go:embed refusal_page.html
var refusalPageText string

// refusalPage shows a problem to a person.
var refusalPage = template.Must(template.New("refusal").Parse(refusalPageText))

// body returns the refusal as a page if that is what the agent prefers, else as problem
// details.
func (r *Refusal) body(asPage bool, record string) []byte {
	var b bytes.Buffer
	if asPage {
		_ = refusalPage.Execute(&b, r.problem(record)) // writing to a buffer never fails
		return b.Bytes()
	}

	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(r.problem(record)) // strings and an int always encode
	return b.Bytes()
}

func (r *Refusal) fields(asPage bool, record string) []wire.Field {
	f := []wire.Field{
		{Name: "Content-Type", Value: "application/problem+json"},
		{Name: "Cache-Control", Value: "no-store"},
		{Name: "Proxy-Status", Value: r.proxyStatus()},
		{Name: "Byline-Record", Value: record},
	}
	if asPage {
		f[0].Value = "text/html; charset=utf-8"
		f = append(f, wire.Field{Name: "Content-Security-Policy", Value: "default-src 'none'; style-src 'unsafe-inline'"})
	}
	if r.status() == http.StatusProxyAuthRequired {
		f = append(f, wire.Field{Name: "Proxy-Authenticate", Value: `Basic realm="byline task"`})
	}
	if r.Retry > 0 {
		f = append(f, wire.Field{Name: "Retry-After", Value: strconv.Itoa(r.Retry)})
	}
	return f
}

// proxyErrors are the error types of RFC 9209 section 2.3 that are more exact than
// http_request_denied.
var proxyErrors = map[Code]string{
	UpstreamUnreached: "destination_unavailable",
	UpstreamTLS:       "tls_certificate_error",
	LeaseUnavailable:  "connection_limit_reached",
	TooManyTunnels:    "connection_limit_reached",
	OverBudget:        "connection_limit_reached",
	NotRecorded:       "proxy_internal_error",
	Drained:           "proxy_internal_error",
	AmbiguousRequest:  "http_request_error",
	TooLarge:          "http_request_error",
}

// proxyStatus returns the refusal as RFC 9209 has it. Clients that show no body may show
// this field.
func (r *Refusal) proxyStatus() string {
	kind := proxyErrors[r.Code]
	if kind == "" {
		kind = "http_request_denied"
	}

	item := httpsfv.NewItem(httpsfv.Token("byline"))
	item.Params.Add("error", httpsfv.Token(kind))
	item.Params.Add("details", r.inOneLine())
	text, err := httpsfv.Marshal(item)
	if err != nil {
		return "byline; error=" + kind
	}
	return text
}

// maxLine bounds a refusal in one line, in bytes. Clients print the line whole.
const maxLine = 240

// inOneLine returns code and detail in printable ASCII.
func (r *Refusal) inOneLine() string {
	line := []byte(string(r.Code) + ": " + r.Detail)
	line = line[:min(len(line), maxLine)]
	for i, c := range line {
		if c < ' ' || c > '~' {
			line[i] = '?'
		}
	}
	return string(line)
}

// prefersPage reports whether the value of Accept is that of a browser that opens a
// page: it names HTML, and no JSON.
func prefersPage(accept string) bool {
	page := false
	for part := range strings.SplitSeq(accept, ",") {
		kind, params, err := mime.ParseMediaType(part)
		switch {
		case err != nil || params["q"] == "0":
		case kind == "text/html" || kind == "application/xhtml+xml":
			page = true
		case kind == "application/json" || kind == "application/problem+json":
			return false
		}
	}
	return page
}

// response returns the refusal as an answer to the request in.
func (r *Refusal) response(in *wire.Head, record string) *wire.Response {
	asPage := prefersPage(wire.Value(in.Fields, "Accept"))
	b := r.body(asPage, record)
	return &wire.Response{
		Status: r.status(), Fields: r.fields(asPage, record),
		Length: int64(len(b)), Body: io.NopCloser(bytes.NewReader(b)),
	}
}

// http returns the refusal as the answer to a request that came to the proxy port
// itself. Its reason phrase says what is refused: many clients print it, and nothing
// else of the answer to a CONNECT.
func (r *Refusal) http(req *http.Request, record string) *http.Response {
	asPage := prefersPage(req.Header.Get("Accept"))
	h := http.Header{}
	for _, f := range r.fields(asPage, record) {
		h.Set(f.Name, f.Value)
	}

	b := r.body(asPage, record)
	return &http.Response{
		Status: strconv.Itoa(r.status()) + " " + r.inOneLine(), StatusCode: r.status(),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: h, Request: req, Close: true,
		Body: io.NopCloser(bytes.NewReader(b)), ContentLength: int64(len(b)),
	}
}
