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

// Types of entities.
const (
	typeAgent    = types.EntityType("Agent")
	typeSponsor  = types.EntityType("Sponsor")
	typeTask     = types.EntityType("Task")
	typeAction   = types.EntityType("Action")
	typeResource = types.EntityType("Resource")
	typeAdapter  = types.EntityType("Adapter")
)

// loginGroup is the group of all logins, of every adapter.
const loginGroup = "login"

// check adds a problem for each name that does not exist, and for a condition
// that can fail.
func (r *rule) check(known *Catalog, problems *Problems) {
	at := r.tree.Position
	before := len(*problems)
	entities := entitiesOf(r.tree)
	for _, e := range entities {
		if why := known.whyUnknown(e); why != "" {
			problems.add(at.Filename, at.Line, "%s %s", e, why)
		}
	}
	if head, ok := r.tree.Action.(ast.ScopeTypeEq); ok && isGroup(string(head.Entity.ID)) {
		problems.add(at.Filename, at.Line, "action == %s names a group; write action in %[1]s", head.Entity)
	}
	if len(*problems) > before {
		return // the validator would only repeat that the names are unknown
	}

	if err := r.validate(schemaFor(entities)); err != nil {
		text := strings.TrimPrefix(err.Error(), fmt.Sprintf("for policy `%s`, ", r.id))
		problems.add(at.Filename, at.Line, "%s", text)
	}
}

// validate returns why a condition can fail on requests of a schema, or why the
// head matches no request.
func (r *rule) validate(schemaText string) error {
	var s schema.Schema
	if err := s.UnmarshalCedar([]byte(schemaText)); err != nil {
		return err
	}
	resolved, err := s.Resolve()
	if err != nil {
		return err
	}
	return validate.New(resolved).Policy(r.id, r.tree)
}

// schemaHead describes principals, resources and the context in Cedar's schema
// language. schemaFor adds the actions.
const schemaHead = `entity Sponsor; entity Task; entity Adapter;
entity Agent in [Sponsor, Task] { agent: String, sponsor: String, task: String, purpose: String, grant: String };
entity Resource in [Adapter] { adapter: String, name: String };
type Circumstances = { privileged: Bool, method: String, host: String, path: String, hour: Long, weekday: String,
  now: datetime, agent: String, sponsor: String };
`

// schemaFor returns the schema for a policy that names the entities. It has the
// actions among them and, for each group and for all other actions, one action
// that stands for the rest, since actions differ only in their names.
func schemaFor(entities []types.EntityUID) string {
	groups := map[string]bool{loginGroup: true}
	actions := map[string]bool{"any:any": true}
	for _, e := range entities {
		id := string(e.ID)
		switch {
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
	b.WriteString(schemaHead)
	for _, id := range slices.Sorted(maps.Keys(actions)) {
		adapter, action, _ := strings.Cut(id, ":")
		var parents []string
		for _, g := range groupsOf(adapter, action) {
			groups[g] = true
			parents = append(parents, quote(g))
		}
		fmt.Fprintf(&b, "action %s in [%s] appliesTo { principal: Agent, resource: Resource, context: Circumstances };\n",
			quote(id), strings.Join(parents, ", "))
	}
	for _, g := range slices.Sorted(maps.Keys(groups)) {
		fmt.Fprintf(&b, "action %s;\n", quote(g))
	}
	return b.String()
}

func quote(s string) string { return string(types.String(s).MarshalCedar()) }

// entitiesOf returns every entity that the policy names.
func entitiesOf(p *ast.Policy) (entities []types.EntityUID) {
	for _, head := range []ast.IsScopeNode{p.Principal, p.Action, p.Resource} {
		switch h := head.(type) {
		case ast.ScopeTypeEq:
			entities = append(entities, h.Entity)
		case ast.ScopeTypeIn:
			entities = append(entities, h.Entity)
		case ast.ScopeTypeIsIn:
			entities = append(entities, h.Entity)
		case ast.ScopeTypeInSet:
			entities = append(entities, h.Entities...)
		}
	}

	visit := func(n ast.IsNode) (visitChildren bool) {
		if v, ok := n.(ast.NodeValue); ok {
			if e, ok := v.Value.(types.EntityUID); ok {
				entities = append(entities, e)
			}
		}
		return true
	}
	for _, c := range p.Conditions {
		ast.Inspect(ast.NewNode(c.Body), visit)
	}
	return entities
}

// whyUnknown returns why a policy may not name the entity, or "". A nil Catalog
// knows every adapter and action.
func (c *Catalog) whyUnknown(e types.EntityUID) string {
	adapter, name, hasAdapter := strings.Cut(string(e.ID), ":")
	switch e.Type {
	case typeAgent, typeSponsor, typeTask:
		return ""

	case typeAdapter:
		return c.whyUnknownAdapter(string(e.ID))

	case typeAction:
		if string(e.ID) == loginGroup {
			return ""
		}
		if !hasAdapter || adapter == "" || name == "" {
			return `is not an action; write Action::"<adapter>:<action>", like Action::"mediawiki:page.read"`
		}
		return c.whyUnknownAction(adapter, name)

	case typeResource:
		if !hasAdapter || adapter == "" {
			return `is not a resource; write Resource::"<adapter>:<resource>", or resource.name like "…" for many`
		}
		return c.whyUnknownAdapter(adapter)
	}
	return "has an unknown type; the types are Agent, Sponsor, Task, Action, Resource and Adapter, without a namespace"
}

func (c *Catalog) whyUnknownAdapter(adapter string) string {
	if c == nil {
		return ""
	}
	if _, ok := c.Adapters[adapter]; !ok {
		return fmt.Sprintf("names an adapter that is not loaded (known: %s)", joinNames(slices.Sorted(maps.Keys(c.Adapters))))
	}
	return ""
}

func (c *Catalog) whyUnknownAction(adapter, name string) string {
	namesGroup := isGroup(name)
	if strings.Contains(name, "*") && !namesGroup {
		return `is not an action; * stands only for a whole name, as in Action::"mediawiki:page.*"`
	}
	if why := c.whyUnknownAdapter(adapter); c == nil || why != "" {
		return why
	}

	actions := c.Adapters[adapter]
	for _, a := range actions {
		if a == name || namesGroup && slices.Contains(groupsOf(adapter, a), adapter+":"+name) {
			return ""
		}
	}
	return fmt.Sprintf("names no action of %s (known: %s)", adapter, joinNames(slices.Sorted(slices.Values(actions))))
}

// isGroup reports whether a name, with or without its adapter, is that of a
// group of actions: "login", "mediawiki:*", "mediawiki:page.*", "page.*", "*".
func isGroup(name string) bool {
	_, after, isQualified := strings.Cut(name, ":")
	if isQualified {
		name = after
	}
	if name == loginGroup && !isQualified {
		return true
	}

	stem, ok := strings.CutSuffix(name, "*")
	if !ok || strings.Contains(stem, "*") {
		return false
	}
	return stem == "" || strings.HasSuffix(stem, ".") && stem != "."
}

func joinNames(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}
