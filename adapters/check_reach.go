package adapters

import (
	"fmt"
	"slices"
	"strings"
)

// checkReach reports actions that can never be reached, because earlier ones take every request of them. own is the
// number of the file's own actions, which come first. rules are those of all actions, in order.
func (d *draft) checkReach(own int, rules []*rule) {
	for i := range own {
		if by := takenBy(rules, i); len(by) > 0 && !d.isShadowReported(i, by) {
			d.at(fmt.Sprintf("actions[%d]", i), "put it first", "action %q can never be reached: %s first", d.spec.Actions[i].Name, d.whoTakes(by))
		}
		d.checkMessageReach(i, rules[i])
		d.checkUnboundWhere(i, rules[i])
	}

	for i := own; i < len(rules); i++ {
		a := &d.spec.Actions[i]
		by := takenBy(rules, i)
		if len(by) == 0 || !a.Privileged && !a.Login || !slices.ContainsFunc(by, func(j int) bool { return j < own && isWeaker(&d.spec.Actions[j], a) }) {
			continue
		}
		kind := "privileged"
		if a.Login {
			kind = "a login"
		}
		d.at(fmt.Sprintf("actions[%d]", by[0]), "narrow it, or make it as strict", "action %q hides %q of %s, which is %s", d.spec.Actions[by[0]].Name, a.Name, d.spec.Extends, kind)
	}
}

// checkUnboundWhere reports paths that bind no variable of where, and so are never matched.
func (d *draft) checkUnboundWhere(i int, r *rule) {
	for _, w := range r.where {
		var elsewhere [maxVariables]int
		for _, tests := range [][]valueTest{r.header, r.query, r.form, r.param, r.json, r.xml, r.graphqlArguments()} {
			for j := range tests {
				for k := range tests[j].patterns {
					countVariables(tests[j].patterns[k].parts, &elsewhere)
				}
			}
		}
		if elsewhere[w.variable] > 0 {
			continue
		}
		for k := range r.paths {
			if !r.paths[k].binds(w.variable) {
				d.at(fmt.Sprintf("actions[%d].match.path", i), "a further action for it, without where", "action %q never matches the path %q: where is about {%s}, which that path does not bind",
					d.spec.Actions[i].Name, d.spec.Actions[i].Match.Path[k], r.variables[w.variable])
			}
		}
	}
}

// isWeaker reports whether an action may be granted where another may not.
func isWeaker(a, than *ActionSpec) bool {
	return !a.Login && (than.Login || than.Privileged && !a.Privileged)
}

// isShadowReported reports whether checkShadowed, which knows actions with the same match, has reported action i.
func (d *draft) isShadowReported(i int, by []int) bool {
	return len(by) == 1 && sameMatch(&d.spec.Actions[i].Match, &d.spec.Actions[by[0]].Match)
}

// takenBy returns the earlier rules that together take every request of rule i, each of its methods at each of its
// paths; nil if they do not.
func takenBy(rules []*rule, i int) (by []int) {
	narrow := rules[i]
	methods := narrow.methods
	if len(methods) == 0 {
		methods = []string{""}
	}

	for _, method := range methods {
		for k := range narrow.paths {
			j := slices.IndexFunc(rules[:i], func(wide *rule) bool { return wide.covers(narrow, method, &narrow.paths[k]) })
			if j < 0 {
				return nil
			}
			if !slices.Contains(by, j) {
				by = append(by, j)
			}
		}
	}
	return by
}

// whoTakes names actions, as in "all" on line 7 and "some" on line 8 match its requests.
func (d *draft) whoTakes(by []int) string {
	var all []string
	for _, j := range by {
		all = append(all, fmt.Sprintf("%q on line %d", d.spec.Actions[j].Name, d.line(fmt.Sprintf("actions[%d]", j))))
	}
	if len(all) == 1 {
		return all[0] + " matches its requests"
	}
	return strings.Join(all[:len(all)-1], ", ") + " and " + all[len(all)-1] + " match its requests"
}

// checkMessageReach is checkReach for the messages of an action.
func (d *draft) checkMessageReach(i int, r *rule) {
	if r.socket == nil {
		return
	}
	for k := range r.socket.rules {
		for j := range r.socket.rules[:k] {
			if !r.socket.rules[j].coversMessage(&r.socket.rules[k]) {
				continue
			}
			messages := d.spec.Actions[i].Messages
			d.at(fmt.Sprintf("actions[%d].messages[%d]", i, k), "put it first", "message %q can never be reached: %q matches its messages first", messages[k].Name, messages[j].Name)
			break
		}
	}
}

// coversMessage reports whether the rule takes every message of another. A message that should be JSON and is not ends
// the classification.
func (rule *messageRule) coversMessage(narrow *messageRule) bool {
	if rule.binary || narrow.binary {
		return rule.binary && narrow.binary
	}
	if len(rule.where) > 0 || rule.repeatsVariable() || !coversTests(rule.text, narrow.text, isSame) {
		return false
	}
	if !rule.readsJSON && rule.prefix == nil {
		return true
	}
	isSameForm := (rule.prefix == nil) == (narrow.prefix == nil) && coversPatterns(rule.prefix, narrow.prefix) &&
		slices.Equal(rule.embedded, narrow.embedded) && rule.graphqlAt == narrow.graphqlAt
	return isSameForm && (!rule.readsJSON || narrow.readsJSON && rule.coversBody(narrow.rule))
}
