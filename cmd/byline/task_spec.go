package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/byline-proxy/byline/cmd/byline/internal/cli"
	"github.com/byline-proxy/byline/proxy/admin"
	"github.com/byline-proxy/byline/proxy/policy"
)

// maxSpec bounds a task that is read from standard input, in bytes.
const maxSpec = 1 << 20

// specFlags describe a task on the command line: a JSON file, or flags instead of it.
type specFlags struct {
	file    string
	agent   string
	sponsor string
	purpose string
	ttl     string
	allow   []string
	bind    []string
}

// add adds all flags.
func (s *specFlags) add(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&s.file, "spec", "", "the task as a JSON file (- is stdin), instead of --agent, --sponsor, --purpose, --for and --allow")
	f.StringVar(&s.agent, "agent", "", "the program that acts, best as a SPIFFE ID")
	f.StringVar(&s.sponsor, "sponsor", "", "the human on whose behalf it acts")
	f.StringVar(&s.purpose, "purpose", "", "why, as the sponsor's ticket names it")
	f.StringVar(&s.ttl, "for", "", "how long the task may live, like 30m (default: the server's)")
	s.addAllow(c)
}

// addBind adds --bind.
func (s *specFlags) addBind(c *cobra.Command) {
	c.Flags().StringArrayVar(&s.bind, "bind", nil, "uid:NUMBER or subnet:PREFIX, whose connections need no token, repeatable")
}

// binding returns what --bind says, nil for nothing.
func (s *specFlags) binding() (*admin.Binding, error) {
	if len(s.bind) == 0 {
		return nil, nil
	}

	b := &admin.Binding{}
	for _, text := range s.bind {
		kind, value, _ := strings.Cut(text, ":")
		switch kind {
		case "uid":
			n, err := strconv.ParseUint(value, 10, 32)
			if err != nil {
				return nil, fmt.Errorf("--bind %q: a user's number is meant, like uid:1001", text)
			}
			uid := uint32(n)
			b.UID = &uid
		case "subnet":
			b.Subnets = append(b.Subnets, value) // which the server checks
		default:
			return nil, fmt.Errorf("--bind %q: write it like uid:1001 or subnet:10.1.2.3/32", text)
		}
	}
	return b, nil
}

// addAllow adds --allow alone.
func (s *specFlags) addAllow(c *cobra.Command) {
	c.Flags().StringArrayVar(&s.allow, "allow", nil, "ADAPTER:ACTION[,ACTION...][@RESOURCE], repeatable; * is a wildcard")
	_ = c.RegisterFlagCompletionFunc("allow", completeAllow) // fails only for an unknown flag
}

// spec returns the task that the file or the flags describe, as JSON. The server checks
// its content. Errors are wrong usage, except those of reading the file.
func (s *specFlags) spec() ([]byte, error) {
	if s.file != "" {
		if s.agent+s.sponsor+s.purpose+s.ttl != "" || s.allow != nil || s.bind != nil {
			return nil, errors.New("--spec is given together with flags for what it already says")
		}
		return readSpec(s.file)
	}

	scope, err := parseScope(s.allow)
	if err != nil {
		return nil, err
	}

	var missing []string
	for _, f := range []struct{ name, value string }{
		{"--agent", s.agent},
		{"--sponsor", s.sponsor},
		{"--purpose", s.purpose},
	} {
		if f.value == "" {
			missing = append(missing, f.name)
		}
	}
	if len(scope) == 0 {
		missing = append(missing, "--allow")
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("%s must be given, or --spec FILE", strings.Join(missing, ", "))
	}

	bind, err := s.binding()
	if err != nil {
		return nil, err
	}
	return json.Marshal(admin.TaskSpec{Agent: s.agent, Sponsor: s.sponsor, Purpose: s.purpose, TTL: s.ttl, Scope: scope, Bind: bind})
}

func readSpec(path string) ([]byte, error) {
	var b []byte
	var err error
	if path == "-" {
		b, err = io.ReadAll(io.LimitReader(os.Stdin, maxSpec))
	} else {
		b, err = os.ReadFile(path)
	}
	if err != nil {
		return nil, cli.Failed("task", err, "name a JSON file with agent, sponsor, purpose and scope")
	}
	return b, nil
}

// parseScope reads the values of --allow. Each is one entry of the scope.
func parseScope(allow []string) ([]admin.ScopeEntry, error) {
	var scope []admin.ScopeEntry
	for _, a := range allow {
		e, err := policy.ParseScopeEntry(a)
		if err != nil {
			return nil, fmt.Errorf("--allow %q: write it like wiki:page.read,page.edit or 'wiki:page.edit@page/Sandbox*'", a)
		}
		scope = append(scope, admin.ScopeEntry(e))
	}
	return scope, nil
}

// formatScope returns the scope as --allow spells it, one word for each resource.
func formatScope(scope []admin.ScopeEntry) string {
	var words []string
	for _, e := range scope {
		words = append(words, policy.ScopeEntry(e).Lines()...)
	}
	return strings.Join(words, " ")
}
