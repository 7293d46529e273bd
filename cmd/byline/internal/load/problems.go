package load

import (
	"fmt"
	"strings"

	"github.com/byline-proxy/byline/configs"
)

// Problems are lines to show, each naming what it is about.
type Problems []string

// Add adds a line.
func (p *Problems) Add(format string, a ...any) { *p = append(*p, fmt.Sprintf(format, a...)) }

// AddFor adds what is wrong with what a key of the configuration names.
func (p *Problems) AddFor(cfg *configs.Config, key string, err error, remedy string) {
	if err == nil {
		return
	}
	line := cfg.Where(key) + ": " + key + ": " + err.Error()
	if remedy != "" {
		line += "; " + remedy
	}
	*p = append(*p, line)
}

// AddSection adds an error whose lines each begin with a key of a section of the
// configuration.
func (p *Problems) AddSection(cfg *configs.Config, section string, err error) {
	if err == nil {
		return
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		line = section + "." + line
		*p = append(*p, cfg.Where(line)+": "+line)
	}
}

// AddError takes an error that may list many.
func (p *Problems) AddError(err error) {
	if err != nil {
		*p = append(*p, strings.Split(err.Error(), "\n")...)
	}
}
