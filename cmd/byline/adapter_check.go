package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/cmd/byline/internal/cli"
	"github.com/byline-proxy/byline/cmd/byline/internal/load"
)

func adapterCheckCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "check [FILE...]",
		Short: "Check adapter files and explain every problem with its line",
		Long: "Checks the files as one set, as a server would load them, and lists all problems of all files at once. Without FILE\n" +
			"it checks adapters.dir of the configuration. What is allowed but seldom meant is written as advice. With --changes it\n" +
			"also says what Byline holds, removes, refuses and rewrites that earlier versions passed on. It connects to nothing.",
		Example: "  byline adapter check adapters.d/wiki.yaml\n  byline adapter check --changes\n  byline adapter check --config /etc/byline/byline.yaml",
	}
	asJSON := cli.JSONFlag(c)
	withChanges := c.Flags().Bool("changes", false, "say what changes for an adapter that was written for an earlier version (--json always does)")

	c.RunE = func(c *cobra.Command, args []string) error {
		r, err := checkAdapters(c, args)
		if err != nil {
			return err
		}

		if *asJSON {
			err = cli.WriteJSON(c.OutOrStdout(), r.listAll())
		} else {
			err = r.write(c.OutOrStdout(), c.ErrOrStderr(), *withChanges)
		}
		if err != nil {
			return cli.OutputFailed(err)
		}

		if n := len(r.problems) + len(r.others); n > 0 {
			return cli.Failed("adapter check", errors.New(cli.Plural(n, "problem")), "fix what is listed above; docs/adapters-reference.md explains every key")
		}
		return nil
	}
	return c
}

// adapterReport is what a check of adapter files found.
type adapterReport struct {
	adapters int               // that were loaded
	problems adapters.Problems // of the files
	others   load.Problems     // of the machine: files that cannot be read, certificates
	advice   adapters.Problems // allowed, but seldom meant
	changes  []adapters.AdapterChanges

	exceptions []string // adapter, key and reason of what is refused by default and allowed
}

// checkAdapters checks the files, or those of the configuration if none is named. It
// writes warnings of overdue reviews to standard error.
func checkAdapters(c *cobra.Command, paths []string) (*adapterReport, error) {
	r := &adapterReport{}
	if len(paths) == 0 {
		cfg, err := load.Config(c)
		if err != nil {
			return nil, err
		}
		paths = load.AdapterFiles(cfg, &r.others)
	}

	sources := load.AdapterSources(paths, &r.others)
	set, err := adapters.Load(sources)
	if !errors.As(err, &r.problems) {
		r.others.AddError(err)
	}
	r.advice = append(adapters.Advise(sources), adapters.Harden(sources)...)
	r.changes = adapters.ChangesFor(sources)
	if set == nil {
		return r, nil
	}

	r.adapters = len(set.All())
	for _, a := range set.All() {
		for _, e := range a.Exceptions() {
			r.exceptions = append(r.exceptions, fmt.Sprintf("%s: %s: %s", a.Name(), e.Key, e.Because))
		}
		load.CheckUpstream(a, &r.others)
	}
	load.WarnOverdue(c.ErrOrStderr(), set.All())
	return r, nil
}

// write lists the problems on out, one a line, or that there are none. Advice goes to
// errOut, and so do the changes or, without withChanges, a line about them.
func (r *adapterReport) write(out, errOut io.Writer, withChanges bool) error {
	for _, p := range r.advice {
		fmt.Fprintln(errOut, "byline: advice:", cli.Printable(p.Error()))
	}

	for _, text := range r.exceptions {
		fmt.Fprintln(errOut, "byline: exception:", cli.Printable(text))
	}
	if withChanges {
		r.writeChanges(errOut)
	} else {
		r.summarizeChanges(errOut)
	}
	for _, p := range r.problems {
		if _, err := fmt.Fprintln(out, cli.Printable(p.Error())); err != nil {
			return err
		}
	}
	r.others.Print(out)

	if len(r.problems)+len(r.others) > 0 {
		return nil
	}
	_, err := fmt.Fprintf(out, "ok: %s\n", cli.Plural(r.adapters, "adapter"))
	return err
}

// summarizeChanges names the topics of the changes of all adapters.
func (r *adapterReport) summarizeChanges(w io.Writer) {
	var topics []string
	for _, c := range r.changes {
		for _, change := range c.Changes {
			if !slices.Contains(topics, change.Topic) {
				topics = append(topics, change.Topic)
			}
		}
	}
	if len(topics) > 0 {
		fmt.Fprintf(w, "byline: what changes for adapters of an earlier version (%s): byline adapter check --changes\n", strings.Join(topics, ", "))
	}
}

// changesWidth is the width of the text of changes, in columns.
const changesWidth = 64

// writeChanges writes a section for each adapter: what happens to its requests that
// earlier versions of Byline passed on as they came.
func (r *adapterReport) writeChanges(w io.Writer) {
	for _, c := range r.changes {
		fmt.Fprintf(w, "byline: %s: what changes for an adapter that was written for an earlier version:\n", cli.Printable(c.Adapter))
		for _, change := range c.Changes {
			text := change.What
			if change.Hint != "" {
				text += " (" + change.Hint + ")"
			}
			for i, line := range wrapWords(cli.Printable(text), changesWidth) {
				label := ""
				if i == 0 {
					label = change.Topic
				}
				fmt.Fprintf(w, "  %-12s %s\n", label, line)
			}
		}
	}
}

// wrapWords breaks a text into lines of at most width bytes, unless a word is longer.
func wrapWords(text string, width int) []string {
	lines := []string{}
	line := ""
	for _, word := range strings.Fields(text) {
		switch {
		case line == "":
			line = word
		case len(line)+1+len(word) > width:
			lines = append(lines, line)
			line = word
		default:
			line += " " + word
		}
	}
	return append(lines, line)
}

// problemView is a problem in JSON. One without a file is about the machine on which
// the adapter was checked.
type problemView struct {
	File   string `json:"file,omitempty"`
	Line   int    `json:"line,omitempty"`
	What   string `json:"what"`
	Hint   string `json:"hint,omitempty"`
	Advice bool   `json:"advice,omitempty"` // not a problem: the check does not fail because of it
	Change string `json:"change,omitempty"` // the topic of advice about what earlier versions passed on
}

// listAll lists problems and advice for JSON.
func (r *adapterReport) listAll() []problemView {
	all := []problemView{} // an empty list is [] in JSON
	for _, p := range r.problems {
		all = append(all, problemView{File: p.File, Line: p.Line, What: p.What, Hint: p.Hint})
	}
	for _, p := range r.advice {
		all = append(all, problemView{File: p.File, Line: p.Line, What: p.What, Hint: p.Hint, Advice: true})
	}
	for _, c := range r.changes {
		for _, change := range c.Changes {
			all = append(all, problemView{File: c.File, What: change.What, Hint: change.Hint, Advice: true, Change: change.Topic})
		}
	}
	for _, text := range r.others {
		all = append(all, problemView{What: text})
	}
	return all
}
