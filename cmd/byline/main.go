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
)

// failure is an error with its remedy and exit code.
type failure struct {
	err  error
	hint string
	code int
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

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
	var f *failure
	if !errors.As(err, &f) {
		f = wrongUsage(ran, err)
	}
	if f.err != nil {
		fmt.Fprintln(os.Stderr, "byline: "+strings.TrimSpace(f.err.Error()))
	}
	if f.hint != "" {
		fmt.Fprintln(os.Stderr, "hint: "+f.hint)
	}
	return f.code
}

// wrongUsage names the command that was used wrongly.
func wrongUsage(c *cobra.Command, err error) *failure {
	hint := c.CommandPath() + " --help shows the usage and examples"
	if name := strings.TrimPrefix(c.CommandPath(), "byline "); name != "byline" && !strings.HasPrefix(err.Error(), name+":") {
		err = fmt.Errorf("%s: %w", name, err)
	}
	return &failure{err, hint, 2}
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

// failed marks an error as one of a command that ran.
func failed(what string, err error, hint string) error {
	return &failure{fmt.Errorf("%s: %w", what, err), hint, 1}
}
