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

// agentVariable holds an [AgentScript] as JSON. It makes the test program run
// that script as an agent instead of its tests.
const agentVariable = "E2E_AGENT"

// AgentScript is what an agent does that byline run starts: requests in order.
type AgentScript struct {
	BaseURL string
	Cookies []*http.Cookie // lent by a person
	Steps   []Step
}

// Step is one request. Values in Form may contain ${field}, which is replaced
// by the value of that input in an earlier page. Take names the inputs of the
// answer to remember.
type Step struct {
	Method, Path string
	Form         url.Values
	Take         []string
}

// RunAgent runs script under byline run and returns the answers. The agent is
// this test program again; it finds the proxy and the roots in its environment,
// as any Go program does. If inspect is not nil it is called with the agent's
// process ID before the agent sends its first request.
func (e *Env) RunAgent(s TaskSpec, script AgentScript, inspect func(pid int)) []Answer {
	e.t.Helper()
	e.AddBorrowed(script.Cookies)

	self, err := os.Executable()
	if err != nil {
		e.t.Fatal(err)
	}
	text, err := json.Marshal(script)
	if err != nil {
		e.t.Fatal(err)
	}

	args := append([]string{"run"}, s.args()...)
	c := e.Command(append(args, "--", self)...)
	c.Env = append(c.Env, agentVariable+"="+string(text))
	return e.runAgentProcess(c, inspect)
}

// runAgentProcess is the parent's half of the protocol with agentMain: read the
// process ID, inspect, close the agent's input, read the answers.
func (e *Env) runAgentProcess(c *exec.Cmd, inspect func(pid int)) []Answer {
	e.t.Helper()

	in, err := c.StdinPipe()
	if err != nil {
		e.t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		e.t.Fatal(err)
	}
	c.Stderr = os.Stderr
	if err := startOnStarterThread(c); err != nil {
		e.t.Fatal(err)
	}

	output := json.NewDecoder(out)
	var pid int
	if err := output.Decode(&pid); err != nil {
		e.t.Fatalf("the agent did not print its process ID: %v", err)
	}
	if inspect != nil {
		inspect(pid)
	}
	in.Close()

	var answers []Answer
	if err := output.Decode(&answers); err != nil {
		e.t.Fatalf("the agent did not print its answers: %v", err)
	}
	if err := c.Wait(); err != nil {
		e.t.Fatalf("byline run: %v", err)
	}

	for _, a := range answers {
		e.transcript.add("an answer under byline run", fmt.Sprint(a.Header)+a.Body)
	}
	return answers
}

// agentMain is main of the agent process. It prints its process ID, waits for
// the end of its input, runs the script and prints the answers.
func agentMain() int {
	answers, err := runScriptFromEnvironment()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if err := json.NewEncoder(os.Stdout).Encode(answers); err != nil {
		return 1
	}
	return 0
}

func runScriptFromEnvironment() ([]Answer, error) {
	var script AgentScript
	if err := json.Unmarshal([]byte(os.Getenv(agentVariable)), &script); err != nil {
		return nil, err
	}
	proxy, err := url.Parse(os.Getenv("HTTPS_PROXY"))
	if err != nil {
		return nil, err
	}
	roots, err := x509.SystemCertPool() // reads SSL_CERT_FILE
	if err != nil {
		return nil, err
	}

	a := newAgent(nil, proxy, roots, &transcript{})
	a.BaseURL = script.BaseURL
	a.Cookies = script.Cookies
	fmt.Println(os.Getpid())
	_, _ = os.Stdin.Read(make([]byte, 1))
	return a.runSteps(script.Steps), nil
}

// runSteps sends the requests in order and returns the answers. An Answer with
// an error has its text in Body, as JSON cannot encode an error.
func (a *Agent) runSteps(steps []Step) []Answer {
	var answers []Answer
	remembered := map[string]string{}
	for _, s := range steps {
		var form url.Values
		for name, values := range s.Form {
			if form == nil {
				form = url.Values{}
			}
			form.Set(name, os.Expand(values[0], func(field string) string { return remembered[field] }))
		}

		answer := a.SendForm(s.Method, s.Path, form)
		for _, name := range s.Take {
			remembered[name] = FormField(answer.Body, name)
		}
		if answer.Err != nil {
			answer.Body = "error: " + answer.Err.Error()
			answer.Err = nil
		}
		answers = append(answers, answer)
	}
	return answers
}
