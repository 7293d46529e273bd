package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/byline-proxy/byline/configs"
)

func settings(c *cobra.Command) (*configs.Config, error) {
	path, _ := c.Flags().GetString("config")
	cfg, err := configs.Load(path)
	if err == nil {
		return cfg, nil
	}
	if ps, ok := errors.AsType[configs.Problems](err); ok {
		for _, p := range ps {
			fmt.Fprintln(c.ErrOrStderr(), p)
		}
		return nil, failed("configuration", fmt.Errorf("%d problems; nothing was started", len(ps)), "mend the lines above")
	}
	return nil, failed("configuration", err, "name the file with --config")
}

func checkCommand() *cobra.Command {
	return &cobra.Command{Use: "check", Short: "Check the configuration file", Example: "  byline check --config /etc/byline/byline.yaml", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if _, err := settings(c); err != nil {
				return err
			}
			fmt.Fprintln(c.OutOrStdout(), "ok")
			return nil
		}}
}
