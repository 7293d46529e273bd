// Package client talks to the control API of a running server.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/byline-proxy/byline/cmd/byline/internal/cli"
	"github.com/byline-proxy/byline/proxy/admin"
)

// maxAnswer bounds an answer of the control API, in bytes.
const maxAnswer = 16 << 20

var errTooLong = errors.New("the answer of the server is too long")

// hintNotRunning is the remedy for a server that does not answer.
const hintNotRunning = "start the server with: byline serve"

// Paths of the control API.
const (
	TasksPath   = "/v1/tasks"
	ExplainPath = "/v1/explain"
	ReviewsPath = "/v1/reviews"

	RollbackPath = "/v1/audit/rollback"
	ArchivedPath = "/v1/audit/archived"

	AccountsPath = "/v1/accounts"
)

// TaskPath is the path of one task.
func TaskPath(id string) string { return TasksPath + "/" + url.PathEscape(id) }

// RetryPath is the path of the request that allows a login with an account.
func RetryPath(adapter, account string) string {
	return AccountsPath + "/" + url.PathEscape(adapter) + "/" + url.PathEscape(account) + "/retry"
}

// Client sends requests to one server. [Connect] returns one. All methods may be
// called concurrently; their errors are a [cli.Failure].
type Client struct {
	http  *http.Client
	base  string      // scheme and authority
	token admin.Token // zero on a Unix socket
}

// CreateTask creates a task. spec is an [admin.TaskSpec] or the JSON of one. The
// answer is the only one that holds the task's token.
func (c *Client) CreateTask(ctx context.Context, spec any) (admin.Task, error) {
	var task admin.Task
	err := c.askFor(ctx, &task, http.MethodPost, TasksPath, spec)
	return task, err
}

// EndTask ends a task. It returns when what the task had open is cut.
func (c *Client) EndTask(ctx context.Context, id string) error {
	_, err := c.Ask(ctx, http.MethodDelete, TaskPath(id), nil)
	return err
}

// FinishTask ends a task because the program that it was created for has ended. It
// returns when what the task had open is cut.
func (c *Client) FinishTask(ctx context.Context, id string) error {
	_, err := c.Ask(ctx, http.MethodDelete, TaskPath(id)+"?"+admin.EndedByProgram, nil)
	return err
}

// Resolve asks where a name leads for a program of the task.
func (c *Client) Resolve(ctx context.Context, task string, q admin.NameQuestion) (admin.NameAnswer, error) {
	var answer admin.NameAnswer
	err := c.askFor(ctx, &answer, http.MethodPost, TaskPath(task)+"/names", q)
	return answer, err
}

// RecordAttempts puts on record what a program of the task tried without Byline.
func (c *Client) RecordAttempts(ctx context.Context, task string, attempts []admin.Attempt) error {
	_, err := c.Ask(ctx, http.MethodPost, TaskPath(task)+"/attempts", admin.Attempts{Attempts: attempts})
	return err
}

// SignReview puts a sign-off on record. It returns when the record is durable.
func (c *Client) SignReview(ctx context.Context, s admin.SignOff) (admin.Signed, error) {
	var signed admin.Signed
	err := c.askFor(ctx, &signed, http.MethodPost, ReviewsPath, s)
	return signed, err
}

// AcceptRollback puts on record that the log is known to have lost records.
func (c *Client) AcceptRollback(ctx context.Context, a admin.Acceptance) (admin.AcceptedRollback, error) {
	var accepted admin.AcceptedRollback
	err := c.askFor(ctx, &accepted, http.MethodPost, RollbackPath, a)
	return accepted, err
}

// RecordArchived puts on record what became of a segment of the log. It returns when
// the record is durable.
func (c *Client) RecordArchived(ctx context.Context, s admin.ArchivedSegment) (admin.Signed, error) {
	var signed admin.Signed
	err := c.askFor(ctx, &signed, http.MethodPost, ArchivedPath, s)
	return signed, err
}

// askFor is [Client.Ask] with the answer decoded into out.
func (c *Client) askFor(ctx context.Context, out any, method, path string, body any) error {
	answer, err := c.Ask(ctx, method, path, body)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return cli.Failed("control", err, "")
	}
	return nil
}

// Ask sends a request and returns the JSON of the answer as it came. A body that is
// a []byte is sent as it is, any other but nil as JSON. A refusal of the server is an
// error with the server's remedy.
func (c *Client) Ask(ctx context.Context, method, path string, body any) ([]byte, error) {
	answer, _, err := c.ask(ctx, method, path, body)
	return answer, err
}

// ask is [Client.Ask] with the fields of the answer.
func (c *Client) ask(ctx context.Context, method, path string, body any) ([]byte, http.Header, error) {
	text, isText := body.([]byte)
	if body != nil && !isText {
		var err error
		if text, err = json.Marshal(body); err != nil {
			return nil, nil, cli.Failed("control", err, "")
		}
	}

	req, err := c.newRequest(ctx, method, path, bytes.NewReader(text))
	if err != nil {
		return nil, nil, err
	}

	res, err := c.http.Do(req)
	if err != nil {
		return nil, nil, cli.Failed("control", err, hintNotRunning)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err == nil && len(answer) > maxAnswer {
		err = fmt.Errorf("%w: it has more than %d bytes", errTooLong, maxAnswer)
	}
	if err != nil {
		return nil, nil, cli.Failed("control", err, "")
	}

	if res.StatusCode >= 300 {
		return nil, nil, refusal(res, answer)
	}
	return answer, res.Header, nil
}

// newRequest returns a request with the client's credentials.
func (c *Client) newRequest(ctx context.Context, method, path string, body io.Reader) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return nil, cli.Failed("control", err, "")
	}
	req.Header.Set("Content-Type", "application/json")
	if token := c.token.Reveal(); token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	return req, nil
}

// refusal returns the error for an answer that refuses a request.
func refusal(res *http.Response, answer []byte) error {
	p := admin.Problem{Status: res.StatusCode, Detail: res.Status}
	_ = json.Unmarshal(answer, &p) // an answer of a reverse proxy has only the status
	return cli.Failed("control", &p, p.Remedy)
}
