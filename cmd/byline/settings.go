package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/byline-proxy/byline/configs"
)

// settings reads the configuration file and writes every problem of it to
// standard error.
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
		return nil, failed("configuration", fmt.Errorf("%s; nothing was started", counted(len(ps), "problem")), "mend the lines above")
	}
	return nil, failed("configuration", err, "name the file with --config, or write one with: byline init")
}

// counted is "1 problem", "2 problems".
func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
