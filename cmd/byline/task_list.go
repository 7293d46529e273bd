package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/byline-proxy/byline/cmd/byline/internal/cli"
	"github.com/byline-proxy/byline/cmd/byline/internal/client"
	"github.com/byline-proxy/byline/proxy/admin"
)

func taskListCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "list",
		Short: "List the tasks, newest first",
		Args:  cobra.NoArgs,
		Long:  "Lists the tasks, newest first. An ended task is listed for a day.",
		Example: "  byline task list\n" +
			"  byline task list --state active --limit 20\n" +
			"  byline task list --json | jq '.[].id'",
	}
	var q admin.TaskQuery
	c.Flags().StringVar(&q.State, "state", "", "only tasks that are active or that have ended: active or ended")
	c.Flags().IntVar(&q.Limit, "limit", 0, "only the newest N (default all)")
	client.AddFlags(c)
	asJSON := cli.JSONFlag(c)

	c.RunE = func(c *cobra.Command, _ []string) error {
		switch {
		case q.State != "" && q.State != admin.StateActive && q.State != admin.StateEnded:
			return fmt.Errorf("--state %q is neither %s nor %s", q.State, admin.StateActive, admin.StateEnded)
		case q.Limit < 0 || q.Limit == 0 && c.Flags().Changed("limit"):
			return errors.New("--limit must be above 0")
		}

		control, _, err := client.Connect(c)
		if err != nil {
			return err
		}
		if *asJSON {
			return writeTasks(c, control, q)
		}
		return tabulateTasks(c, control, q)
	}
	return c
}

// writeTasks writes the tasks as one JSON array, as the server sent them.
func writeTasks(c *cobra.Command, control *client.Client, q admin.TaskQuery) error {
	w := c.OutOrStdout()
	separator := "["
	for page, err := range control.TaskPages(c.Context(), q) {
		if err != nil {
			return err
		}
		for _, task := range page {
			_, err := fmt.Fprintf(w, "%s%s", separator, task)
			if err != nil {
				return cli.OutputFailed(err)
			}
			separator = ","
		}
	}
	if separator == "[" {
		_, _ = io.WriteString(w, "[")
	}
	_, err := io.WriteString(w, "]\n")
	return cli.OutputFailed(err)
}

// tabulateTasks writes a line for each task. The columns of a long list are aligned
// within each part of it.
func tabulateTasks(c *cobra.Command, control *client.Client, q admin.TaskQuery) error {
	rows := [][]string{{"TASK", "STATE", "EXPIRES", "AGENT", "SPONSOR", "PURPOSE", "SCOPE"}}
	for page, err := range control.TaskPages(c.Context(), q) {
		if err != nil {
			return err
		}
		for _, text := range page {
			var t admin.Task
			if err := json.Unmarshal(text, &t); err != nil {
				return cli.Failed("control", err, "")
			}
			expires := "-" // an ended task has nothing left to expire
			if t.State == admin.StateActive {
				expires = cli.RelativeTime(t.Expires, time.Now())
			}
			rows = append(rows, []string{
				t.ID,
				t.State,
				expires,
				t.Agent,
				t.Sponsor,
				t.Purpose,
				formatScope(t.Scope),
			})
		}

		if len(rows) == 0 {
			continue
		}

		err := cli.Table(c.OutOrStdout(), rows[0], rows[1:])
		if err != nil {
			return cli.OutputFailed(err)
		}
		rows = nil // the heading is written once
	}
	return nil
}
