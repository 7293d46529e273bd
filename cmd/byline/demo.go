package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/byline-proxy/byline/cmd/byline/demo"
	"github.com/byline-proxy/byline/cmd/byline/internal/cli"
)

// demoTimeout bounds a demonstration in which something hangs.
const demoTimeout = 2 * time.Minute

func demoCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "demo",
		Short: "Show what Byline does, with an example application and an example agent",
		Args:  cobra.NoArgs,
		Long: "Starts a small application that knows only people's logins, lets an agent work in it with a person's session, without\n" +
			"Byline and with it, and shows what the application's log says each time. It needs no configuration, listens only on\n" +
			"loopback, and leaves nothing behind.",
		Example: "  byline demo\n  byline demo | less",
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
			defer stop()
			ctx, cancel := context.WithTimeout(ctx, demoTimeout)
			defer cancel()

			// The kernel ends the children when the thread that started them ends.
			runtime.LockOSThread()

			err := demo.Show(ctx, c.OutOrStdout())
			if err != nil && ctx.Err() != nil {
				err = errors.New("interrupted")
			}
			if err != nil {
				return cli.Failed("demo", err, "")
			}
			return nil
		},
	}
	c.AddCommand(demoAgentCommand())
	return c
}

func demoAgentCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "agent",
		Short:   "Run the demonstration's agent",
		Hidden:  true,
		Args:    cobra.NoArgs,
		Example: "  byline demo",
		RunE: func(c *cobra.Command, _ []string) error {
			if err := demo.Agent(c.OutOrStdout()); err != nil {
				return cli.Failed("demo agent", err, "byline demo starts it with what it needs")
			}
			return nil
		},
	}
}
