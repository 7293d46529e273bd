package client

import (
	"context"
	"errors"
	"fmt"
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

const hintTokenFile = "name a copy of the server's control.token with --token-file"

// AddFlags adds the flags that name a server which may run on another machine.
func AddFlags(c *cobra.Command) {
	c.Flags().String("control", os.Getenv("BYLINE_CONTROL"),
		"control API at HOST:PORT or https://HOST, instead of the Unix socket (BYLINE_CONTROL)")
	c.Flags().String("token-file", os.Getenv("BYLINE_TOKEN_FILE"),
		"file with the control token, for --control (BYLINE_TOKEN_FILE)")
}

// Connect finds the server that the flags or the configuration name: over its Unix
// socket, or over TCP with the token file if --control is given or if the socket
// belongs to another user. The configuration is nil if there is none and the flags
// say enough.
func Connect(c *cobra.Command) (*Client, *configs.Config, error) {
	address, _ := c.Flags().GetString("control")
	tokenFile, _ := c.Flags().GetString("token-file")

	cfg, err := load.Config(c)
	if err != nil && (!errors.Is(err, configs.ErrNoFile) || address == "" || tokenFile == "") {
		return nil, nil, err
	}
	if cfg != nil && tokenFile == "" {
		tokenFile = cfg.Control.TokenFile
	}

	if address != "" {
		client, err := overTCP(address, tokenFile)
		return client, cfg, err
	}

	client, err := overUnix(c.Context(), cfg.Control.Socket)
	if err == nil {
		return client, cfg, nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		// The socket is there but not for this user, who may own a copy of the token.
		client, tokenErr := overTCP(cli.DialAddress(cfg.Control.Listen), tokenFile)
		if tokenErr == nil {
			return client, cfg, nil
		}
	}
	return nil, nil, cli.Failed("control", fmt.Errorf("no server answers: %w", err), hintNotRunning)
}

// overUnix returns a client of the server at a Unix socket. It fails if nothing
// accepts connections there.
func overUnix(ctx context.Context, socket string) (*Client, error) {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}

	conn, err := dial(ctx, "", "")
	if err != nil {
		return nil, err
	}
	_ = conn.Close()

	return &Client{http: httpClient(&http.Transport{DialContext: dial}), base: "http://byline"}, nil
}

// overTCP returns a client of the server at HOST:PORT or a URL. Without TLS it accepts
// loopback addresses only: the token would cross a network that others can read.
func overTCP(address, tokenFile string) (*Client, error) {
	if !strings.Contains(address, "://") {
		address = "http://" + address
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, cli.Failed("control", fmt.Errorf("%q is not an address", address),
			"write it like 127.0.0.1:8081 or https://byline.acme.example")
	}
	if u.Scheme == "http" && !cli.IsLoopback(u.Hostname()) {
		return nil, cli.Failed("control", fmt.Errorf("%s is not on this machine, and the control token would cross the network unencrypted", u.Host),
			"use https://, or an ssh tunnel to its loopback address")
	}

	if tokenFile == "" {
		return nil, cli.Failed("control", errors.New("no token file is named"), hintTokenFile)
	}
	token, err := admin.ReadToken(tokenFile)
	if err != nil {
		return nil, cli.Failed("control", err, hintTokenFile)
	}

	return &Client{http: httpClient(&http.Transport{}), base: u.Scheme + "://" + u.Host, token: token}, nil
}

// httpClient follows no redirect: the token is for the server that was named.
func httpClient(tr *http.Transport) *http.Client {
	return &http.Client{
		Transport:     tr,
		Timeout:       time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
