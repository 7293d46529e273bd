package load

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/configs"
	"github.com/byline-proxy/byline/proxy"
)

// AdapterFiles lists the adapter files of the configuration.
func AdapterFiles(cfg *configs.Config, found *Problems) []string {
	return filesIn(cfg.Adapters.Dir, "adapters.dir", found, ".yaml", ".yml")
}

// AdapterSources reads the files that can be read.
func AdapterSources(paths []string, found *Problems) []adapters.Source {
	var sources []adapters.Source
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			found.AddError(err)
			continue
		}
		sources = append(sources, adapters.Source{Name: path, Text: text})
	}
	return sources
}

// Adapters reads the adapters of the configuration. The set is nil if a file has
// a problem.
func Adapters(cfg *configs.Config, found *Problems) *adapters.Set {
	set, err := adapters.Load(AdapterSources(AdapterFiles(cfg, found), found))
	found.AddError(err)
	return set
}

// ReadableAdapters returns the adapters of the configuration, or nil if their files
// have problems. It is for commands that work without adapters, too, and leave the
// problems to byline check.
func ReadableAdapters(cfg *configs.Config) []*adapters.Adapter {
	var ignored Problems
	set := Adapters(cfg, &ignored)
	if set == nil {
		return nil
	}
	return set.All()
}

// ConfiguredAdapters is [ReadableAdapters] of the configuration that --config names.
// Problems of the configuration are ignored as well.
func ConfiguredAdapters(c *cobra.Command) []*adapters.Adapter {
	cfg, _, err := configs.Read(configPath(c))
	if err != nil {
		return nil
	}
	return ReadableAdapters(cfg)
}

// CheckUpstream reads the certificates and the proxy credentials that the adapter
// names. The server reads them when a task first needs them.
func CheckUpstream(a *adapters.Adapter, found *Problems) {
	for _, p := range proxy.CheckUpstream(a.Upstream()) {
		found.Add("%s: %v", a.Position(p.Key), p)
	}
}

// OverdueReview says that the adapter's review date has passed, or returns "".
func OverdueReview(a *adapters.Adapter) string {
	if !a.Overdue(time.Now()) {
		return ""
	}
	return fmt.Sprintf("adapter %s was to be reviewed by %s: %s is asked to", a.Name(), a.Interim().ReviewBy, a.Interim().Owner)
}

// WarnOverdue writes a warning to w for each adapter whose review date has passed.
// Reports begin with these warnings: what they say rests on the adapters.
func WarnOverdue(w io.Writer, all []*adapters.Adapter) {
	for _, a := range all {
		if text := OverdueReview(a); text != "" {
			fmt.Fprintln(w, "byline: warning:", text)
		}
	}
}
