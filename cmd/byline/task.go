package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/byline-proxy/byline/cmd/byline/internal/cli"
	"github.com/byline-proxy/byline/cmd/byline/internal/client"
	"github.com/byline-proxy/byline/configs"
	"github.com/byline-proxy/byline/proxy/admin"
)

func taskCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "task",
		Short:   "Create, list and end tasks",
		Example: "  byline task list",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return errors.New("task: name one of create, list, show and end")
		},
	}
	c.AddCommand(taskCreateCommand(), taskListCommand(), taskShowCommand(), taskEndCommand())
	return c
}

func taskCreateCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "create [FILE]",
		Short: "Create a task; its token is shown only here",
		Args:  cobra.MaximumNArgs(1),
		Example: "  byline task create --agent spiffe://acme.example/agent/triage --sponsor alice@acme.example --purpose INC-1234 \\\n" +
			"    --for 30m --allow 'wiki:page.read,page.edit@page/Sandbox*'\n  byline task create task.json --json",
	}

	var s specFlags
	s.add(c)
	s.addBind(c)

	askControl(c, showTask, func(args []string) (request, error) {
		if len(args) == 1 {
			if s.file != "" {
				return request{}, errors.New("the task is named twice, by FILE and by --spec")
			}
			s.file = args[0]
		}
		body, err := s.spec()
		return request{http.MethodPost, client.TasksPath, body}, err
	})
	return c
}

func taskShowCommand() *cobra.Command {
	c := &cobra.Command{
		Use:               "show ID",
		Short:             "Show a task and its scope",
		Args:              cobra.ExactArgs(1),
		Example:           "  byline task show t_abc\n  byline task show t_abc --json",
		ValidArgsFunction: completeTasks,
	}
	askControl(c, showTask, func(args []string) (request, error) {
		return request{http.MethodGet, client.TaskPath(args[0]), nil}, nil
	})
	return c
}

func taskEndCommand() *cobra.Command {
	c := &cobra.Command{
		Use:               "end ID",
		Short:             "End a task: cut what it has open, log out, check its accounts in",
		Args:              cobra.ExactArgs(1),
		Example:           "  byline task end t_abc\n  byline task end t_abc --by sponsor",
		ValidArgsFunction: completeTasks,
	}
	by := "operator"
	c.Flags().StringVar(&by, "by", by, "who ends it, for the record: operator, or sponsor if the task's sponsor asks you to")
	_ = c.RegisterFlagCompletionFunc("by", cobra.FixedCompletions([]string{"operator", "sponsor"}, cobra.ShellCompDirectiveNoFileComp))

	askControl(c, showTask, func(args []string) (request, error) {
		switch by {
		case "operator":
			return request{http.MethodDelete, client.TaskPath(args[0]), nil}, nil
		case "sponsor":
			return request{http.MethodDelete, client.TaskPath(args[0]) + "?" + admin.EndedBySponsor, nil}, nil
		}
		return request{}, fmt.Errorf("task end: --by is %q, and takes operator or sponsor", by)
	})
	return c
}

// request is one request to the control API.
type request struct {
	method, path string
	body         []byte
}

// askControl makes c a command that sends one request to the control API and shows the
// answer, with --json as it came. Errors of makeRequest that are no [cli.Failure] are
// wrong usage. The configuration that show gets is nil if there is none.
func askControl(c *cobra.Command, show func(io.Writer, []byte, *configs.Config) error, makeRequest func(args []string) (request, error)) {
	client.AddFlags(c)
	asJSON := cli.JSONFlag(c)

	c.RunE = func(c *cobra.Command, args []string) error {
		r, err := makeRequest(args)
		if err != nil {
			return err
		}
		control, cfg, err := client.Connect(c)
		if err != nil {
			return err
		}
		answer, err := control.Ask(c.Context(), r.method, r.path, r.body)
		if err != nil {
			return err
		}

		if *asJSON {
			_, err = c.OutOrStdout().Write(answer)
		} else {
			err = show(c.OutOrStdout(), answer, cfg)
		}
		return cli.OutputFailed(err)
	}
}

// showTask writes a task. If the answer holds its token, it also writes the commands with
// which a shell works in the task.
func showTask(w io.Writer, answer []byte, cfg *configs.Config) error {
	var t admin.Task
	if err := json.Unmarshal(answer, &t); err != nil {
		return err
	}

	state := t.State
	if t.Why != "" {
		state += ": " + t.Why
	}
	rows := [][]string{
		{"state", state},
		{"agent", t.Agent},
		{"sponsor", t.Sponsor},
		{"purpose", t.Purpose},
		{"grant", t.Grant},
		{"expires", fmt.Sprintf("%s (%s)", t.Expires.UTC().Format(time.RFC3339), cli.RelativeTime(t.Expires, time.Now()))},
	}
	for _, e := range t.Scope {
		rows = append(rows, []string{"scope", formatScope([]admin.ScopeEntry{e})})
	}
	for _, a := range t.Accounts {
		line := a.Adapter + "/" + a.Account + ": " + formatAccountState(&a)
		if a.Why != "" {
			line += ": " + a.Why
		}
		rows = append(rows, []string{"account", line})
	}
	if t.Token != "" {
		rows = append(rows, []string{"token", t.Token + "  (shown only here)"})
	}
	if err := cli.Table(w, []string{"task", t.ID}, rows); err != nil {
		return err
	}

	if t.Token == "" {
		return nil
	}
	_, err := io.WriteString(w, shellExports(&t, cfg))
	return err
}

// shellExports returns the commands that make programs of a shell work in the task.
// byline run does the same, and more, for programs that it starts. Without a
// configuration the address and the file of the root are left for the reader to fill in.
func shellExports(t *admin.Task, cfg *configs.Config) string {
	scheme, host := "http", "PROXY-HOST:8080"
	root := "byline-root.pem"
	if cfg != nil {
		host = cli.DialAddress(cfg.Listen)
		root = filepath.Join(cfg.Certs.Dir, "root.crt")
		if cfg.TLS.Cert != "" {
			scheme = "https"
		}
	}

	proxy := url.URL{Scheme: scheme, Host: host, User: url.UserPassword(t.ID, t.Token)}
	return fmt.Sprintf("\nexport HTTPS_PROXY=%[1]s HTTP_PROXY=%[1]s\n"+
		"export NODE_EXTRA_CA_CERTS=%[2]s   # other programs: byline ca export --bundle\n", &proxy, quoteForShell(root))
}

// plainWord matches text that needs no quotes in a shell or in YAML.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9_./-]+$`)

func quoteForShell(s string) string {
	if plainWord.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
