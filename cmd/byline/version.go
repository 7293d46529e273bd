package main

import (
	"fmt"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func versionCommand() *cobra.Command {
	return &cobra.Command{Use: "version", Short: "Print the version", Example: "  byline version", Args: cobra.NoArgs,
		Run: func(c *cobra.Command, _ []string) {
			version := "unknown"
			if b, ok := debug.ReadBuildInfo(); ok {
				version = b.Main.Version
			}
			fmt.Fprintln(c.OutOrStdout(), "byline", version)
		}}
}
