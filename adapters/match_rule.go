package adapters

import (
	"regexp"
	"strings"
)

// match tries the cheap conditions first; the body comes last. One condition that certainly does not hold is enough for
// differs, whatever is in doubt beside it.
func (rule *rule) match(r *reading, bound *[maxSlots]string) verdict {
	v := rule.matchAll(r, bound)
	for i := range rule.where {
		w := &rule.where[i]
		if value := bound[w.slot]; v == matches && value != "" && !w.fits.MatchString(value) {
			return differs
		}
	}
	return v
}

func (rule *rule) matchAll(r *reading, bound *[maxSlots]string) verdict {
	if !rule.methodFits(r.method) || !rule.pathFits(r, bound) {
		return differs
	}
	if len(rule.contentTypes) > 0 {
		if v := rule.typeFits(r); v != matches {
			return v
		}
	}
	doubt := false
	for i := range rule.header {
		if v := rule.header[i].fits(r.headerValue(rule.header[i].key), bound); v == differs {
			return differs
		} else if v == unsure {
			doubt = true
		}
	}
	for i := range rule.query {
		if v := rule.query[i].fits(r.queryValue(rule.query[i].key), bound); v == differs {
			return differs
		} else if v == unsure {
			doubt = true
		}
	}
	if v := rule.matchBody(r, bound); v != matches || !doubt {
		return v
	}
	return unsure
}

func (rule *rule) matchBody(r *reading, bound *[maxSlots]string) verdict {
	if len(rule.form)+len(rule.param)+len(rule.json)+len(rule.keys)+len(rule.xml) > 0 || rule.graphql != nil {
		if r.bodyUnknown {
			return needsBody // whatever the query says: a field of the same name in the body changes the verdict
		}
		if v := rule.matchFields(r, bound); v != matches {
			return v
		}
	}
	switch {
	case rule.only == nil:
		return matches
	case !rule.only.fitsPairs(rule.only.query, r.pairs, bound):
		return differs
	case r.bodyUnknown:
		return needsBody
	}
	return rule.only.fitsBody(r, rule.batch, bound)
}

func (rule *rule) matchFields(r *reading, bound *[maxSlots]string) verdict {
	if len(rule.form)+len(rule.param) > 0 && !r.readForm() {
		return unsure
	}
	doubt := false
	for i := range rule.form {
		if v := rule.form[i].fits(r.formValue(rule.form[i].key), bound); v == differs {
			return differs
		} else if v == unsure {
			doubt = true
		}
	}
	for i := range rule.param {
		if v := rule.param[i].fits(r.paramValue(rule.param[i].key), bound); v == differs {
			return differs
		} else if v == unsure {
			doubt = true
		}
	}
	if doubt {
		return unsure
	}
	if len(rule.json)+len(rule.keys) > 0 {
		if !r.readJSON() {
			return unsure
		}
		if _, list := r.json.([]any); list && !rule.readsList() {
			return differs
		}
		for _, call := range r.calls(rule.batch) {
			for i := range rule.json {
				if v := rule.json[i].fits(jsonAt(call, rule.json[i].key), bound); v != matches {
					return v
				}
			}
			if !rule.keysFit(call) {
				return differs
			}
		}
	}
	if len(rule.xml) > 0 && !r.readXML() {
		return unsure
	}
	for i := range rule.xml {
		if v := rule.xml[i].fits(r.xmlRoot.at(rule.xml[i].key), bound); v != matches {
			return v
		}
	}
	if rule.graphql != nil {
		return rule.graphql.match(r, rule.batch, bound)
	}
	return matches
}

// readsList: the rule is for a body that is a list, as a batch or by the numbers in its pointers. For any other rule the
// conditions on what is absent would hold for every list.
func (rule *rule) readsList() bool {
	for i := range rule.json {
		if c := rule.json[i].key[0]; !rule.batch && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

func (rule *rule) methodFits(method string) bool {
	if len(rule.methods) == 0 {
		return true
	}
	for _, m := range rule.methods {
		if m == method {
			return true
		}
	}
	return false
}

// typeFits is unsure about a header that two servers may read differently; no header is no type.
func (rule *rule) typeFits(r *reading) verdict {
	if r.q.ContentType == "" {
		switch {
		case r.bodyUnknown:
			return needsBody
		case len(r.q.Body) > 0 || r.q.Truncated:
			return unsure
		}
		return differs
	}
	media, ok := r.mediaType()
	if !ok {
		return unsure
	}
	var none [maxSlots]string
	for i := range rule.contentTypes {
		if rule.contentTypes[i].match(media, &none) {
			return matches
		}
	}
	return differs
}

func (rule *rule) action(bound *[maxSlots]string) Action {
	act := rule.names
	if act.Resource = rule.plainResource; rule.resource != nil {
		act.Resource = fill(rule.resource, bound)
	}
	return act
}

// fill writes a template over bound variables.
func fill(template []part, bound *[maxSlots]string) string {
	var b strings.Builder
	for i := range template {
		p := &template[i]
		if !p.wild {
			b.WriteString(p.text)
			continue
		}
		value := bound[p.slot]
		for _, f := range p.filters {
			value = f(value)
		}
		b.WriteString(value)
	}
	return b.String()
}

// fits tries the alternatives in order.
func (c *cond) fits(value field, bound *[maxSlots]string) verdict {
	switch value.state {
	case doubtful:
		return unsure
	case absent:
		if c.absent {
			return matches
		}
		return differs
	}
	if value.text == "" && c.absent {
		return matches
	}
	for i := range c.patterns {
		saved := *bound
		if c.patterns[i].match(value.text, bound) {
			return matches
		}
		*bound = saved
	}
	return differs
}

type rule struct {
	names         Action
	methods       []string
	paths         []pathPattern
	query, form   []cond
	param, json   []cond
	header, xml   []cond
	graphql       *graphqlRule // nil: none
	batch         bool
	contentTypes  []pattern
	where         []limit
	keys          []keysAt
	only          *allowance // nil: any further parameter may come
	resource      []part
	plainResource string
	vars          slots
}

// limit is what a variable must look like.
type limit struct {
	slot int
	fits *regexp.Regexp
}

// keysAt is which keys an object in a JSON body may have.
type keysAt struct {
	path []string
	may  []pattern
}

// cond is one parameter and the patterns it may have.
type cond struct {
	key      string
	patterns []pattern
	absent   bool // "" is among them: absent or empty
}
