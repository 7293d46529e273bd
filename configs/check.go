package configs

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Check lists what is wrong, each beginning with its key path.
func (c *Config) Check() (problems []error) {
	add := func(bad bool, format string, a ...any) {
		if bad {
			problems = append(problems, fmt.Errorf(format, a...))
		}
	}
	add(c.DataDir == "", "data_dir: is missing; name the folder that holds the server's state")
	add(badAddress(c.Listen), "listen: %q is no address with a port; write it like 127.0.0.1:8080", c.Listen)
	add(badAddress(c.Control.Listen), "control.listen: %q is no address with a port; write it like 127.0.0.1:8081", c.Control.Listen)
	add((c.TLS.Cert == "") != (c.TLS.Key == ""), "tls: needs both cert and key, or neither")
	add(c.Drain < 0, "drain: must not be negative")
	add(strings.TrimSpace(c.Instance) == "" || strings.ContainsFunc(c.Instance, isControl), "instance: must be a name without control characters")
	for _, o := range []struct {
		key, value string
		allowed    []string
	}{{"adapters.overdue", c.Adapters.Overdue, Overdue}, {"log.level", c.Log.Level, Levels}, {"log.format", c.Log.Format, Formats}} {
		add(!slices.Contains(o.allowed, o.value), "%s: %q is none of %s", o.key, o.value, strings.Join(o.allowed, ", "))
	}
	for i, h := range c.PassThrough {
		why := badHost(h)
		add(why != "", "pass_through[%d]: %q %s; write it like files.acme.example, *.acme.example or files.acme.example:8443", i, h, why)
	}
	for i, h := range c.Control.Hosts {
		add(badHost(h) != "" || strings.ContainsAny(h, "*:"), "control.hosts[%d]: %q is no host name", i, h)
	}
	for i, s := range c.Guard.Allow {
		_, err := netip.ParsePrefix(s)
		add(err != nil, "guard.allow[%d]: %q is no prefix; write it like 10.0.0.0/8", i, s)
	}
	named := map[string]bool{}
	for i := range c.Sinks {
		for _, err := range c.Sinks[i].Check() {
			problems = append(problems, fmt.Errorf("sinks[%d].%w", i, err))
		}
		add(named[c.Sinks[i].Name], "sinks[%d].name: %q is the name of two sinks, whose cursors would be one", i, c.Sinks[i].Name)
		named[c.Sinks[i].Name] = true
	}
	return append(problems, c.checkRooms()...)
}

// The values that a key may have, for Check and the schema.
var (
	Overdue = []string{"warn", "refuse"}
	Levels  = []string{"debug", "info", "warn", "error"}
	Formats = []string{"json", "text"}
)

func (c *Config) checkRooms() (problems []error) {
	for _, room := range []struct {
		key    string
		config interface{ Check() []error }
	}{{"policy", &c.Policy}, {"vault", &c.Vault}, {"lease", &c.Lease}, {"task", &c.Task}, {"audit", &c.Audit}, {"wire", &c.Wire}, {"upstream", &c.Upstream}} {
		for _, err := range room.config.Check() {
			problems = append(problems, fmt.Errorf("%s.%w", room.key, err))
		}
	}
	return problems
}

func badAddress(a string) bool {
	_, port, err := net.SplitHostPort(a)
	return err != nil || badPort(port, 0)
}

func badPort(port string, least int) bool {
	n, err := strconv.Atoi(port)
	return err != nil || n < least || n > 65535
}

// badHost tells why a pattern of hosts is none, or "".
func badHost(pattern string) string {
	host, port := pattern, ""
	if i := strings.LastIndexByte(pattern, ':'); i >= 0 && !strings.HasSuffix(pattern, "]") {
		host, port = pattern[:i], pattern[i+1:]
		if badPort(port, 1) {
			return "has no port from 1 to 65535"
		}
	}
	if strings.HasPrefix(host, "[") || strings.Contains(host, ":") {
		if a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")); err != nil || !a.Is6() || host[0] != '[' {
			return "is no IPv6 address in brackets"
		}
		return ""
	}
	name, wild := strings.CutPrefix(host, "*.")
	if wild && !strings.Contains(name, ".") {
		return "covers a whole top-level domain"
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || strings.Trim(strings.ToLower(label), "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return "is no host name"
		}
	}
	return ""
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// Prefixes is Allow parsed; what does not parse is left out, see Check.
func (g *Guard) Prefixes() (out []netip.Prefix) {
	for _, s := range g.Allow {
		if p, err := netip.ParsePrefix(s); err == nil {
			out = append(out, p)
		}
	}
	return out
}
