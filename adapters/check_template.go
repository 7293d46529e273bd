package adapters

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/byline-proxy/byline/adapters/internal/text"
)

// templateNames are the variables that a template may use besides those of the secret: what earlier steps took.
type templateNames map[string]bool

// secretNames are the variables that every template may use. They are the usual fields of a secret, and totp.
var secretNames = []string{"username", "password", "totp", "totp_seed", "token", "client_id", "client_secret", "refresh_token", "api_key"}

// templateExpression finds ${…}, an unfinished one, and the literal $${.
var templateExpression = regexp.MustCompile(`\$\$\{|\$\{([^}]*)\}?`)

// checkTemplate reports filters that there are not, and variables that nothing sets.
func (d *draft) checkTemplate(key, template string, names templateNames) {
	for _, m := range templateExpression.FindAllStringSubmatch(template, -1) {
		if m[0] == "$${" {
			continue
		}

		name, chain, _ := strings.Cut(m[1], "|")
		name = strings.TrimSpace(name)
		for f := range strings.SplitSeq(chain, "|") {
			f = strings.TrimSpace(f)
			if f != "" && filters[f] == nil {
				d.at(key, text.Nearest(f, slices.Collect(maps.Keys(filters))), "there is no filter %q", f)
			}
		}

		switch {
		case !strings.HasSuffix(m[0], "}") || name == "":
			d.at(key, "", "%q has a ${ without a name and }", template)
		case !names[name] && !slices.Contains(secretNames, name):
			known := append(slices.Sorted(maps.Keys(names)), secretNames...)
			d.at(key, text.Nearest(name, known), "${%s} is taken by no earlier step and is no field of a secret", name)
		}
	}
}

// checkJSON checks every string of a JSON value, however deep.
func (d *draft) checkJSON(key string, v any, names templateNames) {
	switch v := v.(type) {
	case string:
		d.checkTemplate(key, v, names)
	case map[string]any:
		for name, member := range v {
			d.checkJSON(key+"."+name, member, names)
		}
	case []any:
		for i, element := range v {
			d.checkJSON(fmt.Sprintf("%s[%d]", key, i), element, names)
		}
	}
}

// checkTemplateName reports a name that templates cannot use.
func (d *draft) checkTemplateName(key, name string) {
	if !isVariableName(name) {
		d.at(key, "lower case letters, digits and _", "%q is not a name for a template", name)
	}
}
