package configs

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// The values that a key may have. They are used by Check and by the schema.
var (
	Modes = []string{"proxy", "redirect", "tproxy"}

	// IsolateModes are the values of run.isolate.
	IsolateModes = []string{"require", "best", "off"}
	Overdue      = []string{"warn", "refuse"}
	Levels       = []string{"debug", "info", "warn", "error"}
	Formats      = []string{"json", "text"}
)

// Check returns everything that is wrong with c. Each error begins with the
// path of its key, such as "log.level: ".
func (c *Config) Check() (problems []error) {
	problems = append(problems, c.checkTopLevel()...)
	problems = append(problems, c.checkLists()...)
	problems = append(problems, c.checkSinks()...)
	return append(problems, c.checkSections()...)
}

// checkTopLevel checks the single values that no other package checks.
func (c *Config) checkTopLevel() (problems []error) {
	report := func(bad bool, format string, args ...any) {
		if bad {
			problems = append(problems, fmt.Errorf(format, args...))
		}
	}
	report(c.DataDir == "", "data_dir: is missing; name the directory that holds the server's state")
	report(!validAddress(c.Listen),
		"listen: %q is not an address with a port; write it like 127.0.0.1:8080", c.Listen)
	report(!validAddress(c.Control.Listen),
		"control.listen: %q is not an address with a port; write it like 127.0.0.1:8081", c.Control.Listen)
	report((c.TLS.Cert == "") != (c.TLS.Key == ""), "tls: needs both cert and key, or neither")
	report(c.Drain < 0, "drain: must not be negative")
	report(strings.TrimSpace(c.Instance) == "" || strings.ContainsFunc(c.Instance, isUnseen),
		"instance: must be a name without control characters and others that are not seen")

	for _, choice := range []struct {
		key, value string
		allowed    []string
	}{
		{"adapters.overdue", c.Adapters.Overdue, Overdue},
		{"run.isolate", c.Run.Isolate, IsolateModes},
		{"log.level", c.Log.Level, Levels},
		{"log.format", c.Log.Format, Formats},
	} {
		report(!slices.Contains(choice.allowed, choice.value),
			"%s: %q is not one of %s", choice.key, choice.value, strings.Join(choice.allowed, ", "))
	}
	return problems
}

// checkLists checks listeners, hosts and prefixes.
func (c *Config) checkLists() (problems []error) {
	for i := range c.Listeners {
		l := &c.Listeners[i]
		if l.Socket() == "" && !validAddress(l.Listen) {
			problems = append(problems, fmt.Errorf("listeners[%d].listen: %q is not an address with a port; write it like 0.0.0.0:8443, or unix:/run/byline/agents.sock", i, l.Listen))
		}
		if !slices.Contains(Modes, l.Mode) {
			problems = append(problems, fmt.Errorf("listeners[%d].mode: %q is not one of %s", i, l.Mode, strings.Join(Modes, ", ")))
		} else if l.Socket() != "" && l.Mode != "proxy" {
			problems = append(problems, fmt.Errorf("listeners[%d].mode: %s needs a TCP port; a Unix socket serves proxy alone", i, l.Mode))
		}
	}
	for i, pattern := range c.PassThrough {
		if why := hostPatternProblem(pattern); why != "" {
			problems = append(problems, fmt.Errorf("pass_through[%d]: %q %s; write it like files.acme.example, "+
				"*.acme.example or files.acme.example:8443", i, pattern, why))
		}
	}
	for i, host := range c.Control.Hosts {
		if hostPatternProblem(host) != "" || strings.ContainsAny(host, "*:") {
			problems = append(problems, fmt.Errorf("control.hosts[%d]: %q is not a host name", i, host))
		}
	}
	for i, prefix := range c.Guard.Allow {
		if _, err := netip.ParsePrefix(prefix); err != nil {
			problems = append(problems, fmt.Errorf("guard.allow[%d]: %q is not a CIDR prefix; write it like 10.0.0.0/8", i, prefix))
		}
	}
	return problems
}

// checkSinks checks each sink and that their names differ: the cursor of a sink
// is stored under its name, so two sinks of one name would skip each other's
// records.
func (c *Config) checkSinks() (problems []error) {
	used := map[string]bool{}
	for i := range c.Sinks {
		sink := &c.Sinks[i]
		for _, err := range sink.Check() {
			problems = append(problems, fmt.Errorf("sinks[%d].%w", i, err))
		}
		if used[sink.Name] {
			problems = append(problems, fmt.Errorf("sinks[%d].name: %q is the name of two sinks, which would share one cursor", i, sink.Name))
		}
		used[sink.Name] = true
	}
	return problems
}

// checkSections lets each package check the section that it owns.
func (c *Config) checkSections() (problems []error) {
	for _, section := range []struct {
		key    string
		config interface{ Check() []error }
	}{
		{"policy", &c.Policy},
		{"vault", &c.Vault},
		{"lease", &c.Lease},
		{"task", &c.Task},
		{"audit", &c.Audit},
		{"wire", &c.Wire},
		{"upstream", &c.Upstream},
	} {
		for _, err := range section.config.Check() {
			problems = append(problems, fmt.Errorf("%s.%w", section.key, err))
		}
	}
	return problems
}

// Prefixes returns Allow parsed. It omits entries that are not valid prefixes,
// which Check reports.
func (g *Guard) Prefixes() []netip.Prefix {
	var prefixes []netip.Prefix
	for _, text := range g.Allow {
		if prefix, err := netip.ParsePrefix(text); err == nil {
			prefixes = append(prefixes, prefix)
		}
	}
	return prefixes
}

// validAddress reports whether address is host:port with a numeric port; port 0
// asks for a free one.
func validAddress(address string) bool {
	_, port, err := net.SplitHostPort(address)
	return err == nil && validPort(port, 0)
}

// validPort reports whether port is a number from lowest to 65535.
func validPort(port string, lowest int) bool {
	n, err := strconv.Atoi(port)
	return err == nil && n >= lowest && n <= 65535
}

// hostPatternProblem says in a few words why pattern is not a host name, an IP
// address (IPv6 in brackets) or *.suffix, each with or without a port. It
// returns "" if pattern is valid.
func hostPatternProblem(pattern string) string {
	host := pattern
	colon := strings.LastIndexByte(pattern, ':')
	if colon >= 0 && !strings.HasSuffix(pattern, "]") {
		host = pattern[:colon]
		if !validPort(pattern[colon+1:], 1) {
			return "does not end in a port from 1 to 65535"
		}
	}

	if strings.HasPrefix(host, "[") || strings.Contains(host, ":") {
		addr, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"))
		if err != nil || !addr.Is6() || host[0] != '[' {
			return "is not an IPv6 address in brackets"
		}
		return ""
	}

	name, isSuffix := strings.CutPrefix(host, "*.")
	if isSuffix && !strings.Contains(name, ".") {
		return "covers a whole top-level domain"
	}
	for label := range strings.SplitSeq(name, ".") {
		if !validLabel(label) {
			return "is not a host name"
		}
	}
	return ""
}

// validLabel reports whether label may be a label of a host name, in either
// case. Underscores are accepted because names in intranets contain them.
func validLabel(label string) bool {
	const allowed = "abcdefghijklmnopqrstuvwxyz0123456789-_"
	return label != "" && len(label) <= 63 && strings.Trim(strings.ToLower(label), allowed) == ""
}

// isUnseen reports whether a name must not hold r: a control character, a mark of the
// direction of writing, or another character that is not seen.
func isUnseen(r rune) bool { return !unicode.IsGraphic(r) }
