package tune

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/byline-proxy/byline/bench/peer"
)

// knob is one setting and the values that are tried beside its default.
type knob struct {
	name   string
	why    string // what it does, for the file that is written
	values []value
}

// value is one of them: variables of the environment, or a key of byline.yaml.
type value struct {
	text string
	env  []string
	path string // section.key; empty for env
	to   any
}

func (v value) apply(s *peer.Testbed) {
	s.Tuning.Env = append(s.Tuning.Env, v.env...)
	if v.path != "" {
		put(s.Tuning.Config, v.path, v.to)
	}
}

func put(config map[string]any, path string, to any) {
	section, key, _ := strings.Cut(path, ".")
	inner, ok := config[section].(map[string]any)
	if !ok {
		inner = map[string]any{}
		config[section] = inner
	}
	inner[key] = to
}

// knobsFor is what matters, in the order in which it is tried.
func knobsFor(cores int) []knob {
	processors := knob{name: "GOMAXPROCS", why: "processors that the proxy uses; the system's number is the default"}
	for n := 1; n < cores; n *= 2 {
		processors.values = append(processors.values, value{text: fmt.Sprint(n), env: []string{fmt.Sprintf("GOMAXPROCS=%d", n)}})
	}
	gc := knob{name: "GOGC, GOMEMLIMIT", why: "how much garbage may gather before it is collected: memory for processor time"}
	for _, env := range [][]string{{"GOGC=50"}, {"GOGC=200"}, {"GOGC=400"}, {"GOGC=off", "GOMEMLIMIT=512MiB"}} {
		gc.values = append(gc.values, value{text: strings.Join(env, " "), env: env})
	}
	key := func(path, why string, values ...any) knob {
		k := knob{name: path, why: why}
		for _, v := range values {
			k.values = append(k.values, value{text: fmt.Sprint(v), path: path, to: v})
		}
		return k
	}
	return []knob{
		processors,
		gc,
		key("audit.commit_every", "least time between two waits for the disk while several requests wait: larger groups for latency", "50us", "1ms", "3ms"),
		key("wire.max_conns", "connections of one lease to one application: fewer are warmer, too few make requests wait", 8, 64),
		key("wire.keep_body", "answers up to so many bytes are read whole, which frees their connection at once", 4096, 262144),
		key("audit.segment_bytes", "size of a segment of the record: larger ones are begun less often and opened more slowly", 16<<20, 256<<20),
	}
}

// chosen is what was kept: for the environment and for byline.yaml.
func (s *search) chosen() (env []string, config map[string]any) {
	config = map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(s.set)) {
		v := s.set[name]
		env = append(env, v.env...)
		if v.path != "" {
			put(config, v.path, v.to)
		}
	}
	return env, config
}
