package sinks

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	common "go.opentelemetry.io/proto/otlp/common/v1"
	logs "go.opentelemetry.io/proto/otlp/logs/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// otlpCollector keeps the requests that it gets.
type otlpCollector struct {
	mu       sync.Mutex
	requests []*logs.LogsData
	paths    []string
	answer   []byte
}

func (c *otlpCollector) serve(t *testing.T) httpsReceiver {
	return startHTTPS(t, func(w http.ResponseWriter, r *http.Request, body []byte) {
		data := &logs.LogsData{}
		if err := proto.Unmarshal(body, data); err != nil {
			t.Error(err)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.requests = append(c.requests, data)
		c.paths = append(c.paths, r.URL.Path)
		_, _ = w.Write(c.answer)
	})
}

func (c *otlpCollector) bodies(*testing.T) (bodies []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, data := range c.requests {
		for _, r := range data.ResourceLogs {
			for _, s := range r.ScopeLogs {
				for _, record := range s.LogRecords {
					bodies = append(bodies, record.Body.GetStringValue())
				}
			}
		}
	}
	return bodies
}

func TestOTLPContract(t *testing.T) {
	var c otlpCollector
	r := c.serve(t)
	testSink(t, sinkContract{
		config:   Config{Kind: "otlp", URL: r.url, CA: r.ca},
		received: c.bodies,
		stop:     r.stop,
	})
}

func TestOTLPGroupsLogRecordsByInstance(t *testing.T) {
	var c otlpCollector
	r := c.serve(t)
	deliver(t, openSink(t, Config{Kind: "otlp", URL: r.url, CA: r.ca}), testLines(5))

	if len(c.requests) != 1 || c.paths[0] != "/v1/logs" || len(c.requests[0].ResourceLogs) != 1 {
		t.Fatalf("requests %v to %v, want one with one instance to /v1/logs", c.requests, c.paths)
	}
	records := c.requests[0].ResourceLogs[0].ScopeLogs[0].LogRecords
	wantTime := uint64(time.Date(2026, 11, 25, 8, 0, 0, 1000, time.UTC).UnixNano())
	if len(records) != 5 || records[0].EventName != "byline.intent" || records[1].TimeUnixNano != wantTime {
		t.Errorf("log records %v, want 5 intents with their times", records)
	}
}

func TestOTLPRejectedRecordsAreAnError(t *testing.T) {
	var c otlpCollector
	r := c.serve(t)
	s := openSink(t, Config{Kind: "otlp", URL: r.url, CA: r.ca})

	partialSuccess := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), 2)
	c.answer = protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), partialSuccess)
	if err := s.Deliver(t.Context(), testLines(5)); err == nil || !strings.Contains(err.Error(), "rejected 2 of 5") {
		t.Errorf("a partial success: Deliver returned %v, want an error", err)
	}

	c.answer = []byte{0xff}
	if err := s.Deliver(t.Context(), testLines(5)); err == nil {
		t.Error("an answer that is not OTLP: Deliver returned nil")
	}
}

func TestOTLPAttributes(t *testing.T) {
	for _, c := range []struct{ record, want string }{
		{
			string(testLines(2)[1]),
			`INFO 9 byline.account=agent-01 byline.action=page.edit byline.adapter=wiki byline.agent=agent/triage byline.record=r_1 ` +
				`byline.resource=page/"A"] byline.seq=1 byline.sponsor=alice@acme.example byline.task=t_1 ` +
				`http.request.method=POST server.address=wiki.acme.example server.port=443 url.path=/index.php`,
		},
		{
			`{"kind":"outcome","method":"PROPFIND","host":"[::1]:8443","status":404}`,
			`WARN 13 byline.seq=0 http.request.method=_OTHER http.request.method_original=PROPFIND http.response.status_code=404 ` +
				`server.address=::1 server.port=8443`,
		},
		{
			`{"kind":"task","code":"ended","detail":"ended: done"}`,
			`INFO 9 byline.code=ended byline.seq=0`,
		},
	} {
		if got := describeOTLP(t, c.record); got != c.want {
			t.Errorf("%s:\ngot  %s\nwant %s", c.record, got, c.want)
		}
	}
}

// describeOTLP returns the severity of a log record and its attributes, sorted.
func describeOTLP(t *testing.T, record string) string {
	t.Helper()
	e, err := parseEvent([]byte(record))
	if err != nil {
		t.Fatal(err)
	}

	r := e.toOTLP(nil)
	var attributes []string
	for _, a := range r.Attributes {
		v := a.Value.GetStringValue()
		if n, ok := a.Value.Value.(*common.AnyValue_IntValue); ok {
			v = fmt.Sprint(n.IntValue)
		}
		attributes = append(attributes, a.Key+"="+v)
	}
	slices.Sort(attributes)
	return fmt.Sprintf("%s %d %s", r.SeverityText, r.SeverityNumber, strings.Join(attributes, " "))
}
