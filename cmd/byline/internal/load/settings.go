// Package load reads the configuration and every file that it names, and lists
// all problems of all files at once.
package load

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/byline-proxy/byline/cmd/byline/internal/cli"
	"github.com/byline-proxy/byline/configs"
)

// Settings reads the configuration file and writes every problem of it to
// standard error.
func Settings(c *cobra.Command) (*configs.Config, error) {
	cfg, found, err := ReadSettings(c)
	if err == nil && len(found) > 0 {
		err = Refused(c, found)
	}
	return cfg, err
}

// ReadSettings is what could be read of the configuration file, with its problems.
func ReadSettings(c *cobra.Command) (*configs.Config, Problems, error) {
	path, _ := c.Flags().GetString("config")
	cfg, wrong, err := configs.Read(path)
	if err != nil {
		return nil, nil, cli.Failed("configuration", err, "name the file with --config, or write one with: byline init")
	}
	var found Problems
	for _, p := range wrong {
		found.Add("%s", p)
	}
	return cfg, found, nil
}

// Refused shows all problems and says what follows.
func Refused(c *cobra.Command, found Problems) error {
	for _, line := range found {
		fmt.Fprintln(c.ErrOrStderr(), line)
	}
	return cli.Failed("configuration", fmt.Errorf("%s; nothing was started", cli.Counted(len(found), "problem")), "mend the lines above")
}
