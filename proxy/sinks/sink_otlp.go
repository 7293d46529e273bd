package sinks

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	common "go.opentelemetry.io/proto/otlp/common/v1"
	logs "go.opentelemetry.io/proto/otlp/logs/v1"
	resource "go.opentelemetry.io/proto/otlp/resource/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

func init() {
	register("otlp", kind{
		schemes: []string{"https", "http"},
		open: func(c *Config, a access) (Sink, error) {
			return &otlpSink{newPoster(logsURL(c.URL), a), c.Format}, nil
		},
	})
}

// otlpSink posts OTLP logs over HTTP in protobuf (OTLP 1.x, section OTLP/HTTP).
// It does not use the exporter of the OpenTelemetry SDK, whose queue drops what
// does not fit.
type otlpSink struct {
	poster
	format string
}

// logsURL appends the default path of OTLP/HTTP to a URL without a path.
func logsURL(text string) string {
	u, err := url.Parse(text)
	if err != nil || strings.Trim(u.Path, "/") != "" {
		return text
	}
	return strings.TrimSuffix(text, "/") + "/v1/logs"
}

// Deliver implements [Sink] with one request. If the collector rejected any log
// record, the batch is an error and is delivered again. OTLP tells clients to
// drop rejected records, as after a 4xx; here a record may be late, but is never
// left out.
func (s *otlpSink) Deliver(ctx context.Context, lines [][]byte) error {
	bodies, err := formatLines(s.format, lines)
	if err != nil {
		return err
	}
	request, err := logsData(lines, bodies)
	if err != nil {
		return err
	}
	body, err := proto.Marshal(request)
	if err != nil {
		return err
	}

	answer, err := s.post(ctx, "application/x-protobuf", body)
	if err != nil {
		return err
	}
	rejected, err := rejectedRecords(answer)
	if err != nil {
		return fmt.Errorf("the collector's answer is not OTLP: %w", err)
	}
	if rejected > 0 {
		return fmt.Errorf("the collector rejected %d of %d records", rejected, len(lines))
	}
	return nil
}

// logsData returns the log records of the lines, grouped by instance. On the
// wire it is an ExportLogsServiceRequest, whose package would import all of gRPC.
func logsData(lines, bodies [][]byte) (*logs.LogsData, error) {
	data := &logs.LogsData{}
	byInstance := map[string]*logs.ScopeLogs{}

	for i, line := range lines {
		e, err := parseEvent(line)
		if err != nil {
			return nil, err
		}

		scope := byInstance[e.Instance]
		if scope == nil {
			scope = &logs.ScopeLogs{Scope: &common.InstrumentationScope{Name: "byline/audit"}}
			byInstance[e.Instance] = scope
			data.ResourceLogs = append(data.ResourceLogs, &logs.ResourceLogs{
				Resource: &resource.Resource{Attributes: textAttributes(
					"service.name", "byline",
					"service.version", asText(product()["version"]),
					"service.instance.id", e.Instance,
				)},
				ScopeLogs: []*logs.ScopeLogs{scope},
			})
		}

		scope.LogRecords = append(scope.LogRecords, e.toOTLP(bodies[i]))
	}
	return data, nil
}

// rejectedRecords returns rejected_log_records (field 1) of partial_success
// (field 1) of an ExportLogsServiceResponse.
func rejectedRecords(answer []byte) (n uint64, err error) {
	err = eachField(answer, func(field protowire.Number, value []byte, _ uint64) error {
		if field != 1 {
			return nil
		}
		return eachField(value, func(field protowire.Number, _ []byte, number uint64) error {
			if field == 1 {
				n = number
			}
			return nil
		})
	})
	return n, err
}

// eachField calls visit for every field of a protobuf message, with the value of
// a field that has a length, or the number of a varint.
func eachField(message []byte, visit func(field protowire.Number, value []byte, number uint64) error) error {
	for len(message) > 0 {
		field, wireType, n := protowire.ConsumeTag(message)
		if n < 0 {
			return protowire.ParseError(n)
		}
		message = message[n:]

		var value []byte
		var number uint64
		switch wireType {
		case protowire.BytesType:
			value, n = protowire.ConsumeBytes(message)
		case protowire.VarintType:
			number, n = protowire.ConsumeVarint(message)
		default:
			n = protowire.ConsumeFieldValue(field, wireType, message)
		}
		if n < 0 {
			return protowire.ParseError(n)
		}
		message = message[n:]

		if err := visit(field, value, number); err != nil {
			return err
		}
	}
	return nil
}

// toOTLP returns the event as a log record, with attributes of the semantic
// conventions for HTTP where there is one.
func (e *event) toOTLP(body []byte) *logs.LogRecord {
	severity, severityText := logs.SeverityNumber_SEVERITY_NUMBER_INFO, "INFO"
	if _, level := e.verdict(); level > severityInfo {
		severity, severityText = logs.SeverityNumber_SEVERITY_NUMBER_WARN, "WARN"
	}

	at := endpoint(e.Host)
	all := textAttributes(
		"byline.record", e.ID,
		"byline.agent", e.Agent,
		"byline.sponsor", e.Sponsor,
		"byline.task", e.Task,
		"byline.adapter", e.Adapter,
		"byline.action", e.Action,
		"byline.resource", e.Resource,
		"byline.account", e.Account,
		"byline.code", e.Code,
		"server.address", firstText(asText(at["hostname"]), asText(at["ip"])),
		"url.path", e.Path,
	)
	all = append(all, intAttribute("byline.seq", int64(e.Seq)))
	if port, ok := at["port"].(uint64); ok {
		all = append(all, intAttribute("server.port", int64(port)))
	}
	if e.Method != "" {
		all = append(all, methodAttributes(e.Method)...)
	}
	if e.Status > 0 {
		all = append(all, intAttribute("http.response.status_code", int64(e.Status)))
	}

	return &logs.LogRecord{
		TimeUnixNano:         uint64(e.Time.UnixNano()),
		ObservedTimeUnixNano: uint64(e.Time.UnixNano()),
		SeverityNumber:       severity,
		SeverityText:         severityText,
		EventName:            "byline." + firstText(e.Kind, "record"),
		Body:                 &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: string(body)}},
		Attributes:           all,
	}
}

// methodAttributes keeps http.request.method to a few values, as the semantic
// conventions require: an unusual method is _OTHER, with the original next to it.
func methodAttributes(method string) []*common.KeyValue {
	if ocsfMethods[method] || method == "PATCH" {
		return textAttributes("http.request.method", method)
	}
	return textAttributes("http.request.method", "_OTHER", "http.request.method_original", method)
}

func intAttribute(key string, n int64) *common.KeyValue {
	return &common.KeyValue{Key: key, Value: &common.AnyValue{Value: &common.AnyValue_IntValue{IntValue: n}}}
}

// textAttributes takes pairs of key and text, and leaves out those whose text is
// empty.
func textAttributes(pairs ...string) (all []*common.KeyValue) {
	for i := 0; i < len(pairs); i += 2 {
		key, text := pairs[i], pairs[i+1]
		if text == "" {
			continue
		}
		all = append(all, &common.KeyValue{Key: key, Value: &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: text}}})
	}
	return all
}
