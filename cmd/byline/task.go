package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/byline-proxy/byline/cmd/byline/internal/cli"
	"github.com/byline-proxy/byline/cmd/byline/internal/client"
	"github.com/byline-proxy/byline/configs"
	"github.com/byline-proxy/byline/proxy/admin"
)

func taskCommand() *cobra.Command {
	t := &cobra.Command{Use: "task", Short: "Make, list and end tasks", Example: "  byline task list", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return errors.New("task: name one of create, list, show and end")
		}}
	var s specFlags
	create := &cobra.Command{Use: "create [FILE]", Short: "Make a task; its token is shown once", Args: cobra.MaximumNArgs(1),
		Example: "  byline task create --agent spiffe://acme.example/agent/triage --sponsor alice@acme.example --purpose INC-1234 \\\n" +
			"    --for 30m --allow 'mediawiki:page.read,page.edit@page/Sandbox*'\n  byline task create task.json --json"}
	s.add(create)
	verb(create, http.MethodPost, func(args []string) (string, []byte, error) {
		if len(args) == 1 {
			if s.file != "" {
				return "", nil, errors.New("the task is named twice, by FILE and by --spec")
			}
			s.file = args[0]
		}
		b, err := s.spec()
		return "/v1/tasks", b, err
	}, showTask)
	list := &cobra.Command{Use: "list", Short: "List the tasks, newest first", Args: cobra.NoArgs, Example: "  byline task list\n  byline task list --json | jq '.[].id'"}
	verb(list, http.MethodGet, func([]string) (string, []byte, error) { return "/v1/tasks", nil, nil }, showTasks)
	one := func(args []string) (string, []byte, error) { return "/v1/tasks/" + url.PathEscape(args[0]), nil, nil }
	show := &cobra.Command{Use: "show ID", Short: "Show a task and its scope", Args: cobra.ExactArgs(1), Example: "  byline task show t_abc\n  byline task show t_abc --json",
		ValidArgsFunction: completeTasks}
	verb(show, http.MethodGet, one, showTask)
	end := &cobra.Command{Use: "end ID", Short: "End a task: cut what it has open, log out, check in", Args: cobra.ExactArgs(1), Example: "  byline task end t_abc",
		ValidArgsFunction: completeTasks}
	verb(end, http.MethodDelete, one, showTask)
	t.AddCommand(create, list, show, end)
	return t
}

// verb makes a command one question to the control API. ask says which;
// its plain errors are wrong usage.
func verb(c *cobra.Command, method string, ask func(args []string) (path string, body []byte, err error), show func(io.Writer, []byte, *configs.Config) error) {
	client.Flags(c)
	asJSON := cli.JSONFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		path, body, err := ask(args)
		if err != nil {
			return err
		}
		control, cfg, err := client.Reach(c)
		if err != nil {
			return err
		}
		out, err := control.Ask(c.Context(), method, path, body)
		if err != nil {
			return err
		}
		if *asJSON {
			_, err = c.OutOrStdout().Write(out)
		} else {
			err = show(c.OutOrStdout(), out, cfg)
		}
		if err != nil {
			return cli.Failed("output", err, "")
		}
		return nil
	}
}

func showTasks(w io.Writer, answer []byte, _ *configs.Config) error {
	var all []admin.Task
	if err := json.Unmarshal(answer, &all); err != nil {
		return err
	}
	var rows [][]string
	for _, t := range all {
		rows = append(rows, []string{t.ID, t.State, cli.When(t.Expires, time.Now()), t.Agent, t.Sponsor, t.Purpose, scopeText(t.Scope)})
	}
	return cli.Table(w, []string{"TASK", "STATE", "EXPIRES", "AGENT", "SPONSOR", "PURPOSE", "SCOPE"}, rows)
}

func showTask(w io.Writer, answer []byte, cfg *configs.Config) error {
	var t admin.Task
	if err := json.Unmarshal(answer, &t); err != nil {
		return err
	}
	state := t.State
	if t.Why != "" {
		state += ": " + t.Why
	}
	rows := [][]string{{"state", state}, {"agent", t.Agent}, {"sponsor", t.Sponsor}, {"purpose", t.Purpose}, {"grant", t.Grant},
		{"expires", fmt.Sprintf("%s (%s)", t.Expires.UTC().Format(time.RFC3339), cli.When(t.Expires, time.Now()))}}
	for _, e := range t.Scope {
		rows = append(rows, []string{"scope", scopeText([]admin.ScopeEntry{e})})
	}
	if t.Token != "" {
		rows = append(rows, []string{"token", t.Token + "  (shown this once)"})
	}
	err := cli.Table(w, []string{"task", t.ID}, rows)
	if err == nil && t.Token != "" {
		_, err = io.WriteString(w, pasted(&t, cfg))
	}
	return err
}

// pasted is what a shell needs to work in the task. byline run does the same
// and more, for programs that it may start.
func pasted(t *admin.Task, cfg *configs.Config) string {
	scheme, host, root := "http", "PROXY-HOST:8080", "byline-root.pem"
	if cfg != nil {
		host, root = cli.Dialable(cfg.Listen), filepath.Join(cfg.Certs.Dir, "root.crt")
		if cfg.TLS.Cert != "" {
			scheme = "https"
		}
	}
	proxy := url.URL{Scheme: scheme, Host: host, User: url.UserPassword(t.ID, t.Token)}
	return fmt.Sprintf("\nexport HTTPS_PROXY=%[1]s HTTP_PROXY=%[1]s\nexport NODE_EXTRA_CA_CERTS=%[2]s   # other programs: byline ca export --bundle\n", &proxy, quotedForShell(root))
}

func quotedForShell(s string) string {
	if plain.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
