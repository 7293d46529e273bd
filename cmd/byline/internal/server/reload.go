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

// reloadEvery is how often the files are looked at. Looking, rather than being
// told, also works on mounted volumes and network file systems.
const reloadEvery = time.Second

// reloads puts changed adapters, policies and settings in force. One goroutine
// uses it.
type reloads struct {
	file  string
	cfg   *configs.Config // as last read without a problem
	run   *running
	seen  string // what the files looked like when they were last read
	since time.Time
}

func newReloads(file string, cfg *configs.Config, run *running) *reloads {
	r := &reloads{file: file, cfg: cfg, run: run}
	r.seen = r.looks()
	return r
}

// look reads the files again when they look different from last time, and have
// not changed for one look: an editor or a copy may still be writing.
func (r *reloads) look() {
	now := r.looks()
	if now == r.seen {
		r.since = time.Time{}
		return
	}
	if r.since.IsZero() {
		r.since = time.Now()
		return
	}
	r.reload()
}

// reload reads everything again. A set with a problem is not put in force.
func (r *reloads) reload() {
	r.seen, r.since = r.looks(), time.Time{}
	cfg, wrong, err := configs.Read(r.file)
	var found load.Problems
	found.AddError(err)
	for _, p := range wrong {
		found.Add("%s", p)
	}
	if err == nil && len(wrong) == 0 {
		rules := load.Rules(cfg, &found)
		if len(found) == 0 {
			found.AddError(r.run.corridor.Reload(rules))
		}
	}
	if len(found) > 0 {
		for _, line := range found {
			r.run.log.Error().Str("problem", line).Msg("not reloaded: the set before stays in force")
		}
		return
	}
	if late := needRestart(r.cfg.Changed(cfg)); len(late) > 0 {
		r.run.log.Warn().Strs("keys", late).Msg("these settings take effect at the next start")
	}
	r.cfg.Adapters, r.cfg.Policy, r.cfg.PassThrough = cfg.Adapters, cfg.Policy, cfg.PassThrough
	r.run.log.Info().Msg("reloaded")
}

// needRestart keeps the keys that a reload does not put in force.
func needRestart(changed []string) []string {
	return slices.DeleteFunc(changed, func(key string) bool {
		return key == "pass_through" || strings.HasPrefix(key, "adapters.") || strings.HasPrefix(key, "policy.")
	})
}

// looks is the name, size and time of every file that a reload would read.
func (r *reloads) looks() string {
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

// changeAuditKey takes up a key that byline audit rotate made.
func (r *running) changeAuditKey(file string) {
	next, err := journal.NextKey(file)
	if err == nil && next == nil {
		return
	}
	if err == nil {
		err = r.corridor.ChangeAuditKey(next)
	}
	if err == nil {
		err = journal.TakeOver(file)
	}
	if err != nil {
		r.log.Error().Err(err).Msg("the next audit key was not taken up; the old one goes on signing")
		return
	}
	r.log.Info().Msg("another audit key signs from now on")
}
