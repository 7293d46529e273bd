package load

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/configs"
	"github.com/byline-proxy/byline/proxy"
	"github.com/byline-proxy/byline/proxy/policy"
)

// Rules reads adapters and policies, and every file that an adapter names. Rules
// must be put in force only if found stays empty.
func Rules(cfg *configs.Config, found *Problems) proxy.Rules {
	r := proxy.Rules{PassThrough: cfg.PassThrough, RefuseOverdue: cfg.Adapters.Overdue == "refuse"}
	r.Adapters = Adapters(cfg, found)
	r.Policy = Policies(cfg.Policy.Dir, r.Adapters, found)
	if r.Adapters == nil {
		return r
	}

	for _, host := range r.PassThrough {
		if a := r.Adapters.ByHost(host); a != nil {
			found.AddForKey(cfg, "pass_through", fmt.Errorf("%s belongs to adapter %s", host, a.Name()),
				"a host is either intercepted or passed through")
		}
	}
	for _, a := range r.Adapters.All() {
		CheckUpstream(a, found)
	}
	return r
}

// Hosts lists the hosts that the interception authority may sign for.
func Hosts(r proxy.Rules) []string {
	var hosts []string
	for _, a := range r.Adapters.All() {
		hosts = append(hosts, a.Hosts()...)
	}
	return hosts
}

// Policies reads the policies of a folder. Each is named by the base name of its file,
// as records name it. Names of adapters and actions are checked against set; a nil
// set, of adapters that could not be read, allows any.
func Policies(dir string, set *adapters.Set, found *Problems) *policy.Set {
	var sources []policy.File
	for _, path := range filesIn(dir, "policy.dir", found, ".cedar") {
		text, err := os.ReadFile(path)
		found.AddError(err)
		sources = append(sources, policy.File{Name: filepath.Base(path), Text: text})
	}

	policies, err := policy.Parse(sources, catalogOf(set))
	if wrong, ok := errors.AsType[policy.Problems](err); ok {
		for _, p := range wrong {
			found.Add("%s", filepath.Join(dir, p.String()))
		}
	} else {
		found.AddError(err)
	}
	return policies
}

// catalogOf lists the adapters and actions that policies may name. It is nil for a
// nil set.
func catalogOf(set *adapters.Set) *policy.Catalog {
	if set == nil {
		return nil
	}

	known := &policy.Catalog{Adapters: map[string][]string{}}
	for _, a := range set.All() {
		actions := []string{}
		for _, spec := range a.NamedActions() {
			if !slices.Contains(actions, spec.Name) {
				actions = append(actions, spec.Name)
			}
		}
		known.Adapters[a.Name()] = actions
	}
	return known
}
