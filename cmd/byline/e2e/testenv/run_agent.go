package testenv

import (
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
)

// agentVariable makes a test program an agent that byline run has started.
const agentVariable = "E2E_AGENT"

// Work is what a started agent does: requests in order, the forms filled in
// with what earlier answers held.
type Work struct {
	Base    string
	Cookies []*http.Cookie
	Steps   []Step
}

// Step is one request. Take names fields of the page (an input's value) that
// later forms name as ${field}.
type Step struct {
	Method, Path string
	Form         url.Values
	Take         []string
}

// RunAgent runs work inside byline run: the test program again, which finds
// proxy and roots in its environment as any Go program does. It returns the
// answers. The process may be looked at while it waits for the line on its
// standard input that look lets pass.
func (h *Env) RunAgent(s Spec, w Work, look func(pid int)) []Answer {
	h.t.Helper()
	for _, c := range w.Cookies {
		h.marks.borrow(c)
	}
	self, err := os.Executable()
	if err != nil {
		h.t.Fatal(err)
	}
	work, err := json.Marshal(w)
	if err != nil {
		h.t.Fatal(err)
	}
	c := h.Command(append(append([]string{"run"}, s.args()...), "--", self)...)
	c.Env = append(c.Env, agentVariable+"="+string(work))
	return h.attend(c, look)
}

func (h *Env) attend(c *exec.Cmd, look func(pid int)) (answers []Answer) {
	h.t.Helper()
	in, err := c.StdinPipe()
	if err != nil {
		h.t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		h.t.Fatal(err)
	}
	c.Stderr = os.Stderr
	started := make(chan error)
	starts <- func() { started <- c.Start() }
	if err := <-started; err != nil {
		h.t.Fatal(err)
	}
	lines := json.NewDecoder(out)
	var pid int
	if err := lines.Decode(&pid); err != nil {
		h.t.Fatalf("the agent did not start: %v", err)
	}
	if look != nil {
		look(pid)
	}
	in.Close()
	if err := lines.Decode(&answers); err != nil {
		h.t.Fatalf("the agent gave no answers: %v", err)
	}
	if err := c.Wait(); err != nil {
		h.t.Fatalf("byline run: %v", err)
	}
	for _, a := range answers {
		h.seen.said("an answer in byline run", fmt.Sprint(a.Header)+a.Body)
	}
	return answers
}

// agentMain is the started agent. It says its pid, waits for the end of its
// input, works, and prints the answers.
func agentMain() int {
	var w Work
	if err := json.Unmarshal([]byte(os.Getenv(agentVariable)), &w); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	proxy, err := url.Parse(os.Getenv("HTTPS_PROXY"))
	if err != nil {
		return 1
	}
	roots, err := x509.SystemCertPool() // which reads SSL_CERT_FILE
	if err != nil {
		return 1
	}
	g := newAgent(nil, proxy, roots, &seen{})
	g.Base, g.Cookies = w.Base, w.Cookies
	fmt.Println(os.Getpid())
	_, _ = os.Stdin.Read(make([]byte, 1))
	var answers []Answer
	taken := map[string]string{}
	for _, s := range w.Steps {
		form := url.Values(nil)
		for k, v := range s.Form {
			if form == nil {
				form = url.Values{}
			}
			form.Set(k, os.Expand(v[0], func(name string) string { return taken[name] }))
		}
		a := g.Do(s.Method, s.Path, form)
		for _, name := range s.Take {
			taken[name] = Field(a.Body, name)
		}
		answers = append(answers, a)
	}
	for i := range answers { // an error is an interface, which JSON cannot carry back
		if err := answers[i].Err; err != nil {
			answers[i].Body, answers[i].Err = "error: "+err.Error(), nil
		}
	}
	if json.NewEncoder(os.Stdout).Encode(answers) != nil {
		return 1
	}
	return 0
}
