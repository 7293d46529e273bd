// Command byline is the proxy and everything an operator does with it: flags
// in, a room or the running server called, exit code out.
package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/byline-proxy/byline/cmd/byline/internal/cli"
)

func main() {
	// Every command may hold a secret: its memory is kept out of core files and
	// from other processes of the same account. What byline run starts is not
	// touched by this.
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		fmt.Fprintln(os.Stderr, "byline: memory cannot be kept from core files:", err)
		os.Exit(1)
	}
	os.Exit(start(os.Args[1:]))
}

// start runs one command line and returns its exit code: 0 done, 1 refused or
// failed, 2 wrong usage. A command that ran is a failure; everything else that
// cobra returns is wrong usage.
func start(args []string) int {
	root := tree()
	root.SetArgs(args)
	ran, err := root.ExecuteC()
	if err == nil {
		return 0
	}
	var f *cli.Failure
	if !errors.As(err, &f) {
		f = wrongUsage(ran, err)
	}
	if f.Err != nil {
		fmt.Fprintln(os.Stderr, "byline: "+strings.TrimSpace(f.Err.Error()))
	}
	if f.Hint != "" {
		fmt.Fprintln(os.Stderr, "hint: "+f.Hint)
	}
	return f.Code
}

// wrongUsage names the command that was used wrongly.
func wrongUsage(c *cobra.Command, err error) *cli.Failure {
	hint := c.CommandPath() + " --help shows the usage and examples"
	if name := strings.TrimPrefix(c.CommandPath(), "byline "); name != "byline" && !strings.HasPrefix(err.Error(), name+":") {
		err = fmt.Errorf("%s: %w", name, err)
	}
	return &cli.Failure{Err: err, Hint: hint, Code: 2}
}

func tree() *cobra.Command {
	root := &cobra.Command{Use: "byline", Short: "A forward proxy that puts agents' work under their own names",
		Example: "  byline check\n  byline run --agent spiffe://acme.example/agent/triage --sponsor alice@acme.example --purpose INC-1234 \\\n" +
			"    --allow mediawiki:page.read -- curl https://wiki.acme.example/",
		SilenceErrors: true, SilenceUsage: true}
	file := os.Getenv("BYLINE_CONFIG")
	if file == "" {
		file = "byline.yaml"
	}
	root.PersistentFlags().String("config", file, "configuration file (BYLINE_CONFIG)")
	root.AddCommand(
		initCommand(),
		serveCommand(),
		runCommand(),
		taskCommand(),
		vaultCommand(),
		adapterCommand(),
		auditCommand(),
		caCommand(),
		checkCommand(),
		explainCommand(),
		reviewCommand(),
		replayCommand(),
		reconcileCommand(),
		evidenceCommand(),
		demoCommand(),
		benchCommand(),
		versionCommand(),
	)
	return root
}
