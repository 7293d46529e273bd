package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/configs"
	"github.com/byline-proxy/byline/proxy"
	"github.com/byline-proxy/byline/proxy/policy"
)

// problems are lines to show, each naming what it is about.
type problems []string

func (p *problems) add(format string, a ...any) { *p = append(*p, fmt.Sprintf(format, a...)) }

// of adds what is wrong with what a key of the configuration names.
func (p *problems) of(cfg *configs.Config, key string, err error, remedy string) {
	if err == nil {
		return
	}
	line := cfg.Where(key) + ": " + key + ": " + err.Error()
	if remedy != "" {
		line += "; " + remedy
	}
	*p = append(*p, line)
}

// addError takes an error that may list many.
func (p *problems) addError(err error) {
	if err != nil {
		*p = append(*p, strings.Split(err.Error(), "\n")...)
	}
}

// loadRules reads adapters and policies, with every problem of all files.
// What it returns is to be used only when there is no problem.
func loadRules(cfg *configs.Config, found *problems) proxy.Rules {
	r := proxy.Rules{PassThrough: cfg.PassThrough, RefuseOverdue: cfg.Adapters.Overdue == "refuse"}
	r.Adapters = loadAdapters(cfg.Adapters.Dir, found)
	r.Policy = loadPolicies(cfg.Policy.Dir, r.Adapters, found)
	if r.Adapters != nil {
		for _, host := range r.PassThrough {
			if a := r.Adapters.ByHost(host); a != nil {
				found.of(cfg, "pass_through", fmt.Errorf("%s belongs to adapter %s", host, a.Name()), "a host is either intercepted or passed through")
			}
		}
		for _, a := range r.Adapters.All() {
			checkUpstream(a, found)
		}
	}
	return r
}

func loadAdapters(dir string, found *problems) *adapters.Set {
	set, err := adapters.Load(readAdapters(filesIn(dir, "adapters.dir", found, ".yaml", ".yml"), found))
	found.addError(err)
	return set
}

// loadPolicies names files by their base name: records name policies so.
func loadPolicies(dir string, set *adapters.Set, found *problems) *policy.Set {
	var own []policy.Source
	for _, path := range filesIn(dir, "policy.dir", found, ".cedar") {
		text, err := os.ReadFile(path)
		found.addError(err)
		own = append(own, policy.Source{Name: filepath.Base(path), Text: text})
	}
	policies, err := policy.Parse(own, catalogOf(set))
	if ps, ok := errors.AsType[policy.Problems](err); ok {
		for _, p := range ps {
			found.add("%s", filepath.Join(dir, p.String()))
		}
	} else {
		found.addError(err)
	}
	return policies
}

// catalogOf is what policies may name; nil, for anything, when the adapters
// could not be read.
func catalogOf(set *adapters.Set) *policy.Catalog {
	if set == nil {
		return nil
	}
	known := &policy.Catalog{Adapters: map[string][]string{}}
	for _, a := range set.All() {
		known.Adapters[a.Name()] = []string{}
		for _, spec := range a.Actions() {
			if !slices.Contains(known.Adapters[a.Name()], spec.Name) {
				known.Adapters[a.Name()] = append(known.Adapters[a.Name()], spec.Name)
			}
		}
	}
	return known
}

// filesIn lists the files of dir that end in one of the suffixes. A folder that
// is not there is a problem: an empty one would allow more than was meant.
func filesIn(dir, key string, found *problems, suffixes ...string) (paths []string) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		found.add("%s: there is no folder %s; make it, or name another one", key, dir)
		return nil
	}
	found.addError(err)
	for _, e := range entries {
		if !e.IsDir() && !strings.HasPrefix(e.Name(), ".") && slices.Contains(suffixes, filepath.Ext(e.Name())) {
			paths = append(paths, filepath.Join(dir, e.Name()))
		}
	}
	return paths
}

// checkUpstream reads the files that the adapter names, which are read again
// when a task first needs them.
func checkUpstream(a *adapters.Adapter, found *problems) {
	for _, p := range proxy.CheckUpstream(a.Upstream()) {
		found.add("%s: %v", a.Where(p.Key), p)
	}
}
