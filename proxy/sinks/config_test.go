package sinks

import (
	"bufio"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	common "go.opentelemetry.io/proto/otlp/common/v1"
	logs "go.opentelemetry.io/proto/otlp/logs/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// lines are n records as they lie in a log.
func lines(n int) (out [][]byte) {
	for i := range n {
		out = append(out, fmt.Appendf(nil, `{"v":1,"seq":%d,"prev":"00","time":"2026-11-25T08:00:00.%06dZ","id":"r_%d","kind":"intent","instance":"eu-1","agent":"agent/triage","sponsor":"alice@acme.example","task":"t_1","adapter":"wiki","action":"page.edit","resource":"page/\"A\"]","method":"POST","host":"wiki.acme.example:443","path":"/index.php","account":"agent-01","decision":{"effect":"permit","policies":["scope[0]"]}}`, i, i, i))
	}
	return out
}

func open(t *testing.T, c Config) Sink {
	t.Helper()
	c.Name = "test"
	c.SetDefaults()
	if problems := c.Check(); len(problems) > 0 {
		t.Fatal(errors.Join(problems...))
	}
	s, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func deliver(t *testing.T, s Sink, l [][]byte) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := s.Deliver(ctx, l); err != nil {
		t.Fatal(err)
	}
}

func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// receiver is an HTTPS endpoint that answers as it is told.
func receiver(t *testing.T, answer func(w http.ResponseWriter, r *http.Request, body []byte)) (url, ca string) {
	t.Helper()
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		answer(w, r, b)
	}))
	t.Cleanup(s.Close)
	return s.URL, file(t, "ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})))
}

func TestHTTPPostsJSONLines(t *testing.T) {
	var got []string
	var kind, auth string
	status := http.StatusAccepted
	url, ca := receiver(t, func(w http.ResponseWriter, r *http.Request, body []byte) {
		kind, auth = r.Header.Get("Content-Type"), r.Header.Get("Authorization")
		for s := bufio.NewScanner(strings.NewReader(string(body))); s.Scan(); {
			got = append(got, s.Text())
		}
		w.WriteHeader(status)
	})
	s := open(t, Config{Kind: "http", URL: url, CA: ca, SecretFile: file(t, "token", "tok-1\n")})
	deliver(t, s, lines(3))
	if len(got) != 3 || got[2] != string(lines(3)[2]) || kind != "application/x-ndjson" || auth != "Bearer tok-1" {
		t.Errorf("%d lines as %s with %q", len(got), kind, auth)
	}
	for _, status = range []int{301, 400, 429, 503} {
		if err := s.Deliver(context.Background(), lines(1)); err == nil || strings.Contains(err.Error(), "tok-1") {
			t.Errorf("status %d: %v", status, err)
		}
	}
	if err := open(t, Config{Kind: "http", URL: url}).Deliver(context.Background(), lines(1)); err == nil {
		t.Error("a certificate that nobody vouches for was accepted")
	}
}

func TestOTLPTellsWhatACollectorReads(t *testing.T) {
	var got logs.LogsData
	var path string
	var answer []byte
	url, ca := receiver(t, func(w http.ResponseWriter, r *http.Request, body []byte) {
		path = r.URL.Path
		if err := proto.Unmarshal(body, &got); err != nil {
			t.Error(err)
		}
		w.Write(answer)
	})
	s := open(t, Config{Kind: "otlp", URL: url, CA: ca})
	deliver(t, s, lines(5))
	if path != "/v1/logs" || len(got.ResourceLogs) != 1 {
		t.Fatalf("%s: %v", path, &got)
	}
	records := got.ResourceLogs[0].ScopeLogs[0].LogRecords
	if len(records) != 5 || records[4].Body.GetStringValue() != string(lines(5)[4]) || records[0].EventName != "byline.intent" ||
		records[1].TimeUnixNano != uint64(time.Date(2026, 11, 25, 8, 0, 0, 1000, time.UTC).UnixNano()) {
		t.Errorf("%v", records)
	}
	for _, c := range []struct {
		record string
		want   string
	}{
		{string(lines(2)[1]), `INFO 9 byline.account=agent-01 byline.action=page.edit byline.adapter=wiki byline.agent=agent/triage byline.record=r_1 byline.resource=page/"A"] byline.seq=1 byline.sponsor=alice@acme.example byline.task=t_1 ` +
			`http.request.method=POST server.address=wiki.acme.example server.port=443 url.path=/index.php`},
		{`{"kind":"outcome","method":"PROPFIND","host":"[::1]:8443","status":404}`, `WARN 13 byline.seq=0 http.request.method=_OTHER http.request.method_original=PROPFIND http.response.status_code=404 server.address=::1 server.port=8443`},
		{`{"kind":"task","code":"ended","detail":"ended: done"}`, `INFO 9 byline.code=ended byline.seq=0`},
	} {
		if got := told(t, c.record); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
	partial := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), 2)
	answer = protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), partial)
	if err := s.Deliver(context.Background(), lines(5)); err == nil || !strings.Contains(err.Error(), "rejected 2 of 5") {
		t.Errorf("a partial success: %v", err)
	}
	answer = []byte{0xff}
	if err := s.Deliver(context.Background(), lines(5)); err == nil {
		t.Error("an answer that is no OTLP was taken for success")
	}
}

// told is what an OTLP log record says: severity, then attributes in order.
func told(t *testing.T, record string) string {
	t.Helper()
	e, err := parse([]byte(record))
	if err != nil {
		t.Fatal(err)
	}
	r := e.otlp(nil)
	var all []string
	for _, a := range r.Attributes {
		v := a.Value.GetStringValue()
		if n, ok := a.Value.Value.(*common.AnyValue_IntValue); ok {
			v = fmt.Sprint(n.IntValue)
		}
		all = append(all, a.Key+"="+v)
	}
	slices.Sort(all)
	return fmt.Sprintf("%s %d %s", r.SeverityText, r.SeverityNumber, strings.Join(all, " "))
}

// rfc5424 is the grammar of section 6, with its limits on length.
var rfc5424 = regexp.MustCompile(`^<(\d{1,3})>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,6}Z [!-~]{1,255} [!-~]{1,48} [!-~]{1,128} [!-~]{1,32} ` +
	`\[[!#-<>-\\^-~]{1,32}(?: [!#-<>-\\^-~]{1,32}="(?:[^"\\\]]|\\["\\\]])*")*\] `)

// TestSyslogKeepsToTheGrammar: whatever a record holds, the head of the message
// stays within RFC 5424, so that no value can pass for another field.
func TestSyslogKeepsToTheGrammar(t *testing.T) {
	long := strings.Repeat("x", 400)
	for name, c := range map[string]struct{ self, record, pri string }{
		"usual":            {"proxy-1", string(lines(1)[0]), "110"},
		"a warning":        {"proxy-1", `{"kind":"alert","code":"borrowed_seen"}`, "108"},
		"nothing":          {"", `{}`, "110"},
		"long":             {long, `{"kind":"` + long + `","agent":"` + long + `"}`, "110"},
		"quotes and ends":  {"a b", `{"kind":"in tent","agent":"a\"b]c\\d\\","sponsor":"]\"","id":"\\"}`, "110"},
		"other characters": {"hôte", `{"kind":"é\u0000\n","agent":"é\n\u0000","code":"\ud800"}`, "108"},
	} {
		e, err := parse([]byte(c.record))
		if err != nil {
			t.Fatal(err)
		}
		got := (&syslogSink{self: c.self}).message(e, []byte(c.record))
		m := rfc5424.FindSubmatch(got)
		if m == nil || !utf8.Valid(got) || !strings.HasSuffix(string(got), "] "+c.record) {
			t.Errorf("%s: %q", name, got)
		} else if string(m[1]) != c.pri {
			t.Errorf("%s: priority %s, want %s", name, m[1], c.pri)
		}
	}
}

func TestCheckNamesEveryProblem(t *testing.T) {
	for _, c := range []struct {
		name string
		c    Config
		want string
	}{
		{"nothing", Config{}, "name:"},
		{"kind", Config{Name: "a", Kind: "kafka"}, "kind: \"kafka\" is none of http"},
		{"plain HTTP to elsewhere", Config{Name: "a", Kind: "http", URL: "http://siem.acme.example"}, "url: http:// to another machine"},
		{"plain Redis to elsewhere", Config{Name: "a", Kind: "redis", URL: "redis://10.0.0.1:6379"}, "rediss://"},
		{"syslog without TLS", Config{Name: "a", Kind: "syslog", URL: "udp://siem:514"}, "write it like tls://host"},
		{"a password in the URL", Config{Name: "a", Kind: "redis", URL: "rediss://u:p@redis.acme.example"}, "put them in secret_file"},
		{"storage without a bucket", Config{Name: "a", Kind: "s3", URL: "https://s3.acme.example"}, "bucket: is missing"},
		{"a lock elsewhere", Config{Name: "a", Kind: "http", URL: "https://x.example", RetainDays: 3}, "retain_days:"},
		{"half a certificate", Config{Name: "a", Kind: "http", URL: "https://x.example", ClientCert: "x"}, "client_cert:"},
		{"format", Config{Name: "a", Kind: "http", URL: "https://x.example", Format: "cef"}, "format:"},
	} {
		c.c.SetDefaults()
		if err := errors.Join(c.c.Check()...); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "u:p@") {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	for name, c := range map[string]Config{
		"a secret that others read": {Kind: "http", URL: "https://x.example", SecretFile: readable(t)},
		"an empty secret":           {Kind: "http", URL: "https://x.example", SecretFile: file(t, "s", " \n")},
		"no such CA":                {Kind: "http", URL: "https://x.example", CA: "/none"},
		"half an S3 secret":         {Kind: "s3", URL: "https://x.example", Bucket: "b", SecretFile: file(t, "s", "one")},
	} {
		if s, err := Open(c); err == nil {
			s.Close()
			t.Errorf("%s: it was opened", name)
		}
	}
}

func readable(t *testing.T) string {
	path := file(t, "secret", "x")
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}
