// Package load reads the configuration and the files that it names, for commands
// and for the server. It lists all problems of all files at once.
package load

import (
	"github.com/spf13/cobra"

	"github.com/byline-proxy/byline/cmd/byline/internal/cli"
	"github.com/byline-proxy/byline/configs"
)

// Config reads the configuration file that --config names. If the file has problems,
// all of them are written to standard error and the error counts them.
func Config(c *cobra.Command) (*configs.Config, error) {
	cfg, found, err := ConfigWithProblems(c)
	if err != nil {
		return nil, err
	}
	if len(found) > 0 {
		return nil, found.Report(c.ErrOrStderr())
	}
	return cfg, nil
}

// ConfigWithProblems returns what could be read of the configuration file together
// with its problems. A configuration that has problems must not be put in force; it
// only tells where to look for more of them.
func ConfigWithProblems(c *cobra.Command) (*configs.Config, Problems, error) {
	cfg, wrong, err := configs.Read(configPath(c))
	if err != nil {
		return nil, nil, cli.Failed("configuration", err, "name the file with --config, or write one with: byline init")
	}

	var found Problems
	for _, p := range wrong {
		found.Add("%s", p)
	}
	return cfg, found, nil
}

// configPath returns the value of --config.
func configPath(c *cobra.Command) string {
	path, _ := c.Flags().GetString("config") // the root command has the flag
	return path
}
