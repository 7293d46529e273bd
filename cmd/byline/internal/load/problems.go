package load

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/byline-proxy/byline/cmd/byline/internal/cli"
	"github.com/byline-proxy/byline/configs"
)

// Problems are lines that say what is wrong with files. Each begins with the file,
// and with the line in it if there is one.
type Problems []string

// Add adds one line.
func (p *Problems) Add(format string, a ...any) { *p = append(*p, fmt.Sprintf(format, a...)) }

// AddError adds the lines of err, which may list several problems. nil adds none.
func (p *Problems) AddError(err error) {
	if err == nil {
		return
	}

	*p = append(*p, strings.Split(err.Error(), "\n")...)
	if remedy := cli.PermissionHint(err); remedy != "" {
		(*p)[len(*p)-1] += "; " + remedy
	}
}

// AddForKey adds what is wrong with the file or value that a key of the configuration
// names, and where the key stands. A nil err adds nothing; remedy may be empty.
func (p *Problems) AddForKey(cfg *configs.Config, key string, err error, remedy string) {
	if err == nil {
		return
	}

	line := cfg.Where(key) + ": " + key + ": " + err.Error()
	remedy = cmp.Or(cli.PermissionHint(err), remedy)
	if remedy != "" {
		line += "; " + remedy
	}
	*p = append(*p, line)
}

// AddSection adds err, each of whose lines begins with a key of a section of the
// configuration, and where the key stands. A nil err adds nothing.
func (p *Problems) AddSection(cfg *configs.Config, section string, err error) {
	if err == nil {
		return
	}

	for line := range strings.SplitSeq(err.Error(), "\n") {
		line = section + "." + line
		*p = append(*p, cfg.Where(line)+": "+line)
	}
	if remedy := cli.PermissionHint(err); remedy != "" {
		(*p)[len(*p)-1] += "; " + remedy
	}
}

// Print writes the lines to w.
func (p Problems) Print(w io.Writer) {
	for _, line := range p {
		fmt.Fprintln(w, cli.Printable(line))
	}
}

// Report writes the lines to w and returns the error of a command that stops
// because of them.
func (p Problems) Report(w io.Writer) error {
	p.Print(w)
	return p.Failure()
}

// Failure returns the error of a command that stops because of the lines, which were
// written before it.
func (p Problems) Failure() error {
	return cli.Failed("configuration", fmt.Errorf("%s; nothing was started", cli.Plural(len(p), "problem")), "fix the problems above")
}
