package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/byline-proxy/byline/cmd/byline/internal/cli"
	"github.com/byline-proxy/byline/cmd/byline/internal/server"
)

func checkCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "check",
		Short: "Check the configuration and everything that it names, without starting anything",
		Args:  cobra.NoArgs,
		Long: "Reads configuration, adapters, policies, keys and certificates as byline serve would, and lists all problems of all\n" +
			"files at once.",
		Example: "  byline check --config /etc/byline/byline.yaml\n  byline check --json",
	}
	asJSON := cli.JSONFlag(c)

	c.RunE = func(c *cobra.Command, _ []string) error {
		if *asJSON {
			return checkAsJSON(c)
		}
		p, err := server.Prepare(c)
		if err != nil {
			return err
		}

		_, err = fmt.Fprintf(c.OutOrStdout(), "ok: %s, %s passed through\n",
			cli.Plural(len(p.Rules.Adapters.All()), "adapter"), cli.Plural(len(p.Rules.PassThrough), "host"))
		return cli.OutputFailed(err)
	}
	return c
}

// checkView is what a check found, in JSON.
type checkView struct {
	Verdict     string   `json:"verdict"` // ok or problems
	Adapters    int      `json:"adapters"`
	PassThrough int      `json:"pass_through"`
	Problems    []string `json:"problems"`
	Warnings    []string `json:"warnings"`
}

// checkAsJSON writes a checkView. It fails after that if there are problems.
func checkAsJSON(c *cobra.Command) error {
	view := checkView{Verdict: "ok", Problems: []string{}, Warnings: []string{}}
	p, err := server.PrepareQuietly(c, func(warnings, problems []string) {
		view.Warnings = append(view.Warnings, warnings...)
		view.Problems = append(view.Problems, problems...)
	})
	switch {
	case err != nil && len(view.Problems) == 0:
		return err // there is no configuration to check
	case err != nil:
		view.Verdict = "problems"
	default:
		view.Adapters, view.PassThrough = len(p.Rules.Adapters.All()), len(p.Rules.PassThrough)
	}

	if err := cli.WriteJSON(c.OutOrStdout(), view); err != nil {
		return cli.OutputFailed(err)
	}
	return err
}
