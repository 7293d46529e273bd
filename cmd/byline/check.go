package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func checkCommand() *cobra.Command {
	return &cobra.Command{Use: "check", Short: "Check the configuration and all that it names, without starting anything", Args: cobra.NoArgs,
		Long:    "Reads configuration, adapters, policies, keys and certificates as byline serve would, and lists every problem of all files at once.",
		Example: "  byline check --config /etc/byline/byline.yaml",
		RunE: func(c *cobra.Command, _ []string) error {
			p, err := ready(c)
			if err != nil {
				return err
			}
			fmt.Fprintf(c.OutOrStdout(), "ok: %s, %s passed through\n", counted(len(p.rules.Adapters.All()), "adapter"), counted(len(p.rules.PassThrough), "host"))
			return nil
		}}
}

// ready is what a server can be started from. Problems of all files and
// warnings are written to standard error.
func ready(c *cobra.Command) (*prepared, error) {
	cfg, found, err := read(c)
	if err != nil {
		return nil, err
	}
	p := &prepared{cfg: cfg}
	if cfg.DataDir != "" { // else nothing says where to look
		var more problems
		p, more = prepare(cfg)
		found = append(found, more...)
	}
	for _, w := range p.warnings {
		fmt.Fprintln(c.ErrOrStderr(), "byline: warning:", w)
	}
	if len(found) > 0 {
		return nil, refused(c, found)
	}
	return p, nil
}
