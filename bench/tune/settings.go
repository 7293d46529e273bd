package tune

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/byline-proxy/byline/bench/peer"
)

// setting is one setting and the values that are tried besides its default.
type setting struct {
	name   string
	why    string // what it does, for the file that is written
	values []value
}

// value is one value of a setting: environment variables, or a key of
// byline.yaml.
type value struct {
	text string
	env  []string
	key  string // section.key; empty if env is set
	to   any
}

// apply sets the value in a testbed.
func (v value) apply(tb *peer.Testbed) {
	tb.Tuning.Env = append(tb.Tuning.Env, v.env...)
	if v.key != "" {
		setKey(tb.Tuning.Config, v.key, v.to)
	}
}

// setKey sets section.key in config.
func setKey(config map[string]any, path string, to any) {
	section, key, _ := strings.Cut(path, ".")
	keys, ok := config[section].(map[string]any)
	if !ok {
		keys = map[string]any{}
		config[section] = keys
	}
	keys[key] = to
}

// settingsFor returns the settings that matter, in the order in which they are
// tried.
func settingsFor(cores int) []setting {
	processors := setting{name: "GOMAXPROCS", why: "number of cores that the proxy uses; the default is the number that the machine has"}
	for n := 1; n < cores; n *= 2 {
		processors.values = append(processors.values, value{text: fmt.Sprint(n), env: []string{fmt.Sprintf("GOMAXPROCS=%d", n)}})
	}

	garbage := setting{name: "GOGC, GOMEMLIMIT", why: "how much garbage may accumulate before it is collected: more saves CPU time and costs memory"}
	for _, env := range [][]string{{"GOGC=50"}, {"GOGC=200"}, {"GOGC=400"}, {"GOGC=off", "GOMEMLIMIT=512MiB"}} {
		garbage.values = append(garbage.values, value{text: strings.Join(env, " "), env: env})
	}

	key := func(path, why string, values ...any) setting {
		s := setting{name: path, why: why}
		for _, v := range values {
			s.values = append(s.values, value{text: fmt.Sprint(v), key: path, to: v})
		}
		return s
	}

	return []setting{
		processors,
		garbage,
		key("audit.commit_every", "least time between two syncs while several requests wait: longer makes groups larger and adds latency", "50us", "1ms", "3ms"),
		key("wire.max_conns", "connections of one lease to one application: few stay in use, too few make requests wait", 8, 64),
		key("wire.keep_body", "responses up to this size in bytes are read completely, which frees their connection at once", 4096, 262144),
		key("audit.segment_bytes", "size of a segment of the record: large ones are started less often and take longer to open", 16<<20, 256<<20),
	}
}

// keptSettings returns what was kept, as environment variables and as sections of
// byline.yaml.
func (s *search) keptSettings() (env []string, config map[string]any) {
	config = map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(s.kept)) {
		v := s.kept[name]
		env = append(env, v.env...)
		if v.key != "" {
			setKey(config, v.key, v.to)
		}
	}
	return env, config
}
