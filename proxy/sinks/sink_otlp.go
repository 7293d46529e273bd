package sinks

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/url"
	"strings"

	common "go.opentelemetry.io/proto/otlp/common/v1"
	logs "go.opentelemetry.io/proto/otlp/logs/v1"
	resource "go.opentelemetry.io/proto/otlp/resource/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// otlpSink posts OTLP logs over HTTP in protobuf (OTLP 1.x, section
// OTLP/HTTP). The exporter of the OpenTelemetry SDK keeps a queue of its own
// that drops what does not fit, so the messages alone are taken from it.
type otlpSink struct {
	web
	format string
}

func newOTLP(c *Config, t *tls.Config, secret []string) Sink {
	at := c.URL
	if u, err := url.Parse(at); err == nil && strings.Trim(u.Path, "/") == "" {
		at = strings.TrimSuffix(at, "/") + "/v1/logs"
	}
	return &otlpSink{newWeb(c, t, secret, at), c.Format}
}

// Deliver posts the lines as one request. Log records that the collector says
// it rejected are an error: the batch comes again. OTLP has a client drop them,
// as it does after a 4xx; a record may be late, and never left out.
func (s *otlpSink) Deliver(ctx context.Context, lines [][]byte) error {
	bodies, err := formatted(s.format, lines)
	if err != nil {
		return err
	}
	byInstance := map[string]*logs.ScopeLogs{}
	request := &logs.LogsData{} // on the wire the same as ExportLogsServiceRequest, whose package brings all of gRPC along
	for i, line := range lines {
		e, err := parse(line)
		if err != nil {
			return err
		}
		scope := byInstance[e.Instance]
		if scope == nil {
			scope = &logs.ScopeLogs{Scope: &common.InstrumentationScope{Name: "byline/audit"}}
			byInstance[e.Instance] = scope
			request.ResourceLogs = append(request.ResourceLogs, &logs.ResourceLogs{ScopeLogs: []*logs.ScopeLogs{scope},
				Resource: &resource.Resource{Attributes: attributes("service.name", "byline", "service.version", asText(product()["version"]), "service.instance.id", e.Instance)}})
		}
		scope.LogRecords = append(scope.LogRecords, e.otlp(bodies[i]))
	}
	body, err := proto.Marshal(request)
	if err != nil {
		return err
	}
	answer, err := s.post(ctx, "application/x-protobuf", body)
	if err != nil {
		return err
	}
	n, err := rejected(answer)
	if err != nil {
		return fmt.Errorf("the collector's answer is no OTLP: %w", err)
	}
	if n > 0 {
		return fmt.Errorf("the collector rejected %d of %d records", n, len(lines))
	}
	return nil
}

// rejected is rejected_log_records (field 1) of partial_success (field 1) of an
// ExportLogsServiceResponse.
func rejected(answer []byte) (n uint64, err error) {
	err = fields(answer, func(field protowire.Number, value []byte, _ uint64) error {
		if field != 1 {
			return nil
		}
		return fields(value, func(field protowire.Number, _ []byte, number uint64) error {
			if field == 1 {
				n = number
			}
			return nil
		})
	})
	return n, err
}

// fields visits the fields of a protobuf message: value for those with a
// length, number for varints.
func fields(b []byte, visit func(field protowire.Number, value []byte, number uint64) error) error {
	for len(b) > 0 {
		field, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		b = b[n:]
		var value []byte
		var number uint64
		switch kind {
		case protowire.BytesType:
			value, n = protowire.ConsumeBytes(b)
		case protowire.VarintType:
			number, n = protowire.ConsumeVarint(b)
		default:
			n = protowire.ConsumeFieldValue(field, kind, b)
		}
		if n < 0 {
			return protowire.ParseError(n)
		}
		b = b[n:]
		if err := visit(field, value, number); err != nil {
			return err
		}
	}
	return nil
}

func (e *event) otlp(body []byte) *logs.LogRecord {
	severity, text := logs.SeverityNumber_SEVERITY_NUMBER_INFO, "INFO"
	if _, level := e.verdict(); level > severityInfo {
		severity, text = logs.SeverityNumber_SEVERITY_NUMBER_WARN, "WARN"
	}
	at := endpoint(e.Host)
	all := attributes("byline.record", e.ID, "byline.agent", e.Agent, "byline.sponsor", e.Sponsor, "byline.task", e.Task,
		"byline.adapter", e.Adapter, "byline.action", e.Action, "byline.resource", e.Resource, "byline.account", e.Account, "byline.code", e.Code,
		"server.address", first(asText(at["hostname"]), asText(at["ip"])), "url.path", e.Path)
	all = append(all, number("byline.seq", int64(e.Seq)))
	if port, ok := at["port"].(uint64); ok {
		all = append(all, number("server.port", int64(port)))
	}
	if e.Method != "" {
		all = append(all, e.method()...)
	}
	if e.Status > 0 {
		all = append(all, number("http.response.status_code", int64(e.Status)))
	}
	return &logs.LogRecord{TimeUnixNano: uint64(e.Time.UnixNano()), ObservedTimeUnixNano: uint64(e.Time.UnixNano()), SeverityNumber: severity, SeverityText: text,
		EventName: "byline." + first(e.Kind, "record"), Body: &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: string(body)}}, Attributes: all}
}

// method has few values, as the conventions for HTTP want it: another method
// than the usual ones is _OTHER, and beside it as it was.
func (e *event) method() []*common.KeyValue {
	if ocsfMethods[e.Method] || e.Method == "PATCH" {
		return attributes("http.request.method", e.Method)
	}
	return attributes("http.request.method", "_OTHER", "http.request.method_original", e.Method)
}

func number(key string, n int64) *common.KeyValue {
	return &common.KeyValue{Key: key, Value: &common.AnyValue{Value: &common.AnyValue_IntValue{IntValue: n}}}
}

// attributes are pairs of key and text; empty text is left out.
func attributes(pairs ...string) (all []*common.KeyValue) {
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			all = append(all, &common.KeyValue{Key: pairs[i], Value: &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: pairs[i+1]}}})
		}
	}
	return all
}
