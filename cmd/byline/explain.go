package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/byline-proxy/byline/cmd/byline/internal/cli"
	"github.com/byline-proxy/byline/cmd/byline/internal/client"
	"github.com/byline-proxy/byline/proxy/admin"
)

// maxHeaderInput bounds the header fields that explain reads from standard input, in
// bytes.
const maxHeaderInput = 64 << 10

// explainFlags describe the request to explain, besides its method and URL.
type explainFlags struct {
	specFlags // for --allow alone
	task      string
	headers   []string
	data      string
	message   string
	binary    bool
}

func explainCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "explain [METHOD] URL",
		Short: "Show what would happen to one request, or one WebSocket message, and why, without sending it",
		Args:  cobra.RangeArgs(1, 2),
		Long: "Asks the running server to process a request up to the checkout of an account: which action and resource the adapter\n" +
			"finds in it, what the task's scope and the policies say, what would be stripped. Nothing is sent, leased or recorded.\n" +
			"With --message the request opens a WebSocket, and the agent sends that message on it.",
		Example: "  byline explain --task t_abc GET 'https://wiki.acme.example/index.php?title=Sandbox'\n" +
			"  byline explain --allow 'wiki:page.edit@page/Sandbox*' -H 'Cookie: wiki_session=x' \\\n" +
			"    POST 'https://wiki.acme.example/index.php?title=Sandbox&action=submit' --data 'wpTextbox1=hello'\n" +
			"  byline explain --allow board:card.move --message '{\"type\":\"move\",\"card\":\"c1\"}' wss://board.acme.example/boards/7/socket",
	}
	var f explainFlags
	c.Flags().StringVar(&f.task, "task", "", "ask for this active task")
	c.Flags().StringVar(&f.agent, "agent", "agent/trial", "the program that would act, with --allow")
	f.addAllow(c)
	c.Flags().StringArrayVarP(&f.headers, "header", "H", nil,
		"a header field of the request, like 'Content-Type: application/json'; repeatable. - reads them from stdin, which keeps values out of the process list")
	c.Flags().StringVarP(&f.data, "data", "d", "", "the request's body; a form unless a Content-Type says otherwise")
	c.Flags().StringVar(&f.message, "message", "", "a message on the WebSocket that the request opens")
	c.Flags().BoolVar(&f.binary, "binary", false, "the message is a binary one")
	_ = c.RegisterFlagCompletionFunc("task", completeTasks) // fails only for an unknown flag
	asJSON := cli.JSONFlag(c)
	client.AddFlags(c)

	c.RunE = func(c *cobra.Command, args []string) error {
		q, err := f.question(args)
		if err != nil {
			return err
		}
		control, _, err := client.Connect(c)
		if err != nil {
			return err
		}
		answer, err := control.Ask(c.Context(), http.MethodPost, client.ExplainPath, q)
		if err != nil {
			return err
		}

		if *asJSON {
			_, err = c.OutOrStdout().Write(answer)
			return cli.OutputFailed(err)
		}
		var e admin.Explanation
		if err := json.Unmarshal(answer, &e); err != nil {
			return cli.Failed("explain", err, "")
		}
		return cli.OutputFailed(showExplanation(c.OutOrStdout(), q, &e))
	}
	return c
}

// question returns what to ask for the arguments [METHOD] URL. Its errors are wrong usage.
func (f *explainFlags) question(args []string) (*admin.Question, error) {
	target := args[len(args)-1]
	u, err := url.Parse(target)
	if err != nil || u.Host == "" || !slices.Contains([]string{"https", "http", "wss", "ws"}, u.Scheme) {
		return nil, errors.New("the last argument must be a URL like https://wiki.acme.example/page")
	}
	overSocket := u.Scheme == "wss" || u.Scheme == "ws"
	if overSocket && f.message == "" && !f.binary {
		f.headers = append(f.headers, "Upgrade: websocket")
	}
	if (f.task == "") == (len(f.allow) == 0) {
		return nil, errors.New("explain: either --task or --allow must be given")
	}
	scope, err := parseScope(f.allow)
	if err != nil {
		return nil, err
	}
	headers, err := readHeaders(f.headers)
	if err != nil {
		return nil, err
	}

	q := &admin.Question{
		Task:    f.task,
		Agent:   f.agent,
		Scope:   scope,
		Method:  http.MethodGet,
		Scheme:  strings.Replace(u.Scheme, "ws", "http", 1),
		Host:    u.Host,
		Headers: headers,
		Body:    f.data,
		Message: f.message,
		Binary:  f.binary,
	}

	// The target stays as it was typed: a parser would normalize what is to be judged.
	q.Target = strings.TrimPrefix(target, u.Scheme+"://"+u.Host)
	if q.Target == "" {
		q.Target = "/"
	}

	if f.data != "" {
		q.Method = http.MethodPost
		if !hasContentType(headers) {
			q.Headers = append(q.Headers, [2]string{"Content-Type", "application/x-www-form-urlencoded"})
		}
	}
	if len(args) == 2 {
		q.Method = strings.ToUpper(args[0])
	}
	return q, nil
}

// readHeaders splits the values of --header. The value - stands for the lines of
// standard input. No error repeats a value: it may be a secret.
func readHeaders(values []string) ([][2]string, error) {
	var headers [][2]string
	for _, v := range values {
		lines := []string{v}
		if v == "-" {
			text, err := io.ReadAll(io.LimitReader(os.Stdin, maxHeaderInput))
			if err != nil {
				return nil, err
			}
			lines = strings.Split(strings.TrimSpace(string(text)), "\n")
		}

		for _, line := range lines {
			name, value, ok := strings.Cut(line, ":")
			if !ok {
				return nil, errors.New("--header takes NAME: VALUE")
			}
			headers = append(headers, [2]string{name, strings.TrimSpace(value)})
		}
	}
	return headers, nil
}

func hasContentType(headers [][2]string) bool {
	return slices.ContainsFunc(headers, func(h [2]string) bool { return strings.EqualFold(h[0], "Content-Type") })
}

func showExplanation(w io.Writer, q *admin.Question, e *admin.Explanation) error {
	verdict := "would be sent"
	if e.Code != "" {
		verdict = "would be refused: " + e.Code
	}
	_, err := fmt.Fprintf(w, "%s\n%s\n", cli.Printable(q.Method+" "+q.Scheme+"://"+q.Host+q.Target), verdict)
	if err != nil {
		return err
	}

	var rows [][]string
	add := func(name, value string) {
		if value != "" {
			rows = append(rows, []string{name, value})
		}
	}
	add("adapter", e.Adapter)
	add("action", e.Action)
	add("resource", e.Resource)
	add("by", strings.Join(e.Policies, ", "))
	if e.Privileged {
		add("privileged", "yes: only a scope that names the action itself grants it")
	}
	for _, m := range e.Messages {
		add("message", strings.TrimSpace(fmt.Sprintf("%s: %s %s", m.Effect, m.Action, m.Resource)))
		if m.Privileged {
			add("privileged", m.Action+": only a scope that names the action itself grants it")
		}
	}
	if q.Message != "" && e.Code == "" && len(e.Messages) == 0 {
		add("message", "part of "+e.Action)
	}
	add("message sent", cli.Printable(e.Payload))
	for _, s := range e.Stripped {
		text := s.Name + " (" + s.In + ")"
		if s.Held {
			key := "headers.pass"
			if s.Name == "Sec-WebSocket-Protocol" {
				key = "headers.subprotocols"
			}
			text += ", held: " + key + " of the adapter lets it through"
		}
		add("stripped", text)
	}
	add("fields sent", strings.Join(e.Sent, ", "))
	add("why", e.Why)
	for _, n := range e.Near {
		add("not", n)
	}
	return cli.Table(w, []string{"effect", e.Effect}, rows)
}
