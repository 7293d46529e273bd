package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/byline-proxy/byline/configs"
	"github.com/byline-proxy/byline/proxy/admin"
)

// call asks the control API over the Unix socket, and returns the JSON answer.
func call(ctx context.Context, cfg *configs.Config, method, path string, body []byte) ([]byte, error) {
	tr := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", cfg.Control.Socket)
	}}
	defer tr.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, method, "http://byline"+path, bytes.NewReader(body))
	if err != nil {
		return nil, failed("control", err, "")
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := (&http.Client{Transport: tr, Timeout: time.Minute}).Do(req)
	if err != nil {
		return nil, failed("control", errors.Unwrap(err), "start the server with: byline serve")
	}
	defer res.Body.Close()
	out, err := io.ReadAll(io.LimitReader(res.Body, 16<<20))
	if err != nil {
		return nil, failed("control", err, "")
	}
	if res.StatusCode >= 300 {
		p := admin.Problem{Detail: res.Status}
		_ = json.Unmarshal(out, &p) // what is no problem document keeps the status
		return nil, failed("control", &p, p.Remedy)
	}
	return out, nil
}

func taskCommand() *cobra.Command {
	t := &cobra.Command{Use: "task", Short: "Make, list and end tasks", Example: "  byline task list", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return errors.New("task: name one of create, list, show and end")
		}}
	verb := func(use, short, example string, args cobra.PositionalArgs, method string) *cobra.Command {
		c := &cobra.Command{Use: use, Short: short, Example: example, Args: args}
		c.Flags().Bool("json", true, "write JSON")
		c.RunE = func(c *cobra.Command, args []string) error {
			cfg, err := settings(c)
			if err != nil {
				return err
			}
			path, body := "/v1/tasks", []byte(nil)
			if method == http.MethodPost {
				if body, err = spec(args[0]); err != nil {
					return err
				}
			} else if len(args) == 1 {
				path += "/" + url.PathEscape(args[0])
			}
			out, err := call(c.Context(), cfg, method, path, body)
			if err == nil {
				_, err = fmt.Fprintf(c.OutOrStdout(), "%s", out)
			}
			return err
		}
		return c
	}
	t.AddCommand(
		verb("create FILE", "Make a task from a JSON file (- is stdin); its token is shown once", "  byline task create task.json", cobra.ExactArgs(1), "POST"),
		verb("list", "List the tasks", "  byline task list", cobra.NoArgs, "GET"),
		verb("show ID", "Show a task", "  byline task show t_abc", cobra.ExactArgs(1), "GET"),
		verb("end ID", "End a task and cut what it has open", "  byline task end t_abc", cobra.ExactArgs(1), "DELETE"))
	return t
}

func spec(path string) ([]byte, error) {
	var b []byte
	var err error
	if path == "-" {
		b, err = io.ReadAll(os.Stdin)
	} else {
		b, err = os.ReadFile(path)
	}
	if err != nil {
		return nil, failed("task", err, "name a JSON file with agent, sponsor, purpose and scope")
	}
	return b, nil
}
