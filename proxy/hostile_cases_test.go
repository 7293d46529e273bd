package proxy

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// hostileCase is one case of testdata/hostile, which has a file for each family
// of hostile input. A file begins with comments (#) and the kinds of connection
// that its cases run over, see hostileServer.connect. Then come the cases:
//
//	connections: tls plain front h2
//
//	-- what is hostile about it --
//	POST /page/1 HTTP/1.1
//	Host: {host}
//	Cookie: sid={borrowed}
//	Content-Length: 3
//
//	abc
//	=> 200
//	POST /page/1 HTTP/1.1
//	Host: {saas}
//	Accept-Encoding: identity
//	Cookie: {session}
//	Content-Length: 3
//
//	abc
//
// A name may be followed by the kinds of connection of its case. A line of input
// is sent with CR LF at its end, but one that ends in a backslash is sent without
// both. \r \n \t \0 \xNN and \\ stand for bytes, and a word in braces is
// replaced, see hostileServer.placeholders.
//
// The line => names the expected answers in order: a status, with the code if it
// is a refusal, or reset for a stream that is reset. cut says that the
// application receives the beginning of a request that then breaks off. The lines
// after it are what the application must receive, byte for byte: whole requests,
// without the empty line at the end if they have no body. A line =h2> names other
// answers for HTTP/2.
//
// A case whose first line begins with a colon is the head of an HTTP/2 request.
// Other cases that run over h2 are translated, see toHTTP2.
type hostileCase struct {
	family, name string
	connections  []string
	input        string    // placeholders and escapes not yet replaced
	want         []verdict // of the answers
	wantH2       []verdict // over h2; nil if it is the same
	cut          bool
	received     string // by the application; placeholders and escapes not yet replaced
}

// verdict is an answer's status, with the code if it is a refusal. The zero value
// is a stream that was reset.
type verdict struct {
	status int
	code   string
}

func (v verdict) String() string {
	if v.status == 0 {
		return "reset"
	}
	return strings.TrimSpace(strconv.Itoa(v.status) + " " + v.code)
}

func readHostileCases(t testing.TB) []hostileCase {
	t.Helper()
	files, err := filepath.Glob("testdata/hostile/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("list testdata/hostile: %d files, error %v", len(files), err)
	}

	var all []hostileCase
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		p := &hostileParser{family: strings.TrimSuffix(filepath.Base(file), ".txt")}
		cases, err := p.parse(string(text))
		if err != nil {
			t.Fatalf("%s:%v", file, err)
		}
		all = append(all, cases...)
	}
	return all
}

// hostileParser parses one file.
type hostileParser struct {
	family      string
	connections []string // of cases that name none
	cases       []hostileCase
	section     string   // of the last case: "input" or "received"; empty before the first case
	lines       []string // of the section so far
}

// parse returns the cases of a file. An error begins with the number of the line.
func (p *hostileParser) parse(text string) ([]hostileCase, error) {
	for n, line := range strings.Split(text, "\n") {
		if err := p.parseLine(line); err != nil {
			return nil, fmt.Errorf("%d: %w", n+1, err)
		}
	}
	p.endSection()
	return p.cases, nil
}

func (p *hostileParser) parseLine(line string) error {
	var err error
	switch {
	case strings.HasPrefix(line, "-- "):
		p.endSection()
		name, connections, ok := strings.Cut(line[3:], " --")
		if !ok {
			return fmt.Errorf("the name of a case has no -- at its end")
		}
		c := hostileCase{family: p.family, name: name, connections: p.connections}
		if kinds := strings.Fields(connections); len(kinds) > 0 {
			c.connections = kinds
		}
		p.cases = append(p.cases, c)
		p.section = "input"

	case p.section == "":
		kinds, ok := strings.CutPrefix(line, "connections: ")
		switch {
		case ok:
			p.connections = strings.Fields(kinds)
		case line != "" && line[0] != '#':
			return fmt.Errorf("got %q before the first case, want a comment or connections", line)
		}

	case strings.HasPrefix(line, "=> "):
		p.endSection()
		p.section = "received"
		c := p.lastCase()
		c.want, c.cut, err = parseVerdicts(line[3:])

	case strings.HasPrefix(line, "=h2> "):
		p.lastCase().wantH2, _, err = parseVerdicts(line[5:])

	default:
		p.lines = append(p.lines, line)
	}
	return err
}

func (p *hostileParser) lastCase() *hostileCase { return &p.cases[len(p.cases)-1] }

// endSection puts the lines of the section into its case.
func (p *hostileParser) endSection() {
	switch p.section {
	case "input":
		p.lastCase().input = joinInput(p.lines)
	case "received":
		p.lastCase().received = joinReceived(p.lines)
	}
	p.lines = nil
}

// joinInput joins lines with CR LF, but not after lines that end in a backslash.
func joinInput(lines []string) string {
	var b strings.Builder
	for _, line := range lines {
		text, continues := strings.CutSuffix(line, `\`)
		if continues && !strings.HasSuffix(text, `\`) {
			b.WriteString(text)
			continue
		}
		b.WriteString(line + "\r\n")
	}
	return b.String()
}

// joinReceived joins lines with CR LF. A request without a body gets its empty
// line.
func joinReceived(lines []string) string {
	for len(lines) > 0 && lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	text := strings.Join(lines, "\r\n")
	if text != "" && !slices.Contains(lines, "") {
		text += "\r\n\r\n"
	}
	return text
}

func parseVerdicts(s string) (verdicts []verdict, cut bool, err error) {
	for _, part := range strings.Split(s, ",") {
		words := strings.Fields(part)
		switch {
		case len(words) == 1 && words[0] == "cut":
			cut = true
			continue
		case len(words) == 1 && words[0] == "reset":
			verdicts = append(verdicts, verdict{})
			continue
		case len(words) == 0 || len(words) > 2:
			return nil, false, fmt.Errorf("got %q, want a status and a code, reset or cut", part)
		}

		var v verdict
		if v.status, err = strconv.Atoi(words[0]); err != nil {
			return nil, false, err
		}
		if len(words) == 2 {
			v.code = words[1]
		}
		verdicts = append(verdicts, v)
	}
	return verdicts, cut, nil
}

// expand replaces the placeholders and escapes of a case.
func expand(t testing.TB, s string, placeholders map[string]string) []byte {
	t.Helper()
	for name, value := range placeholders {
		s = strings.ReplaceAll(s, "{"+name+"}", value)
	}

	var out bytes.Buffer
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			out.WriteByte(s[i])
			continue
		}
		i++
		if i == len(s) {
			t.Fatalf("a backslash at the end of %q", s)
		}
		switch s[i] {
		case 'r':
			out.WriteByte('\r')
		case 'n':
			out.WriteByte('\n')
		case 't':
			out.WriteByte('\t')
		case '0':
			out.WriteByte(0)
		case '\\':
			out.WriteByte('\\')
		case 'x':
			n, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
			if err != nil {
				t.Fatal(err)
			}
			out.WriteByte(byte(n))
			i += 2
		default:
			t.Fatalf(`\%c is not an escape`, s[i])
		}
	}
	return out.Bytes()
}
