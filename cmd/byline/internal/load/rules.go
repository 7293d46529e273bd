package load

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

// Rules reads adapters and policies, with every problem of all files.
// What it returns is to be used only when there is no problem.
func Rules(cfg *configs.Config, found *Problems) proxy.Rules {
	r := proxy.Rules{PassThrough: cfg.PassThrough, RefuseOverdue: cfg.Adapters.Overdue == "refuse"}
	r.Adapters = Adapters(cfg.Adapters.Dir, found)
	r.Policy = Policies(cfg.Policy.Dir, r.Adapters, found)
	if r.Adapters != nil {
		for _, host := range r.PassThrough {
			if a := r.Adapters.ByHost(host); a != nil {
				found.AddFor(cfg, "pass_through", fmt.Errorf("%s belongs to adapter %s", host, a.Name()), "a host is either intercepted or passed through")
			}
		}
		for _, a := range r.Adapters.All() {
			CheckUpstream(a, found)
		}
	}
	return r
}

// Adapters reads the adapters of a folder.
func Adapters(dir string, found *Problems) *adapters.Set {
	set, err := adapters.Load(ReadAdapters(FilesIn(dir, "adapters.dir", found, ".yaml", ".yml"), found))
	found.AddError(err)
	return set
}

// Policies names files by their base name: records name policies so.
func Policies(dir string, set *adapters.Set, found *Problems) *policy.Set {
	var own []policy.Source
	for _, path := range FilesIn(dir, "policy.dir", found, ".cedar") {
		text, err := os.ReadFile(path)
		found.AddError(err)
		own = append(own, policy.Source{Name: filepath.Base(path), Text: text})
	}
	policies, err := policy.Parse(own, catalogOf(set))
	if ps, ok := errors.AsType[policy.Problems](err); ok {
		for _, p := range ps {
			found.Add("%s", filepath.Join(dir, p.String()))
		}
	} else {
		found.AddError(err)
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

// FilesIn lists the files of dir that end in one of the suffixes. A folder that
// is not there is a problem: an empty one would allow more than was meant.
func FilesIn(dir, key string, found *Problems, suffixes ...string) (paths []string) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		found.Add("%s: there is no folder %s; make it, or name another one", key, dir)
		return nil
	}
	found.AddError(err)
	for _, e := range entries {
		if !e.IsDir() && !strings.HasPrefix(e.Name(), ".") && slices.Contains(suffixes, filepath.Ext(e.Name())) {
			paths = append(paths, filepath.Join(dir, e.Name()))
		}
	}
	return paths
}

// CheckUpstream reads the files that the adapter names, which are read again
// when a task first needs them.
func CheckUpstream(a *adapters.Adapter, found *Problems) {
	for _, p := range proxy.CheckUpstream(a.Upstream()) {
		found.Add("%s: %v", a.Position(p.Key), p)
	}
}

// ReadAdapters reads the files it can.
func ReadAdapters(paths []string, found *Problems) (own []adapters.Source) {
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			found.AddError(err)
			continue
		}
		own = append(own, adapters.Source{Name: path, Text: text})
	}
	return own
}

// Hosts is what the interception authority may sign for.
func Hosts(r proxy.Rules) (hosts []string) {
	for _, a := range r.Adapters.All() {
		hosts = append(hosts, a.Hosts()...)
	}
	return hosts
}
