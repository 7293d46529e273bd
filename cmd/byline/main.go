// Command byline is the proxy and everything that an operator does with it.
//
// # Rules of the command line
//
// Every command keeps them; tests in this package hold them.
//
// Standard output carries the result and nothing else: a table for people, or
// with --json the same as JSON. It can be piped. Secrets never appear there, with
// one exception: the token of a task, once, in the answer to byline task create.
//
// Standard error carries everything else: progress (on a terminal only),
// "byline: warning: …", "byline: advice: …", the lines of problems in files, and
// last the error.
//
// An error has the form
//
//	byline: what failed: why
//	hint: the remedy
//
// in lower case; the hint is missing only if no remedy is known. Problems in files come
// before it, all of them at once, one a line: file:line: key: what is wrong; the remedy.
//
// Standard error of byline serve is the operator's log: in JSON, unless log.format says
// text, each of its lines is one object, these included.
//
// The exit code is 0 if the command did what it was asked to, 1 if it was
// refused or failed, or if a check found something, and 2 if the command line itself
// is wrong. byline run exits with the code of the program that it ran, or with
// 128+n if signal n ended that program.
//
// A command that lists or reports takes --json. --help shows examples that work as
// copied. Text that others chose is printed without control characters. No error
// repeats what may be a secret.
package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/byline-proxy/byline/cmd/byline/internal/cli"
	"github.com/byline-proxy/byline/cmd/byline/internal/isolate"
	"github.com/byline-proxy/byline/cmd/byline/internal/oplog"
)

func main() {
	isolate.Stage(os.Args)

	// Every command may hold a secret. Its memory is kept out of core files and
	// away from other processes of the same user. Programs that byline run starts
	// are not affected: the kernel resets this at exec.
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		err = fmt.Errorf("keep memory out of core files: %w", err)
		if slices.Contains(os.Args, serveName) && oplog.IsJSON("", os.Stderr) {
			oplog.Failure(os.Stderr, err, "")
		} else {
			fmt.Fprintln(os.Stderr, "byline:", err)
		}
		os.Exit(1)
	}

	os.Exit(start(os.Args[1:]))
}

// start runs one command line and returns its exit code. A command that ran and
// failed returns a [cli.Failure]; every other error of cobra is wrong usage.
func start(args []string) int {
	root := rootCommand()
	root.SetArgs(args)
	command, err := root.ExecuteC()
	if err == nil {
		return 0
	}

	var f *cli.Failure
	if !errors.As(err, &f) {
		f = wrongUsage(command, err)
		if command.Name() == serveName {
			err = asLogLine(command, "", f)
			errors.As(err, &f)
		}
	}

	if f.Err != nil {
		fmt.Fprintln(os.Stderr, "byline: "+strings.TrimSpace(f.Err.Error()))
	}
	if f.Hint != "" {
		fmt.Fprintln(os.Stderr, "hint: "+f.Hint)
	}
	return f.Code
}

// wrongUsage puts the name of the command in front of err, unless it is there
// already, and refers to the command's help.
func wrongUsage(c *cobra.Command, err error) *cli.Failure {
	name := strings.TrimPrefix(c.CommandPath(), "byline ")
	if name != "byline" && !strings.HasPrefix(err.Error(), name+":") {
		err = fmt.Errorf("%s: %w", name, err)
	}
	return &cli.Failure{Err: err, Hint: c.CommandPath() + " --help shows the usage and examples", Code: 2}
}

// rootCommand returns the command tree.
func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "byline",
		Short: "A forward proxy that puts agents' work under their own names",
		Example: "  byline check\n  byline run --agent spiffe://acme.example/agent/triage --sponsor alice@acme.example --purpose INC-1234 \\\n" +
			"    --allow wiki:page.read -- curl https://wiki.acme.example/",
		Version:       builtVersion().String(),
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetVersionTemplate("{{.Version}}\n")

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
		accountCommand(),
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
