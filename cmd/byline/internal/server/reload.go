package server

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/byline-proxy/byline/cmd/byline/internal/load"
	"github.com/byline-proxy/byline/configs"
	"github.com/byline-proxy/byline/proxy/audit/journal"
)

// reloadInterval is how often the files are compared with what was last read.
// Notifications of the kernel would not come from mounted volumes and network file
// systems.
const reloadInterval = time.Second

// reloader puts changed adapters, policies and settings in force. It belongs to one
// goroutine.
type reloader struct {
	file string
	cfg  *configs.Config // as last read without a problem
	run  *running

	lastRead string // fingerprint of the files when they were last read
	pending  bool   // the last look found a change that is not read yet
}

func newReloader(file string, cfg *configs.Config, run *running) *reloader {
	r := &reloader{file: file, cfg: cfg, run: run}
	r.lastRead = r.fingerprint()
	return r
}

// reloadIfChanged reads the files again if they differ from those last read. It waits
// for the second call that finds a difference: an editor or a copy may still be
// writing at the first.
func (r *reloader) reloadIfChanged() {
	if r.fingerprint() == r.lastRead {
		r.pending = false
		return
	}
	if !r.pending {
		r.pending = true
		return
	}
	r.reload()
}

// reload reads all files and puts adapters, policies and passed-through hosts in
// force. If there is a problem, the set in force stays and the log lists all of them.
func (r *reloader) reload() {
	r.lastRead = r.fingerprint()
	r.pending = false

	cfg, found := r.readAndReload()
	if len(found) > 0 {
		for _, line := range found {
			r.run.log.Error().Str("problem", line).Msg("not reloaded: the set before stays in force")
		}
		return
	}

	if late := needRestart(r.cfg.Changed(cfg)); len(late) > 0 {
		r.run.log.Warn().Strs("keys", late).Msg("these settings take effect at the next start")
	}
	r.cfg.Adapters = cfg.Adapters
	r.cfg.Policy = cfg.Policy
	r.cfg.PassThrough = cfg.PassThrough
	r.run.log.Info().Msg("reloaded")
}

// readAndReload returns the configuration whose rules are in force now, or the problems
// because of which they are not.
func (r *reloader) readAndReload() (*configs.Config, load.Problems) {
	cfg, wrong, err := configs.Read(r.file)

	var found load.Problems
	found.AddError(err)
	for _, p := range wrong {
		found.Add("%s", p)
	}
	if len(found) > 0 {
		return nil, found
	}

	rules := load.Rules(cfg, &found)
	if len(found) > 0 {
		return nil, found
	}

	found.AddError(r.run.proxy.Reload(rules))
	return cfg, found
}

// needRestart keeps those of the changed keys that a reload does not put in force.
func needRestart(changed []string) []string {
	return slices.DeleteFunc(changed, func(key string) bool {
		return key == "pass_through" || strings.HasPrefix(key, "adapters.") || strings.HasPrefix(key, "policy.")
	})
}

// fingerprint lists name, size and time of every file that a reload would read.
func (r *reloader) fingerprint() string {
	var b strings.Builder
	for _, path := range []string{r.file, r.cfg.Adapters.Dir, r.cfg.Policy.Dir} {
		entries, _ := filepath.Glob(filepath.Join(path, "*"))
		for _, p := range append(entries, path) {
			if st, err := os.Stat(p); err == nil && st.Mode().IsRegular() {
				fmt.Fprintf(&b, "%s %d %d\n", p, st.Size(), st.ModTime().UnixNano())
			}
		}
	}
	return b.String()
}

// takeOverAuditKey lets the key that byline audit rotate made sign from now on, if there
// is one. The log announces the new key before the files change places: a crash in
// between is completed at the next start.
func (r *running) takeOverAuditKey(file string) {
	next, err := journal.LoadNextKey(file)
	if err == nil && next == nil {
		return
	}

	if err == nil {
		err = r.proxy.ChangeAuditKey(next)
	}
	if err == nil {
		err = journal.InstallNextKey(file)
	}
	if err != nil {
		r.limited.Error().Err(err).Msg("the next audit key was not taken over; the old one continues to sign")
		return
	}
	r.log.Info().Msg("another audit key signs from now on")
}
