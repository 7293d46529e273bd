package sinks

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"
)

// rfc5424 is the grammar of section 6, with its limits on length.
var rfc5424 = regexp.MustCompile(`^<(\d{1,3})>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,6}Z [!-~]{1,255} [!-~]{1,48} [!-~]{1,128} [!-~]{1,32} ` +
	`\[[!#-<>-\\^-~]{1,32}(?: [!#-<>-\\^-~]{1,32}="(?:[^"\\\]]|\\["\\\]])*")*\] `)

// syslogReceiver reads RFC 5425 frames and answers close_notify with its own.
type syslogReceiver struct {
	mu     sync.Mutex
	bodies []string
}

func (r *syslogReceiver) get(*testing.T) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string{}, r.bodies...)
}

func (r *syslogReceiver) serve(t *testing.T, l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		text, err := io.ReadAll(conn)
		if err == nil {
			r.read(t, string(text))
		}
		conn.Close()
	}
}

func (r *syslogReceiver) read(t *testing.T, frames string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for frames != "" {
		length, rest, _ := strings.Cut(frames, " ")
		n, err := strconv.Atoi(length)
		if err != nil || n > len(rest) {
			t.Errorf("%.100q does not begin with a frame", frames)
			return
		}
		head := rfc5424.FindString(rest[:n])
		if head == "" {
			t.Errorf("%.300q is not an RFC 5424 message", rest[:n])
		}
		r.bodies = append(r.bodies, rest[len(head):n])
		frames = rest[n:]
	}
}

func TestSyslogContract(t *testing.T) {
	ca, cert, key := writeAuthority(t)
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	var r syslogReceiver
	go r.serve(t, l)

	testSink(t, sinkContract{
		config:   Config{Kind: "syslog", URL: "tls://" + l.Addr().String(), CA: ca},
		received: r.get,
		stop:     func() { l.Close() },
	})
}

// TestSyslogMessagesKeepToTheGrammar shows that the head of a message is within
// RFC 5424 for every record, so that no value can pass for another field.
func TestSyslogMessagesKeepToTheGrammar(t *testing.T) {
	long := strings.Repeat("x", 400)
	for name, c := range map[string]struct{ self, record, priority string }{
		"usual":             {"proxy-1", string(testLines(1)[0]), "110"},
		"a warning":         {"proxy-1", `{"kind":"alert","code":"borrowed_seen"}`, "108"},
		"nothing":           {"", `{}`, "110"},
		"long":              {long, `{"kind":"` + long + `","agent":"` + long + `"}`, "110"},
		"quotes and ends":   {"a b", `{"kind":"in tent","agent":"a\"b]c\\d\\","sponsor":"]\"","id":"\\"}`, "110"},
		"beyond ASCII":      {"hôte", `{"kind":"é\u0000\n","agent":"é\n\u0000"}`, "110"},
		"a lone surrogate":  {"proxy-1", `{"kind":"alert","code":"\ud800"}`, "108"},
		"nothing printable": {"é", `{"kind":"é"}`, "110"},
	} {
		e, err := parseEvent([]byte(c.record))
		if err != nil {
			t.Fatal(err)
		}
		got := (&syslogSink{self: c.self}).message(e, []byte(c.record))
		m := rfc5424.FindSubmatch(got)
		if m == nil || !utf8.Valid(got) || !strings.HasSuffix(string(got), "] "+c.record) {
			t.Errorf("%s: %q is not a message with the record as its body", name, got)
			continue
		}
		if string(m[1]) != c.priority {
			t.Errorf("%s: priority %s, want %s", name, m[1], c.priority)
		}
	}
}

// TestSyslogArrivesAtRsyslog sends over TLS to a real receiver, which finds the
// parts of every message where RFC 5424 has them.
func TestSyslogArrivesAtRsyslog(t *testing.T) {
	addr, port := freeAddr(t)
	ca, cert, key := writeAuthority(t)
	dir := t.TempDir()
	out := filepath.Join(dir, "out.log")
	conf := writeFile(t, "rsyslog.conf", fmt.Sprintf(`global(workDirectory=%q defaultNetstreamDriver="gtls" defaultNetstreamDriverCAFile=%q defaultNetstreamDriverCertFile=%q defaultNetstreamDriverKeyFile=%q maxMessageSize="256k")
module(load="imtcp" streamDriver.name="gtls" streamDriver.mode="1" streamDriver.authMode="anon")
input(type="imtcp" port=%q address="127.0.0.1")
template(name="parts" type="string" string="%%pri%%|%%app-name%%|%%msgid%%|%%structured-data%%|%%msg%%\n")
action(type="omfile" file=%q template="parts")
`, dir, ca, cert, key, port, out))
	startProgram(t, addr, "/usr/sbin/rsyslogd", "-n", "-f", conf, "-i", filepath.Join(dir, "pid"))

	const messages = 500
	deliver(t, openSink(t, Config{Kind: "syslog", URL: "tls://" + addr, CA: ca}), testLines(messages))

	var text string
	for deadline := time.Now().Add(10 * time.Second); strings.Count(text, "\n") < messages && time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		b, _ := os.ReadFile(out)
		text = string(b)
	}
	got := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	got = got[max(0, len(got)-messages):] // rsyslogd writes a few lines about itself first
	if len(got) != messages {
		t.Fatalf("%d messages arrived, want %d:\n%.2000s", len(got), messages, text)
	}
	want := `110|byline|intent|[byline@32473 id="r_7" seq="7" agent="agent/triage" sponsor="alice@acme.example" task="t_1" action="page.edit"]|` + string(testLines(8)[7])
	if strings.ReplaceAll(got[7], "| {", "|{") != want {
		t.Errorf("got  %s\nwant %s", got[7], want)
	}
}
