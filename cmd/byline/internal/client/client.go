// Package client talks to the control API of a running server.
package client

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
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/byline-proxy/byline/cmd/byline/internal/cli"
	"github.com/byline-proxy/byline/cmd/byline/internal/load"
	"github.com/byline-proxy/byline/configs"
	"github.com/byline-proxy/byline/proxy/admin"
)

const notRunning = "start the server with: byline serve"

// Client asks a running server: over its Unix socket where there is one, over
// TCP with the token file otherwise.
type Client struct {
	client *http.Client
	base   string
	token  admin.Token
}

// Flags are the flags of every command that asks a server which may run
// on another machine.
func Flags(c *cobra.Command) {
	c.Flags().String("control", os.Getenv("BYLINE_CONTROL"), "control API at HOST:PORT or https://HOST, in place of the Unix socket (BYLINE_CONTROL)")
	c.Flags().String("token-file", os.Getenv("BYLINE_TOKEN_FILE"), "file with the control token, for --control (BYLINE_TOKEN_FILE)")
}

// Reach finds the server. The configuration is nil when the flags say enough
// and there is no file.
func Reach(c *cobra.Command) (*Client, *configs.Config, error) {
	at, _ := c.Flags().GetString("control")
	tokenFile, _ := c.Flags().GetString("token-file")
	cfg, err := load.Settings(c)
	if err != nil && (!errors.Is(err, configs.ErrNoFile) || at == "" || tokenFile == "") {
		return nil, nil, err
	}
	if cfg != nil && tokenFile == "" {
		tokenFile = cfg.Control.TokenFile
	}
	if at != "" {
		ct, err := overTCP(at, tokenFile)
		return ct, cfg, err
	}
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", cfg.Control.Socket)
	}
	conn, err := dial(c.Context(), "", "")
	if err == nil {
		_ = conn.Close()
		return &Client{client: clientOf(&http.Transport{DialContext: dial}), base: "http://byline"}, cfg, nil
	}
	if ct, noToken := overTCP(cli.Dialable(cfg.Control.Listen), tokenFile); noToken == nil && !errors.Is(err, os.ErrNotExist) {
		return ct, cfg, nil // the socket is another user's, the token file is ours
	}
	return nil, nil, cli.Failed("control", fmt.Errorf("no server answers: %w", err), notRunning)
}

func clientOf(tr *http.Transport) *http.Client {
	return &http.Client{Transport: tr, Timeout: time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// overTCP keeps the token from crossing a network that others can read.
func overTCP(at, tokenFile string) (*Client, error) {
	if !strings.Contains(at, "://") {
		at = "http://" + at
	}
	u, err := url.Parse(at)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, cli.Failed("control", fmt.Errorf("%q is no address", at), "write it like 127.0.0.1:8081 or https://byline.acme.example")
	}
	if u.Scheme == "http" && !cli.Loopback(u.Hostname()) {
		return nil, cli.Failed("control", fmt.Errorf("%s is not on this machine, and the control token would cross the network unencrypted", u.Host),
			"use https://, or an ssh tunnel to its loopback address")
	}
	if tokenFile == "" {
		return nil, cli.Failed("control", errors.New("no token file is named"), "name a copy of the server's control.token with --token-file")
	}
	token, err := admin.ReadToken(tokenFile)
	if err != nil {
		return nil, cli.Failed("control", err, "name a copy of the server's control.token with --token-file")
	}
	return &Client{client: clientOf(&http.Transport{}), base: u.Scheme + "://" + u.Host, token: token}, nil
}

// Ask sends body as JSON (nil: none) and returns the JSON answer. A refusal
// comes back with its remedy.
func (ct *Client) Ask(ctx context.Context, method, path string, body any) ([]byte, error) {
	sent, raw := body.([]byte)
	if body != nil && !raw {
		var err error
		if sent, err = json.Marshal(body); err != nil {
			return nil, cli.Failed("control", err, "")
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, ct.base+path, bytes.NewReader(sent))
	if err != nil {
		return nil, cli.Failed("control", err, "")
	}
	req.Header.Set("Content-Type", "application/json")
	if t := ct.token.Reveal(); t != "" {
		req.Header.Set("Authorization", "Bearer "+t)
	}
	res, err := ct.client.Do(req)
	if err != nil {
		return nil, cli.Failed("control", err, notRunning)
	}
	defer res.Body.Close()
	out, err := io.ReadAll(io.LimitReader(res.Body, 16<<20))
	if err != nil {
		return nil, cli.Failed("control", err, "")
	}
	if res.StatusCode >= 300 {
		p := admin.Problem{Detail: res.Status}
		_ = json.Unmarshal(out, &p) // what is no problem document keeps the status
		return nil, cli.Failed("control", &p, p.Remedy)
	}
	return out, nil
}
