package adapters

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "generate again and write: transcripts, schema, reference")

// A transcript shows what a shipped adapter makes of an application. It is read and reviewed as text:
//
//	## login             a login, from the first page to the session; what follows works in it
//	## logout            the end of it
//	## anything else     one request of an agent
//
// What the application and the agent send was taken from the real ones, shortened. The lines that Byline is
// answerable for are written by go test ./adapters -run Transcript -update, and compared without it.
const (
	agentSends = "agent sends | " // given
	verdictIs  = "byline      | " // written
	appGets    = "app gets    | " // written
	appAnswers = "app answers | " // given
	agentGets  = "agent gets  | " // written
)

// goldenTime is when transcripts take place.
var goldenTime = time.Date(2026, 11, 25, 8, 18, 0, 0, time.UTC)

var goldenAccount = account{"username": "agent-01", "password": "compensating+pass&1", "totp_seed": "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"}

func TestTranscripts(t *testing.T) {
	for _, src := range LibrarySources() {
		name := strings.TrimSuffix(filepath.Base(src.Name), ".yaml")
		t.Run(name, func(t *testing.T) {
			file := filepath.Join("library", name+".golden")
			have, err := os.ReadFile(file)
			if err != nil {
				t.Fatalf("a shipped adapter has a transcript: %v", err)
			}
			tr := transcript{a: loadChild(t, name), host: name + ".acme.example"}
			want := tr.run(t, string(have))
			if *update {
				if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if want != string(have) && !*update {
				t.Errorf("%s is not what happens: read the difference after go test ./adapters -run Transcript -update\n%s", file, firstDifference(string(have), want))
			}
			for _, part := range []string{"## login\n", "## logout\n", "session ended"} {
				if !strings.Contains(want, part) {
					t.Errorf("the transcript does not show %q", part)
				}
			}
			tr.checkSecrets(t, want)
		})
	}
}

// transcript is one run through a file.
type transcript struct {
	a    *Adapter
	host string
	s    *Session
	out  strings.Builder
}

// message is a request or an answer as text.
type message struct {
	first  string // "GET /path" or "200"
	fields []Field
	body   string
}

func (tr *transcript) run(t *testing.T, text string) string {
	sections := strings.Split("\n"+text, "\n## ")
	tr.out.WriteString(strings.TrimPrefix(sections[0], "\n"))
	for _, section := range sections[1:] {
		title, _, _ := strings.Cut(section, "\n")
		if tr.out.Len() > 0 && !strings.HasSuffix(tr.out.String(), "\n\n") {
			tr.out.WriteString("\n")
		}
		tr.out.WriteString("## " + title + "\n")
		for line := range strings.Lines(section) {
			if strings.HasPrefix(line, "# ") {
				tr.out.WriteString(line)
			}
		}
		answers := parseMessages(section, appAnswers)
		switch word, _, _ := strings.Cut(title, ":"); word {
		case "login":
			d := tr.a.Login(goldenAccount, []Field{{Name: "User-Agent", Value: "agent/1.0"}, {Name: "Accept-Language", Value: "en"}})
			tr.dialogue(d, answers)
			if s := d.Session(); s != nil {
				tr.s = s
			}
		case "logout":
			tr.dialogue(tr.a.Logout(tr.s), answers)
		default:
			requests := parseMessages(section, agentSends)
			if len(requests) != 1 {
				t.Fatalf("%q has %d requests of the agent", title, len(requests))
			}
			tr.exchange(&requests[0], answers)
		}
	}
	return strings.TrimRight(tr.out.String(), "\n") + "\n"
}

// parseMessages reads the lines of one speaker. A message begins with its method or status and ends before the next.
func parseMessages(section, speaker string) (all []message) {
	inBody := false
	for line := range strings.Lines(section) {
		text, ok := strings.CutPrefix(strings.TrimRight(line, "\n")+" ", speaker)
		if !ok {
			continue
		}
		text = strings.TrimSuffix(text, " ")
		first, isFirst := strings.CutSuffix(text, " HTTP/1.1")
		if rest, ok := strings.CutPrefix(text, "HTTP/1.1 "); ok {
			first, isFirst = rest, true
		}
		switch {
		case isFirst:
			all, inBody = append(all, message{first: first}), false
		case len(all) == 0:
		case inBody:
			m := &all[len(all)-1]
			if m.body != "" {
				m.body += "\n"
			}
			m.body += text
		case text == "":
			inBody = true
		default:
			name, value, _ := strings.Cut(text, ": ")
			all[len(all)-1].fields = append(all[len(all)-1].fields, Field{Name: name, Value: value})
		}
	}
	return all
}

func (tr *transcript) write(speaker, first string, fields []Field, body string) {
	line := func(text string) { tr.out.WriteString(strings.TrimRight(speaker+text, " ") + "\n") }
	line(first)
	for _, f := range fields {
		line(f.Name + ": " + f.Value)
	}
	if body != "" {
		line("")
		for text := range strings.SplitSeq(body, "\n") {
			line(text)
		}
	}
}

func (tr *transcript) say(format string, args ...any) {
	fmt.Fprintf(&tr.out, verdictIs+format+"\n", args...)
}

func (tr *transcript) dialogue(d *Dialogue, answers []message) {
	d.UseHost("https", tr.host)
	d.now = func() time.Time { return goldenTime }
	var last *Reply
	for i := 0; ; i++ {
		step, err := d.Next(last)
		if err != nil {
			tr.say("fails: %v", err)
			return
		}
		if step == nil {
			break
		}
		host := tr.host
		if step.Authority != "" {
			host = step.Authority
		}
		tr.write(appGets, step.Method+" "+step.Path+" HTTP/1.1", append([]Field{{Name: "Host", Value: host}}, step.Fields...), string(step.Body))
		if i >= len(answers) {
			tr.say("waits for an answer that the transcript does not give")
			return
		}
		a := answers[i]
		tr.write(appAnswers, "HTTP/1.1 "+a.first, a.fields, a.body)
		last = a.reply()
	}
	if s := d.Session(); s != nil && d.secret != nil {
		var held []string
		for _, c := range s.jar.Cookies() {
			held = append(held, c.Name+" on "+c.Path)
		}
		for _, h := range s.headers {
			held = append(held, "header "+h.Name)
		}
		tr.say("logged in, keeps %s", strings.Join(held, ", "))
		return
	}
	tr.say("logged out")
}

func (m *message) reply() *Reply {
	r := &Reply{Fields: m.fields, Body: []byte(m.body)}
	_, _ = fmt.Sscan(m.first, &r.Status)
	return r
}

// exchange is what the walk does to one request and its answer.
func (tr *transcript) exchange(in *message, answers []message) {
	tr.write(agentSends, in.first+" HTTP/1.1", in.fields, in.body)
	method, target, _ := strings.Cut(in.first, " ")
	path, query, _ := strings.Cut(target, "?")
	act, why := tr.a.Classify(Query{Method: method, Path: path, RawQuery: query, ContentType: fieldValue(in.fields, "Content-Type"), Body: []byte(in.body)})
	switch {
	case why != nil:
		tr.say("refuses it: no action")
		return
	case act.Login:
		tr.say("refuses it: a login page (%s)", act.Name)
		return
	case act.Privileged:
		tr.say("%s on %s, granted by its own name only", act.Name, orNothing(act.Resource))
	default:
		tr.say("%s on %s", act.Name, orNothing(act.Resource))
	}
	out, cookies, left := tr.a.Strip(nil, in.fields)
	query, more := tr.a.StripQuery(query)
	var names []string
	for _, b := range append(left, more...) {
		names = append(names, b.In+" "+b.Name)
	}
	if len(names) > 0 {
		tr.say("leaves behind %s", strings.Join(names, ", "))
	}
	r := Outgoing{Method: method, Host: tr.host, Path: path, Query: query, TLS: true, Fields: out, Cookies: cookies, Now: goldenTime}
	m := tr.a.Put(tr.s, &r)
	target = path
	if r.Query != "" {
		target += "?" + r.Query
	}
	tr.write(appGets, method+" "+target+" HTTP/1.1", r.Fields, in.body)
	if len(answers) == 0 {
		return
	}
	a := answers[0]
	tr.write(appAnswers, "HTTP/1.1 "+a.first, a.fields, a.body)
	reply := a.reply()
	if tr.a.Ended(reply.Status, reply.Fields, reply.Body) {
		tr.say("session ended")
		return
	}
	fields := tr.a.Shield(nil, m, reply.Fields)
	tr.s.Mask().InPlace(reply.Body)
	tr.write(agentGets, "HTTP/1.1 "+a.first, fields, string(reply.Body))
}

func orNothing(resource string) string {
	if resource == "" {
		return "nothing in particular"
	}
	return resource
}

// checkSecrets is I1 and I2 over the whole transcript: what each side must not see.
func (tr *transcript) checkSecrets(t *testing.T, text string) {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, agentGets) && tr.s.Mask() != nil {
			masked := []byte(line)
			tr.s.Mask().InPlace(masked)
			if !bytes.Equal(masked, []byte(line)) {
				t.Errorf("I1: the agent gets a secret: %s", line)
			}
		}
		if strings.HasPrefix(line, appGets) && strings.Contains(line, "alice") {
			t.Errorf("I2: the application gets what alice lent: %s", line)
		}
	}
}

func firstDifference(have, want string) string {
	h, w := strings.Split(have, "\n"), strings.Split(want, "\n")
	for i := range min(len(h), len(w)) {
		if h[i] != w[i] {
			return fmt.Sprintf("line %d:\n- %s\n+ %s", i+1, h[i], w[i])
		}
	}
	return fmt.Sprintf("%d lines, %d wanted", len(h), len(w))
}

func TestEveryTranscriptBelongsToAnAdapter(t *testing.T) {
	files, err := filepath.Glob("library/*.golden")
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	var names []string
	for _, src := range LibrarySources() {
		names = append(names, strings.TrimSuffix(src.Name, ".yaml")+".golden")
	}
	for _, f := range files {
		if !slices.Contains(names, f) {
			t.Errorf("%s: no such adapter", f)
		}
	}
}
