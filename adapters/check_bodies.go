package adapters

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// adviseBodies is about bodies that go out in Byline's own spelling. own are the file's own actions, which are the first
// ones.
func (d *draft) adviseBodies(own []ActionSpec) {
	for i := range own {
		a := &own[i]
		key := fmt.Sprintf("actions[%d]", i)

		if name := bodyCondition(&a.Match); name != "" && name != "content_type" {
			if header := signedBodyHeader(&a.Match); header != "" {
				d.at(key, "verbatim: true, and without match."+name, "action %q looks at the body, which therefore goes out in Byline's own spelling: what %s says of its bytes does not hold any more", a.Name, header)
			}
		}
		d.adviseFiles(key, a)
		if !a.Verbatim {
			continue
		}
		for j := range own[:i] {
			if name := bodyCondition(&own[j].Match); name != "" && name != "content_type" && sharesRequests(&own[j].Match, &a.Match) {
				d.at(key, "put it before "+own[j].Name, "action %q sends its body as it came, but %q before it looks at the body (match.%s): such requests are refused", a.Name, own[j].Name, name)
				break
			}
		}
	}
}

// signedBodyHeader names a header field in match that depends on the bytes of the body, or returns "".
func signedBodyHeader(m *MatchSpec) string {
	for name := range m.Header {
		folded := strings.ToLower(name)
		if strings.Contains(folded, "signature") || strings.Contains(folded, "digest") || folded == "content-md5" {
			return name
		}
	}
	return ""
}

// sharesRequests reports whether two actions certainly match requests of one method and path.
func sharesRequests(a, b *MatchSpec) bool {
	if len(a.Method) > 0 && len(b.Method) > 0 && !slices.ContainsFunc(a.Method, func(m string) bool { return slices.Contains(b.Method, m) }) {
		return false
	}
	return slices.ContainsFunc(a.Path, func(path string) bool { return path == "/**" || slices.Contains(b.Path, path) })
}

// adviseNames is about parameters of the actions that some server takes for each other: a request that has both is
// refused where either decides.
func (d *draft) adviseNames(x *ruleSet, own []ActionSpec) {
	told := map[string]bool{}
	for i := range own {
		m := &own[i].Match
		for _, name := range slices.Sorted(maps.Keys(mergedNames(m.Query, m.Form, m.Param))) {
			for _, other := range x.rivals[name] {
				if other.both || told[other.name+" "+name] {
					continue
				}
				told[name+" "+other.name] = true
				d.at(fmt.Sprintf("actions[%d]", i), "name it as the application does, in all actions", "action %q is decided by %s, and another action by %s, which PHP and others take for the same parameter: a request with both is refused",
					own[i].Name, name, other.name)
			}
		}
	}
}

func mergedNames(all ...map[string]Strings) map[string]bool {
	merged := map[string]bool{}
	for _, names := range all {
		for name := range names {
			merged[name] = true
		}
	}
	return merged
}

// adviseFiles is about files that are judged like forms.
func (d *draft) adviseFiles(key string, a *ActionSpec) {
	if a.Verbatim || len(a.Match.Method) != 1 || a.Match.Method[0] != "PUT" || bodyCondition(&a.Match) != "" {
		return
	}
	for _, path := range a.Match.Path {
		if strings.HasSuffix(path, "...}") || strings.HasSuffix(path, "/**") {
			d.at(key, "verbatim: true, if they are files", "action %q judges the bodies that are put: one with a field like password in it is refused", a.Name)
			return
		}
	}
}
