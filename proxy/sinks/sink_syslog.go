package sinks

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strings"
	"time"
)

// syslogSink sends RFC 5424 messages over TLS (RFC 5425). The protocol has no
// acknowledgement, so each batch is a connection of its own that is closed in
// good order: the receiver's close_notify after ours says that it has read all
// of it (RFC 5425 section 4.4).
type syslogSink struct {
	addr, host, format, self string
	tls                      *tls.Config
}

func newSyslog(c *Config, t *tls.Config) (Sink, error) {
	u, err := url.Parse(c.URL)
	if err != nil {
		return nil, err
	}
	s := &syslogSink{addr: u.Host, host: u.Hostname(), format: c.Format, tls: t}
	if u.Port() == "" {
		s.addr = net.JoinHostPort(u.Hostname(), "6514")
	}
	t.ServerName = s.host
	if s.self, err = os.Hostname(); err != nil || s.self == "" {
		s.self = "-"
	}
	return s, nil
}

// Deliver sends the lines and waits until the receiver has read them.
func (s *syslogSink) Deliver(ctx context.Context, lines [][]byte) error {
	bodies, err := formatted(s.format, lines)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	for i, line := range lines {
		e, err := parse(line)
		if err != nil {
			return err
		}
		message := s.message(e, bodies[i])
		fmt.Fprintf(&out, "%d ", len(message)) // octet counting, RFC 5425 section 4.3
		out.Write(message)
	}
	conn, err := (&tls.Dialer{Config: s.tls}).DialContext(ctx, "tcp", s.addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	if until, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(until)
	}
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	if _, err := conn.Write(out.Bytes()); err != nil {
		return err
	}
	if err := conn.(*tls.Conn).CloseWrite(); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, conn); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("the receiver did not close in good order, so it may not have read everything: %w", err)
	}
	return nil
}

const (
	facilityAudit = 13 // "log audit", RFC 5424 section 6.2.1
	levelWarning  = 4
	levelInfo     = 6
)

// message is one RFC 5424 message. The private enterprise number in the name of
// the structured data is that of the RFC's own examples. The body has no byte
// order mark, which section 6.4 wants before UTF-8, because RFC 8259 section 8.1
// forbids it before JSON: by the grammar it is MSG-ANY.
func (s *syslogSink) message(e *event, body []byte) []byte {
	level := levelInfo
	if _, severity := e.verdict(); severity > severityInfo {
		level = levelWarning
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "<%d>1 %s %s byline - %s [byline@32473 id=\"%s\" seq=\"%d\"", facilityAudit*8+level, e.Time.UTC().Format("2006-01-02T15:04:05.000000Z"),
		printable(s.self, 255), printable(e.Kind, 32), quoted(e.ID), e.Seq)
	for _, p := range [][2]string{{"agent", e.Agent}, {"sponsor", e.Sponsor}, {"task", e.Task}, {"action", e.Action}, {"code", e.Code}} {
		if p[1] != "" {
			fmt.Fprintf(&b, " %s=\"%s\"", p[0], quoted(p[1]))
		}
	}
	b.WriteString("] ")
	b.Write(body)
	return b.Bytes()
}

// printable is a header field: PRINTUSASCII, "-" when there is nothing left.
func printable(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' {
			return -1
		}
		return r
	}, s)
	if s == "" {
		return "-"
	}
	return s[:min(len(s), most)]
}

// quoted escapes a parameter's value (RFC 5424 section 6.3.3).
func quoted(s string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, `]`, `\]`).Replace(s)
}

// Close holds nothing to give up.
func (s *syslogSink) Close() error { return nil }
