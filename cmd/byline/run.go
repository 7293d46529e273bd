package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"
)

func runCommand() *cobra.Command {
	var file string
	c := &cobra.Command{Use: "run --spec FILE -- COMMAND [ARG...]", Short: "Run a program inside a task of its own",
		Example: "  byline run --spec task.json -- curl https://wiki.acme.example/", Args: cobra.MinimumNArgs(1)}
	c.Flags().StringVar(&file, "spec", "", "the task, a JSON file")
	_ = c.MarkFlagRequired("spec") // the flag is defined one line up
	c.RunE = func(c *cobra.Command, args []string) error {
		cfg, err := settings(c)
		if err != nil {
			return err
		}
		body, err := spec(file)
		if err != nil {
			return err
		}
		out, err := call(c.Context(), cfg, "POST", "/v1/tasks", body)
		if err != nil {
			return err
		}
		var made struct{ ID, Token string }
		if err := json.Unmarshal(out, &made); err != nil {
			return failed("run", err, "")
		}
		ends := func() error {
			_, err := call(context.WithoutCancel(c.Context()), cfg, "DELETE", "/v1/tasks/"+url.PathEscape(made.ID), nil)
			return err
		}
		scheme := "http"
		if cfg.TLS.Cert != "" {
			scheme = "https"
		}
		proxy := url.URL{Scheme: scheme, User: url.UserPassword(made.ID, made.Token), Host: cfg.Listen}
		code, err := inside(args, &proxy, made.ID, filepath.Join(cfg.Certs.Dir, "root.pem"))
		if err = errors.Join(err, ends()); err != nil {
			return failed("run", err, "")
		}
		if code != 0 {
			return &failure{code: code}
		}
		return nil
	}
	return c
}

// inside runs the program with the task's surroundings, passes signals on and
// returns its exit code, 128+n when signal n killed it.
func inside(args []string, proxy *url.URL, task, root string) (int, error) {
	dir, err := os.MkdirTemp("", "byline-run-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	bundle, err := writeBundle(dir, root)
	if err != nil {
		return 0, err
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), surroundings(proxy, task, bundle, root)...)
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2)
	defer signal.Stop(signals)
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	done := make(chan struct{})
	go func() {
		for {
			select {
			case s := <-signals:
				_ = cmd.Process.Signal(s) // it may have ended just now
			case <-done:
				return
			}
		}
	}()
	err = cmd.Wait()
	close(done)
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		if w := exit.Sys().(syscall.WaitStatus); w.Signaled() {
			return 128 + int(w.Signal()), nil
		}
		return exit.ExitCode(), nil
	}
	return 0, err
}

// writeBundle joins the system's roots and ours in a file of mode 0600.
func writeBundle(dir, root string) (string, error) {
	ours, err := os.ReadFile(root)
	if err != nil {
		return "", fmt.Errorf("interception root: %w", err)
	}
	var all []byte
	for _, f := range []string{"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"} {
		if all, err = os.ReadFile(f); err == nil {
			break
		}
	}
	path := filepath.Join(dir, "bundle.pem")
	return path, os.WriteFile(path, append(append(all, '\n'), ours...), 0o600)
}

// surroundings is the environment that makes programs use the proxy and trust
// its authority. Node.js 20 knows no NODE_USE_ENV_PROXY: it needs a newer one.
func surroundings(proxy *url.URL, task, bundle, root string) (env []string) {
	for _, k := range []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY", "all_proxy"} {
		env = append(env, k+"="+proxy.String())
	}
	for _, k := range []string{"SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "GIT_SSL_CAINFO", "PIP_CERT", "AWS_CA_BUNDLE",
		"DENO_CERT", "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", "CARGO_HTTP_CAINFO"} {
		env = append(env, k+"="+bundle)
	}
	return append(env, "NODE_EXTRA_CA_CERTS="+root, "NODE_USE_ENV_PROXY=1", "DENO_TLS_CA_STORE=system", "NO_PROXY=", "no_proxy=", "BYLINE_TASK="+task)
}
