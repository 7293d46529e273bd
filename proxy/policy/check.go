package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
	"github.com/cedar-policy/cedar-go/x/exp/schema"
	"github.com/cedar-policy/cedar-go/x/exp/schema/validate"
)

// Catalog is what policies may name.
type Catalog struct {
	Adapters map[string][]string // actions by adapter
}

// The shape of what policies speak of, in Cedar's schema language. Actions
// follow it, one a line.
const shape = `entity Sponsor; entity Task; entity Adapter;
entity Agent in [Sponsor, Task] { agent: String, sponsor: String, task: String, purpose: String, grant: String };
entity Resource in [Adapter] { adapter: String, name: String };
type Circumstances = { privileged: Bool, method: String, host: String, path: String, hour: Long, weekday: String,
  now: datetime, agent: String, sponsor: String };
`

// Types of entities.
const (
	typeAgent    = types.EntityType("Agent")
	typeSponsor  = types.EntityType("Sponsor")
	typeTask     = types.EntityType("Task")
	typeAction   = types.EntityType("Action")
	typeResource = types.EntityType("Resource")
	typeAdapter  = types.EntityType("Adapter")
)

const loginGroup = "login"

// check finds names that nothing has and conditions that could fail.
func (r *rule) check(known *Catalog, problems *Problems) {
	at := r.tree.Position
	before := len(*problems)
	named := entitiesOf(r.tree)
	for _, e := range named {
		if why := known.refuses(e); why != "" {
			problems.add(at.Filename, at.Line, "%s %s", e, why)
		}
	}
	if h, eq := r.tree.Action.(ast.ScopeTypeEq); eq && isGroup(string(h.Entity.ID)) {
		problems.add(at.Filename, at.Line, "action == %s names a group; write action in %[1]s", h.Entity)
	}
	if len(*problems) > before {
		return // the types of what has no name say nothing more
	}
	if err := r.mistyped(shapeOf(named)); err != nil {
		text := strings.TrimPrefix(err.Error(), fmt.Sprintf("for policy `%s`, ", r.id))
		problems.add(at.Filename, at.Line, "%s", text)
	}
}

// mistyped is why the conditions could fail on requests of this shape, or why
// the head fits none.
func (r *rule) mistyped(shape string) error {
	var s schema.Schema
	if err := s.UnmarshalCedar([]byte(shape)); err != nil {
		return err
	}
	resolved, err := s.Resolve()
	if err != nil {
		return err
	}
	return validate.New(resolved).Policy(r.id, r.tree)
}

// shapeOf is the schema for policies that name these entities. It knows the
// actions among them and, for each group and for all that is not named, one
// action that stands for the rest: they differ in their names alone.
func shapeOf(named []types.EntityUID) string {
	groups, actions := map[string]bool{loginGroup: true}, map[string]bool{"any:any": true}
	for _, e := range named {
		switch id := string(e.ID); {
		case e.Type != typeAction:
		case id == loginGroup:
			actions["any:"+loginGroup] = true
		case isGroup(id):
			actions[strings.TrimSuffix(id, "*")+"any"] = true
		default:
			actions[id] = true
		}
	}
	var b strings.Builder
	b.WriteString(shape)
	for _, id := range slices.Sorted(maps.Keys(actions)) {
		adapter, action, _ := strings.Cut(id, ":")
		var in []string
		for _, g := range groupsOf(adapter, action) {
			groups[g] = true
			in = append(in, quote(g))
		}
		fmt.Fprintf(&b, "action %s in [%s] appliesTo { principal: Agent, resource: Resource, context: Circumstances };\n", quote(id), strings.Join(in, ", "))
	}
	for _, g := range slices.Sorted(maps.Keys(groups)) {
		fmt.Fprintf(&b, "action %s;\n", quote(g))
	}
	return b.String()
}

func quote(s string) string { return string(types.String(s).MarshalCedar()) }

// entitiesOf lists every entity that the policy names.
func entitiesOf(p *ast.Policy) (out []types.EntityUID) {
	for _, head := range []ast.IsScopeNode{p.Principal, p.Action, p.Resource} {
		switch h := head.(type) {
		case ast.ScopeTypeEq:
			out = append(out, h.Entity)
		case ast.ScopeTypeIn:
			out = append(out, h.Entity)
		case ast.ScopeTypeIsIn:
			out = append(out, h.Entity)
		case ast.ScopeTypeInSet:
			out = append(out, h.Entities...)
		}
	}
	for _, c := range p.Conditions {
		ast.Inspect(ast.NewNode(c.Body), func(n ast.IsNode) bool {
			if v, ok := n.(ast.NodeValue); ok {
				if e, ok := v.Value.(types.EntityUID); ok {
					out = append(out, e)
				}
			}
			return true
		})
	}
	return out
}

// refuses tells why a policy may not name this entity, or "".
func (c *Catalog) refuses(e types.EntityUID) string {
	adapter, name, split := strings.Cut(string(e.ID), ":")
	switch e.Type {
	case typeAgent, typeSponsor, typeTask:
		return ""
	case typeAdapter:
		return c.unknown(string(e.ID))
	case typeAction:
		if string(e.ID) == loginGroup {
			return ""
		}
		if !split || adapter == "" || name == "" {
			return `is no action; write Action::"<adapter>:<action>", like Action::"mediawiki:page.read"`
		}
		return c.unknownAction(adapter, name)
	case typeResource:
		if !split || adapter == "" {
			return `is no resource; write Resource::"<adapter>:<resource>", or resource.name like "…" for many`
		}
		return c.unknown(adapter)
	}
	return "is of no type known here; there are Agent, Sponsor, Task, Action, Resource and Adapter, without a namespace"
}

func (c *Catalog) unknown(adapter string) string {
	if c == nil {
		return ""
	}
	if _, ok := c.Adapters[adapter]; !ok {
		return fmt.Sprintf("names no adapter that is loaded (known: %s)", list(slices.Sorted(maps.Keys(c.Adapters))))
	}
	return ""
}

func (c *Catalog) unknownAction(adapter, name string) string {
	group := isGroup(name)
	if strings.Contains(name, "*") && !group {
		return `is no action; * stands only for a whole name, as in Action::"mediawiki:page.*"`
	}
	if why := c.unknown(adapter); c == nil || why != "" {
		return why
	}
	actions := c.Adapters[adapter]
	for _, a := range actions {
		if a == name || group && slices.Contains(groupsOf(adapter, a), adapter+":"+name) {
			return ""
		}
	}
	return fmt.Sprintf("names no action of %s (known: %s)", adapter, list(slices.Sorted(slices.Values(actions))))
}

// isGroup tells whether a name, with or without its adapter, is that of a
// group of actions.
func isGroup(name string) bool {
	_, after, qualified := strings.Cut(name, ":")
	if qualified {
		name = after
	}
	stem, wild := strings.CutSuffix(name, "*")
	return name == loginGroup && !qualified || wild && !strings.Contains(stem, "*") && (stem == "" || strings.HasSuffix(stem, ".") && stem != ".")
}

func list(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}
