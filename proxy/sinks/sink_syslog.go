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

func init() {
	register("syslog", kind{
		schemes: []string{"tls"},
		open:    openSyslog,
	})
}

// syslogPort is the port of syslog over TLS (RFC 5425, section 4.1).
const syslogPort = "6514"

// syslogSink sends RFC 5424 messages over TLS (RFC 5425). The protocol has no
// acknowledgement, so each batch has its own connection: the receiver's
// close_notify after ours says that it has read all of it (RFC 5425, section
// 4.4).
type syslogSink struct {
	addr   string
	tls    *tls.Config
	format string
	self   string // HOSTNAME of each message, or "-"
}

func openSyslog(c *Config, a access) (Sink, error) {
	u, err := url.Parse(c.URL)
	if err != nil {
		return nil, fmt.Errorf("url: %w", err)
	}

	s := &syslogSink{addr: u.Host, tls: a.tls, format: c.Format}
	if u.Port() == "" {
		s.addr = net.JoinHostPort(u.Hostname(), syslogPort)
	}
	s.tls.ServerName = u.Hostname()
	s.self, err = os.Hostname()
	if err != nil || s.self == "" {
		s.self = "-"
	}
	return s, nil
}

// Deliver implements [Sink]: it waits until the receiver has read the messages.
func (s *syslogSink) Deliver(ctx context.Context, lines [][]byte) error {
	bodies, err := formatLines(s.format, lines)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	for i, line := range lines {
		e, err := parseEvent(line)
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
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline)
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()

	if _, err := conn.Write(out.Bytes()); err != nil {
		return err
	}
	if err := conn.(*tls.Conn).CloseWrite(); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, conn); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("the receiver did not close the connection properly, so it may not have read everything: %w", err)
	}
	return nil
}

// Priorities of RFC 5424, section 6.2.1.
const (
	facilityAudit = 13 // log audit
	syslogWarning = 4
	syslogInfo    = 6 // informational
)

// message returns one RFC 5424 message. The structured data bears the private
// enterprise number of the RFC's examples. The body has no byte order mark,
// which section 6.4 requires before UTF-8, because RFC 8259, section 8.1,
// forbids it before JSON: by the grammar the body is MSG-ANY.
func (s *syslogSink) message(e *event, body []byte) []byte {
	severity := syslogInfo
	if _, level := e.verdict(); level > severityInfo {
		severity = syslogWarning
	}

	var b bytes.Buffer
	fmt.Fprintf(&b, "<%d>1 %s %s byline - %s", facilityAudit*8+severity,
		e.Time.UTC().Format("2006-01-02T15:04:05.000000Z"), headerField(s.self, 255), headerField(e.Kind, 32))
	fmt.Fprintf(&b, ` [byline@32473 id="%s" seq="%d"`, escapeParam(e.ID), e.Seq)
	for _, p := range []struct{ name, value string }{
		{"agent", e.Agent},
		{"sponsor", e.Sponsor},
		{"task", e.Task},
		{"action", e.Action},
		{"code", e.Code},
	} {
		if p.value != "" {
			fmt.Fprintf(&b, ` %s="%s"`, p.name, escapeParam(p.value))
		}
	}
	b.WriteString("] ")
	b.Write(body)
	return b.Bytes()
}

// headerField keeps the characters of s that a header field may have
// (PRINTUSASCII), at most limit of them. It returns "-" if there are none.
func headerField(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' {
			return -1
		}
		return r
	}, s)
	if s == "" {
		return "-"
	}
	return s[:min(len(s), limit)]
}

var paramEscaper = strings.NewReplacer(`\`, `\\`, `"`, `\"`, `]`, `\]`)

// escapeParam escapes the value of a parameter (RFC 5424, section 6.3.3).
func escapeParam(s string) string { return paramEscaper.Replace(s) }

// Close implements [Sink]. Connections end with each delivery.
func (s *syslogSink) Close() error { return nil }
