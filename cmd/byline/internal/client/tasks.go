package client

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"net/http"
	"net/url"
	"strings"

	"github.com/byline-proxy/byline/cmd/byline/internal/cli"
	"github.com/byline-proxy/byline/proxy/admin"
)

// tasksAtOnce is how many tasks are asked for with one request.
const tasksAtOnce = 5000

// TaskPages yields the tasks of a query, newest first, in parts, so that a long list is
// never in memory as a whole. There is at least one part, which may be empty. An error is
// the last pair.
func (c *Client) TaskPages(ctx context.Context, q admin.TaskQuery) iter.Seq2[[]json.RawMessage, error] {
	return func(yield func([]json.RawMessage, error) bool) {
		left, pageSize := q.Limit, tasksAtOnce
		for {
			q.Limit = pageSize
			if left > 0 {
				q.Limit = min(left, pageSize)
			}
			answer, fields, err := c.ask(ctx, http.MethodGet, TasksPath+"?"+q.Encode(), nil)
			if errors.Is(err, errTooLong) && q.Limit > 1 {
				pageSize = q.Limit / 2 // tasks with long scopes
				continue
			}
			if err != nil {
				yield(nil, err)
				return
			}
			var page []json.RawMessage
			if err := json.Unmarshal(answer, &page); err != nil {
				yield(nil, cli.Failed("control", err, ""))
				return
			}

			q.After = nextPage(fields.Get("Link"))
			isLast := q.After == ""
			if left > 0 {
				page = page[:min(left, len(page))] // an older server sends all
				left -= len(page)
				isLast = isLast || left == 0
			}
			if !yield(page, nil) || isLast {
				return
			}
		}
	}
}

// Tasks yields the tasks of a query, newest first. An error is the last pair.
func (c *Client) Tasks(ctx context.Context, q admin.TaskQuery) iter.Seq2[admin.Task, error] {
	return func(yield func(admin.Task, error) bool) {
		for page, err := range c.TaskPages(ctx, q) {
			if err != nil {
				yield(admin.Task{}, err)
				return
			}
			for _, text := range page {
				var t admin.Task
				if err := json.Unmarshal(text, &t); err != nil {
					yield(t, cli.Failed("control", err, ""))
					return
				}
				if !yield(t, nil) {
					return
				}
			}
		}
	}
}

// nextPage returns the place after the page to which a field Link belongs, or "" for
// the last one.
func nextPage(link string) string {
	target, parameters, _ := strings.Cut(strings.TrimPrefix(link, "<"), ">")
	if !strings.Contains(parameters, `rel="next"`) {
		return ""
	}
	u, err := url.Parse(target)
	if err != nil {
		return ""
	}
	return u.Query().Get("after")
}
