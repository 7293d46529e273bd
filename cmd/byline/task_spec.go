package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/byline-proxy/byline/cmd/byline/internal/cli"
	"github.com/byline-proxy/byline/proxy/admin"
)

// specFlags describe a task on the command line; a file may stand in for them.
type specFlags struct {
	file, agent, sponsor, purpose, ttl string
	allow                              []string
}

func (s *specFlags) add(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&s.file, "spec", "", "the task as a JSON file (- is stdin), in place of the flags below")
	f.StringVar(&s.agent, "agent", "", "the program that acts, best as a SPIFFE ID")
	f.StringVar(&s.sponsor, "sponsor", "", "the human on whose behalf it acts")
	f.StringVar(&s.purpose, "purpose", "", "why, as the sponsor's ticket names it")
	f.StringVar(&s.ttl, "for", "", "how long the task may live, like 30m (default: the server's)")
	s.addAllow(c)
}

func (s *specFlags) addAllow(c *cobra.Command) {
	c.Flags().StringArrayVar(&s.allow, "allow", nil, "ADAPTER:ACTION[,ACTION...][@RESOURCE], repeatable; * is a wildcard")
	_ = c.RegisterFlagCompletionFunc("allow", completeAllow) // fails only for a flag that there is not
}

// spec is the task that the flags or the file describe, as JSON. The server
// checks what it says.
func (s *specFlags) spec() ([]byte, error) {
	if s.file != "" {
		if s.agent+s.sponsor+s.purpose+s.ttl != "" || s.allow != nil {
			return nil, errors.New("--spec is given together with flags that it holds already")
		}
		return readSpec(s.file)
	}
	scope, err := scopeOf(s.allow)
	if err != nil {
		return nil, err
	}
	var missing []string
	for _, f := range []struct{ name, value string }{{"agent", s.agent}, {"sponsor", s.sponsor}, {"purpose", s.purpose}} {
		if f.value == "" {
			missing = append(missing, "--"+f.name)
		}
	}
	if len(scope) == 0 {
		missing = append(missing, "--allow")
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("%s must be given, or --spec FILE", strings.Join(missing, ", "))
	}
	return json.Marshal(admin.TaskSpec{Agent: s.agent, Sponsor: s.sponsor, Purpose: s.purpose, TTL: s.ttl, Scope: scope})
}

// scopeOf reads --allow. Each is one entry of the scope.
func scopeOf(allow []string) (scope []admin.ScopeEntry, err error) {
	for _, a := range allow {
		adapter, rest, ok := strings.Cut(a, ":")
		actions, resource, limited := strings.Cut(rest, "@")
		if !ok || adapter == "" || actions == "" || limited && resource == "" {
			return nil, fmt.Errorf("--allow %q: write it like mediawiki:page.read,page.edit or 'mediawiki:page.edit@page/Sandbox*'", a)
		}
		e := admin.ScopeEntry{Adapter: adapter, Actions: strings.Split(actions, ",")}
		if limited {
			e.Resources = []string{resource}
		}
		scope = append(scope, e)
	}
	return scope, nil
}

func readSpec(path string) ([]byte, error) {
	var b []byte
	var err error
	if path == "-" {
		b, err = io.ReadAll(io.LimitReader(os.Stdin, 1<<20))
	} else {
		b, err = os.ReadFile(path)
	}
	if err != nil {
		return nil, cli.Failed("task", err, "name a JSON file with agent, sponsor, purpose and scope")
	}
	return b, nil
}

// scopeText is a scope as --allow spells it.
func scopeText(scope []admin.ScopeEntry) string {
	var out []string
	for _, e := range scope {
		actions := e.Adapter + ":" + strings.Join(e.Actions, ",")
		if len(e.Resources) == 0 {
			out = append(out, actions)
		}
		for _, r := range e.Resources {
			out = append(out, actions+"@"+r)
		}
	}
	return strings.Join(out, " ")
}
