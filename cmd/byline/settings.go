package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/byline-proxy/byline/configs"
)

// settings reads the configuration file and writes every problem of it to
// standard error.
func settings(c *cobra.Command) (*configs.Config, error) {
	cfg, found, err := read(c)
	if err == nil && len(found) > 0 {
		err = refused(c, found)
	}
	return cfg, err
}

// read is what could be read of the configuration file, with its problems.
func read(c *cobra.Command) (*configs.Config, problems, error) {
	path, _ := c.Flags().GetString("config")
	cfg, wrong, err := configs.Read(path)
	if err != nil {
		return nil, nil, failed("configuration", err, "name the file with --config, or write one with: byline init")
	}
	var found problems
	for _, p := range wrong {
		found.add("%s", p)
	}
	return cfg, found, nil
}

// refused shows all problems and says what follows.
func refused(c *cobra.Command, found problems) error {
	for _, line := range found {
		fmt.Fprintln(c.ErrOrStderr(), line)
	}
	return failed("configuration", fmt.Errorf("%s; nothing was started", counted(len(found), "problem")), "mend the lines above")
}

// counted is "1 problem", "2 problems".
func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
