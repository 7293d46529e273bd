package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/byline-proxy/byline/cmd/byline/internal/cli"
	"github.com/byline-proxy/byline/proxy/admin"
)

const (
	// holdTimeout bounds how long the server may take to accept a lifeline.
	holdTimeout = 5 * time.Second
	// reconnectAfter is the pause before a broken lifeline is connected again. It
	// lies far below the timeout of the server.
	reconnectAfter = 50 * time.Millisecond
)

// Lifeline keeps a task alive while this process lives. A connection that breaks is
// made again, also to a server that was restarted.
type Lifeline struct {
	client *Client
	task   string
	cancel context.CancelFunc
	ended  chan struct{}
	why    string // set before ended is closed
}

// HoldTask ties a task to this process: when the server has heard nothing of it for
// some hundred milliseconds, it ends the task. HoldTask returns when the server has
// accepted that. The caller calls Release at the end.
func (c *Client) HoldTask(ctx context.Context, id string) (*Lifeline, error) {
	ctx, cancel := context.WithCancel(ctx)
	l := &Lifeline{client: c, task: id, cancel: cancel, ended: make(chan struct{})}

	conn, err := l.connect(ctx)
	if err != nil {
		cancel()
		return nil, err
	}
	go l.hold(ctx, conn)
	return l, nil
}

// Release stops the signs of life. The server then ends the task, unless the caller
// has done so before.
func (l *Lifeline) Release() { l.cancel() }

// Ended is closed when the server says that the task has ended.
func (l *Lifeline) Ended() <-chan struct{} { return l.ended }

// Why says why the task has ended. It is called after Ended was closed.
func (l *Lifeline) Why() string { return l.why }

// hold gives signs of life until ctx is done or the task has ended.
func (l *Lifeline) hold(ctx context.Context, conn *lifelineConn) {
	for {
		if conn != nil {
			if why, over := conn.follow(ctx); over {
				l.end(why)
				return
			}
		}

		select {
		case <-time.After(reconnectAfter):
		case <-ctx.Done():
			return
		}

		var err error
		conn, err = l.connect(ctx)
		if p, ok := errors.AsType[*admin.Problem](err); ok && p.Status >= 400 && p.Status < 500 {
			l.end(p.Detail)
			return
		}
	}
}

func (l *Lifeline) end(why string) {
	l.why = why
	close(l.ended)
}

// lifelineConn is one connection of a lifeline.
type lifelineConn struct {
	beats   *io.PipeWriter
	answer  io.ReadCloser
	events  *bufio.Scanner
	every   time.Duration
	timeout time.Duration
	cut     context.CancelFunc
}

// connect opens a connection and waits until the server has accepted it.
func (l *Lifeline) connect(ctx context.Context) (*lifelineConn, error) {
	ctx, cut := context.WithCancel(ctx)
	body, beats := io.Pipe()
	req, err := l.client.newRequest(ctx, http.MethodPost, TaskPath(l.task)+"/lifeline", body)
	if err != nil {
		cut()
		return nil, err
	}

	slow := time.AfterFunc(holdTimeout, cut)
	defer slow.Stop()
	go func() { _, _ = beats.Write([]byte{'\n'}) }() // the transport sends the head with the first byte
	endless := http.Client{Transport: l.client.http.Transport, CheckRedirect: l.client.http.CheckRedirect}
	res, err := endless.Do(req)
	if err != nil {
		cut()
		return nil, cli.Failed("control", err, hintNotRunning)
	}
	if res.StatusCode != http.StatusOK {
		defer cut()
		answer, _ := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
		return nil, refusal(res, answer)
	}

	c := &lifelineConn{beats: beats, answer: res.Body, events: bufio.NewScanner(res.Body), cut: cut}
	var first admin.LifelineEvent
	if c.events.Scan() {
		err = json.Unmarshal(c.events.Bytes(), &first)
	}
	if err == nil {
		c.timeout, err = time.ParseDuration(first.Timeout)
	}
	if err == nil {
		c.every, err = time.ParseDuration(first.Every)
	}
	if err != nil || c.every <= 0 {
		c.close()
		return nil, cli.Failed("control", errors.New("the server did not accept the lifeline of the task"), "")
	}
	return c, nil
}

// follow gives signs of life and reads the server's, until the connection breaks or
// the server says that the task has ended. A server that does not answer is taken for
// gone.
func (c *lifelineConn) follow(ctx context.Context) (why string, ended bool) {
	defer c.close()
	beating := make(chan struct{})
	go func() {
		defer close(beating)
		c.beat(ctx)
	}()

	silent := time.AfterFunc(2*c.timeout, c.cut)
	defer silent.Stop()
	for c.events.Scan() {
		silent.Reset(2 * c.timeout)
		var e admin.LifelineEvent
		if json.Unmarshal(c.events.Bytes(), &e) == nil && e.Ended != "" {
			why, ended = e.Ended, true
			break
		}
	}

	c.close()
	<-beating
	return why, ended
}

// beat gives a sign of life every so often, until the connection is closed.
func (c *lifelineConn) beat(ctx context.Context) {
	tick := time.NewTicker(c.every)
	defer tick.Stop()
	for {
		if _, err := c.beats.Write([]byte{'\n'}); err != nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (c *lifelineConn) close() {
	c.cut()
	_ = c.beats.Close()
	_ = c.answer.Close()
}
