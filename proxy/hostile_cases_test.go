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

// testdata/hostile holds one file for each family of hostile input. A file
// begins with prose (#) and the wires its cases run on; then come the cases:
//
//	wires: tls plain front h2
//
//	-- what is odd about it --
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
// A line of input ends in CR LF on the wire; one that ends in a backslash ends
// in nothing. \r \n \t \0 \xNN and \\ stand for bytes; {name} is replaced.
//
// The verdict is the answers in order: a status, for a refusal its code, and
// "cut" when the origin sees the beginning of a request that then breaks off. What follows is what the origin must see, byte for byte: whole requests,
// without their last empty line if they have no body. "=h2>" replaces the
// verdict for HTTP/2.
//
// A head whose first line begins with ":" is HTTP/2 alone; every other case
// that runs on h2 is translated: pseudo-header fields for the request line and
// Host, lower case names, the rest as it is.
type hostileCase struct {
	family, name string
	wires        []string
	raw          string // with {names}, escapes still in
	verdict      []verdict
	verdict2     []verdict // for h2, if it differs
	cut          bool
	origin       string // with {names}, escapes still in
}

// verdict is one answer: a status, and a code if it is a refusal; 0 is a reset.
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

func readHostile(t testing.TB) []hostileCase {
	t.Helper()
	files, err := filepath.Glob("testdata/hostile/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no hostile input", err)
	}
	var all []hostileCase
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		family := strings.TrimSuffix(filepath.Base(file), ".txt")
		cases, err := parseHostile(family, string(text))
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all = append(all, cases...)
	}
	return all
}

func parseHostile(family, text string) (all []hostileCase, err error) {
	var wires []string
	var c *hostileCase
	var lines []string
	part := ""
	end := func() {
		switch {
		case part == "origin":
			for len(lines) > 0 && lines[len(lines)-1] == "" {
				lines = lines[:len(lines)-1]
			}
			c.origin = strings.Join(lines, "\r\n")
			if c.origin != "" && !slices.Contains(lines, "") {
				c.origin += "\r\n\r\n"
			}
		case part == "raw":
			c.raw = joinRaw(lines)
		}
		lines = nil
	}
	for n, line := range strings.Split(text, "\n") {
		name, isName := strings.CutPrefix(line, "-- ")
		switch {
		case isName:
			end()
			name, on, ok := strings.Cut(name, " --")
			if !ok {
				return nil, fmt.Errorf("line %d: a name ends in --", n+1)
			}
			all = append(all, hostileCase{family: family, name: name, wires: wires})
			c, part = &all[len(all)-1], "raw"
			if on = strings.TrimSpace(on); on != "" {
				c.wires = strings.Fields(on)
			}
		case c == nil && strings.HasPrefix(line, "wires: "):
			wires = strings.Fields(line[7:])
		case c == nil && line != "" && line[0] != '#':
			return nil, fmt.Errorf("line %d: neither prose nor wires", n+1)
		case strings.HasPrefix(line, "=> "):
			end()
			part = "origin"
			c.verdict, c.cut, err = parseVerdict(line[3:])
		case strings.HasPrefix(line, "=h2> "):
			c.verdict2, _, err = parseVerdict(line[5:])
		default:
			lines = append(lines, line)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n+1, err)
		}
	}
	end()
	return all, nil
}

// joinRaw gives each line its end.
func joinRaw(lines []string) string {
	var b strings.Builder
	for _, l := range lines {
		if cut := strings.TrimSuffix(l, `\`); cut != l && !strings.HasSuffix(cut, `\`) {
			b.WriteString(cut)
			continue
		}
		b.WriteString(l + "\r\n")
	}
	return b.String()
}

func parseVerdict(s string) (all []verdict, cut bool, err error) {
	for _, one := range strings.Split(s, ",") {
		words := strings.Fields(one)
		switch {
		case len(words) == 1 && words[0] == "cut":
			cut = true
			continue
		case len(words) == 1 && words[0] == "reset":
			all = append(all, verdict{})
			continue
		case len(words) == 0 || len(words) > 2:
			return nil, false, fmt.Errorf("not a verdict: %q", one)
		}
		v := verdict{}
		if v.status, err = strconv.Atoi(words[0]); err != nil {
			return nil, false, err
		}
		if len(words) == 2 {
			v.code = words[1]
		}
		all = append(all, v)
	}
	return all, cut, nil
}

// bytesOf replaces {names} and escapes.
func bytesOf(t testing.TB, s string, names map[string]string) []byte {
	t.Helper()
	for name, value := range names {
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
			t.Fatalf("a lone backslash in %q", s)
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
			t.Fatalf(`\%c is no escape`, s[i])
		}
	}
	return out.Bytes()
}
