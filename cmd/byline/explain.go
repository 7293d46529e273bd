package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/byline-proxy/byline/cmd/byline/internal/cli"
	"github.com/byline-proxy/byline/cmd/byline/internal/client"
	"github.com/byline-proxy/byline/proxy/admin"
)

func explainCommand() *cobra.Command {
	var q admin.Question
	var spec specFlags
	var data string
	var headers []string
	c := &cobra.Command{Use: "explain [METHOD] URL", Short: "Show what would become of one request, and why, without sending it", Args: cobra.RangeArgs(1, 2),
		Long: "Asks the running server to walk a request as far as the checkout: which action and resource the adapter sees in it, what\n" +
			"the task's scope and the policies say, what would be stripped. Nothing is sent, leased or recorded.",
		Example: "  byline explain --task t_abc GET 'https://wiki.acme.example/index.php?title=Sandbox'\n" +
			"  byline explain --allow 'mediawiki:page.edit@page/Sandbox*' -H 'Cookie: wiki_session=x' \\\n" +
			"    POST 'https://wiki.acme.example/index.php?title=Sandbox&action=submit' --data 'wpTextbox1=hello'"}
	f := c.Flags()
	f.StringVar(&q.Task, "task", "", "ask for this living task")
	f.StringVar(&q.Agent, "agent", "agent/trial", "the program that would act, with --allow")
	spec.addAllow(c)
	f.StringArrayVarP(&headers, "header", "H", nil, "a field of the request, like 'Content-Type: application/json'; repeatable. - reads them from stdin, which keeps values from the process list")
	f.StringVarP(&data, "data", "d", "", "the request's body; a form unless a Content-Type says otherwise")
	_ = c.RegisterFlagCompletionFunc("task", completeTasks)
	asJSON := cli.JSONFlag(c)
	client.Flags(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		method := http.MethodGet
		if data != "" {
			method = http.MethodPost
		}
		if len(args) == 2 {
			method = strings.ToUpper(args[0])
		}
		if err := fillQuestion(&q, method, args[len(args)-1], data, headers, spec.allow); err != nil {
			return err
		}
		control, _, err := client.Reach(c)
		if err != nil {
			return err
		}
		out, err := control.Ask(c.Context(), http.MethodPost, "/v1/explain", &q)
		if err != nil {
			return err
		}
		if *asJSON {
			_, err = c.OutOrStdout().Write(out)
			return err
		}
		return showExplanation(c.OutOrStdout(), &q, out)
	}
	return c
}

func fillQuestion(q *admin.Question, method, target, data string, headers, allow []string) error {
	u, err := url.Parse(target)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return errors.New("the last argument must be a URL like https://wiki.acme.example/page")
	}
	if (q.Task == "") == (len(allow) == 0) {
		return errors.New("explain: either --task or --allow must be given")
	}
	if q.Scope, err = scopeOf(allow); err != nil {
		return err
	}
	q.Method, q.Scheme, q.Host, q.Body = method, u.Scheme, u.Host, data
	q.Target = strings.TrimPrefix(target, u.Scheme+"://"+u.Host) // as it was written: a parser would mend what is to be judged
	if q.Target == "" {
		q.Target = "/"
	}
	typed := false
	for _, h := range headers {
		lines := []string{h}
		if h == "-" {
			text, err := io.ReadAll(io.LimitReader(os.Stdin, 64<<10))
			if err != nil {
				return err
			}
			lines = strings.Split(strings.TrimSpace(string(text)), "\n")
		}
		for _, line := range lines {
			name, value, ok := strings.Cut(line, ":")
			if !ok {
				return errors.New("--header takes NAME: VALUE") // it may hold a secret: it is not repeated
			}
			typed = typed || strings.EqualFold(name, "Content-Type")
			q.Headers = append(q.Headers, [2]string{name, strings.TrimSpace(value)})
		}
	}
	if data != "" && !typed {
		q.Headers = append(q.Headers, [2]string{"Content-Type", "application/x-www-form-urlencoded"})
	}
	return nil
}

func showExplanation(w io.Writer, q *admin.Question, answer []byte) error {
	var e admin.Explanation
	if err := json.Unmarshal(answer, &e); err != nil {
		return cli.Failed("explain", err, "")
	}
	verdict := "would be sent"
	if e.Code != "" {
		verdict = "would be refused: " + e.Code
	}
	rows := [][]string{{"adapter", e.Adapter}, {"action", e.Action}, {"resource", e.Resource}, {"by", strings.Join(e.Policies, ", ")}}
	if e.Privileged {
		rows = append(rows, []string{"privileged", "yes: only a scope that names the action itself grants it"})
	}
	for _, s := range e.Stripped {
		rows = append(rows, []string{"stripped", s.Name + " (" + s.In + ")"})
	}
	if len(e.Sent) > 0 {
		rows = append(rows, []string{"fields sent", strings.Join(e.Sent, ", ")})
	}
	if e.Why != "" {
		rows = append(rows, []string{"why", e.Why})
	}
	for _, n := range e.Near {
		rows = append(rows, []string{"not", n})
	}
	kept := rows[:0]
	for _, r := range rows {
		if r[1] != "" {
			kept = append(kept, r)
		}
	}
	fmt.Fprintf(w, "%s\n%s\n", cli.Clean(q.Method+" "+q.Scheme+"://"+q.Host+q.Target), verdict)
	if err := cli.Table(w, []string{"effect", e.Effect}, kept); err != nil {
		return cli.Failed("output", err, "")
	}
	return nil
}
