package proxy

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/byline-proxy/byline/proxy/wire"
)

// minHostileCases guards against cases that are lost.
const minHostileCases = 300

// TestI2I10HostileInput runs the cases of testdata/hostile. The application
// receives exactly what a case says, and never a borrowed credential.
func TestI2I10HostileInput(t *testing.T) {
	// Cases whose answer is 408 need short timeouts. Others must not have them,
	// as they would fail on a busy machine.
	patient, impatient := startHostileServer(t, wire.Config{}), startHostileServer(t, shortTimeouts())

	cases := readHostileCases(t)
	for _, c := range cases {
		h := patient
		if slices.ContainsFunc(c.want, func(v verdict) bool { return v.status == http.StatusRequestTimeout }) {
			h = impatient
		}
		for _, kind := range c.connections {
			t.Run(c.family+"/"+c.name+"/"+kind, func(t *testing.T) { h.checkCase(t, c, kind) })
		}
	}
	if n := len(cases); n < minHostileCases {
		t.Errorf("%d cases, want at least %d", n, minHostileCases)
	}
}

func (h *hostileServer) checkCase(t *testing.T, c hostileCase, kind string) {
	if !strings.Contains(c.input, "{borrowed}") {
		t.Fatal("the input contains no borrowed credential")
	}
	placeholders := h.placeholders(kind)
	_, body, _ := strings.Cut(c.input, "\r\n\r\n")
	placeholders["length"] = strconv.Itoa(len(expand(t, body, placeholders)))

	h.origin.takeReceived() // that of the case before
	want := c.want
	var answers []rawAnswer
	if kind == "h2" {
		if c.wantH2 != nil {
			want = c.wantH2
		}
		fields, body := toHTTP2(c.input)
		for i, f := range fields {
			fields[i] = h2Field{string(expand(t, f.name, placeholders)), string(expand(t, f.value, placeholders))}
		}
		answers = h.exchangeH2(t, fields, expand(t, body, placeholders))
	} else {
		raw := expand(t, c.input, placeholders)
		if kind == "front" && !strings.Contains(c.input, "{proxy}") {
			raw = []byte(toAbsoluteForm(string(raw), h.credentials))
		}
		answers = h.exchangeH1(t, kind, raw, len(want))
	}

	verdicts := make([]verdict, len(answers))
	for i := range answers {
		verdicts[i] = answers[i].verdict
	}
	if !slices.Equal(verdicts, want) {
		t.Errorf("got answers %v, want %v:\n%+v", verdicts, want, answers)
	}
	h.checkReceived(t, c, kind, placeholders)
}

// checkReceived compares what the application received with the case.
func (h *hostileServer) checkReceived(t *testing.T, c hostileCase, kind string, placeholders map[string]string) {
	t.Helper()
	if c.cut {
		h.origin.waitForBrokenRequest(t)
	}
	got := h.origin.takeReceived()
	if strings.Contains(got.all, borrowedMark) {
		t.Errorf("I2: the application received the borrowed credential:\n%q", got.all)
	}
	if got.broken != "" && !c.cut {
		t.Errorf("the application received bytes that are not a request:\n%q", got.broken)
	}

	requests, _, _ := strings.Cut(got.requests, "GET /page/sentinel ")
	if boundary := canonicalBoundary.FindStringSubmatch(requests); boundary != nil {
		requests = strings.ReplaceAll(requests, boundary[1], "BOUNDARY")
	}
	if want := string(expand(t, c.received, placeholders)); !equalRequests(kind, requests, want) {
		t.Errorf("the application received\n%q\nwant\n%q", requests, want)
	}
}

// canonicalBoundary finds the boundary that a form goes out with, which is random.
var canonicalBoundary = regexp.MustCompile(`multipart/form-data; boundary=([0-9A-Za-z]{22,70})`)

// exchangeH1 sends raw and reads the expected number of answers. Then it checks
// that the connection has ended, or that it is at the beginning of a request, by
// sending another.
func (h *hostileServer) exchangeH1(t *testing.T, kind string, raw []byte, want int) []rawAnswer {
	t.Helper()
	conn := h.connect(t, kind)
	defer conn.Close()
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		conn.Write(raw)
	}()

	var answers []rawAnswer
	in := bufio.NewReader(conn)
	ended, switched := false, false
	for len(answers) < want && !ended {
		resp, err := http.ReadResponse(in, &http.Request{Method: methodFor(raw, len(answers))})
		if err != nil {
			t.Errorf("read answer %d of %d: %v", len(answers)+1, want, err)
			return answers
		}
		a := rawAnswer{verdict: verdict{status: resp.StatusCode}, header: resp.Header, ended: resp.Close}
		isTunnel := resp.StatusCode == http.StatusOK && resp.Request.Method == http.MethodConnect
		switched = resp.StatusCode == http.StatusSwitchingProtocols
		if !switched && !isTunnel {
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Errorf("answer %d broke off: %v", len(answers)+1, err)
			}
			a.body = string(body)
		}
		a.code = refusalCode(t, resp.Header, a.body)
		answers = append(answers, a)
		ended = resp.Close && !isTunnel || switched
	}
	<-sent

	switch {
	case switched:
	case ended:
		_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		if rest, err := io.ReadAll(in); len(rest) > 0 || err != nil && !isReset(err) {
			t.Errorf("after the last answer: got %q, error %v; want the end of the connection", rest, err)
		}
	default:
		h.checkNextRequest(t, kind, conn, in)
	}
	return answers
}

// checkNextRequest checks that a request on the connection is answered.
func (h *hostileServer) checkNextRequest(t *testing.T, kind string, conn net.Conn, in *bufio.Reader) {
	t.Helper()
	request := "GET /page/sentinel HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n"
	if kind == "front" {
		request = toAbsoluteForm(request, h.credentials)
	}
	io.WriteString(conn, request)
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Errorf("the next request on the connection: %v; want an answer, or the end of the connection before it", err)
		return
	}
	if body, _ := io.ReadAll(in); resp.StatusCode != 200 {
		t.Errorf("the next request on the connection: status %d, body %q; want 200", resp.StatusCode, body)
	}
}

// methodFor returns the method of the nth request as far as the framing of its
// answer depends on it.
func methodFor(raw []byte, n int) string {
	method, _, _ := strings.Cut(string(raw), " ")
	if n == 0 && (method == "HEAD" || method == "CONNECT") {
		return method
	}
	return "GET"
}

func isReset(err error) bool { return strings.Contains(err.Error(), "reset") }

// equalRequests compares requests byte for byte if they came over HTTP/1.1 in a
// tunnel. HTTP/2 and net/http, which parses absolute form, keep neither the order
// nor the case of names.
func equalRequests(kind, got, want string) bool {
	if kind == "tls" || kind == "plain" {
		return got == want
	}
	return normalizeHead(got) == normalizeHead(want)
}

// normalizeHead sorts the fields of a request and changes names to lower case.
func normalizeHead(s string) string {
	head, body, _ := strings.Cut(s, "\r\n\r\n")
	line, fields, _ := strings.Cut(head, "\r\n")
	lines := strings.Split(fields, "\r\n")
	for i, l := range lines {
		name, value, _ := strings.Cut(l, ":")
		lines[i] = strings.ToLower(name) + ":" + value
	}
	slices.Sort(lines)
	return line + "\n" + strings.Join(lines, "\n") + "\n\n" + body
}
