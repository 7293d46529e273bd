package evidence

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// results are the assessment results in a folder, and their text.
func results(t *testing.T, dir string) (assessmentResults, []byte) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "assessment-results.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]assessmentResults
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	return all["assessment-results"], text
}

func compile(t *testing.T) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	schema, err := c.Compile("testdata/assessment-results.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func validate(t *testing.T, text []byte) error {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return compile(t).Validate(v)
}

func TestTheResultsAreOSCAL(t *testing.T) {
	dir, _ := writeFolder(t, nil)
	_, text := results(t, dir)
	if err := validate(t, text); err != nil {
		t.Errorf("%v", err)
	}
	for was, is := range map[string]string{`"not-satisfied"`: `"perhaps"`, `"oscal-version"`: `"oscal"`, `"sp800-171_3.1.1"`: `"3.1.1"`, `"import-ap"`: `"plan"`,
		`"statement-id"`: `"control-id"`, `"tool"`: `"program"`, `"https://byline.dev/ns/oscal"`: `"byline"`, `"actor-uuid"`: `"uuid"`} {
		if validate(t, bytes.ReplaceAll(text, []byte(was), []byte(is))) == nil {
			t.Errorf("the schema takes %s for %s", is, was)
		}
	}
}

// TestOddStatementsStayOSCAL: a property is one line, a time has a year, and a
// list is never empty, whatever an adapter's author wrote and the log has.
func TestOddStatementsStayOSCAL(t *testing.T) {
	dir, _ := writeFolder(t, func(e *Export) {
		e.Version = ""
		e.Adapters = append(e.Adapters, Adapter{Name: "bare"}, Adapter{Name: "long", Owner: "secops@acme.example\nand, at night,\n\tthe desk ", Reason: "one\n\ntwo"})
		e.Figures = &Figures{}
		e.Report.From = time.Time{}
	})
	ar, text := results(t, dir)
	if err := validate(t, text); err != nil {
		t.Errorf("%v", err)
	}
	if owner := ar.Results[0].Local.Components[3].Props[0].Value; owner != "secops@acme.example and, at night, the desk" {
		t.Errorf("%q", owner)
	}
}

// TestTheResultsHoldTogether has the rules of NIST's model that no JSON schema
// says: an identifier is one thing's, a reference leads somewhere, and a name
// without a namespace is one of NIST's.
func TestTheResultsHoldTogether(t *testing.T) {
	dir, _ := writeFolder(t, nil)
	ar, text := results(t, dir)
	seen := map[string]bool{}
	for _, part := range strings.Split(string(text), `"uuid": "`)[1:] {
		id, _, _ := strings.Cut(part, `"`)
		if seen[id] {
			t.Errorf("two things have the identifier %s", id)
		}
		seen[id] = true
	}
	r := ar.Results[0]
	files := map[string]bool{}
	for _, f := range ar.BackMatter.Resources {
		files["#"+f.UUID] = true
		if len(f.Links) == 0 || f.Props[0] != (property{Name: "type", Value: "evidence"}) && "#"+f.UUID != ar.ImportAP.Href {
			t.Errorf("%+v", f)
		}
		for _, l := range f.Links {
			body, err := os.ReadFile(filepath.Join(dir, l.Href))
			if err != nil || l.Hashes != nil && l.Hashes[0] != (hashValue{"SHA-256", fmt.Sprintf("%x", sha256.Sum256(body))}) {
				t.Errorf("%s: %v, %v", l.Href, err, l.Hashes)
			}
		}
	}
	if !files[ar.ImportAP.Href] {
		t.Errorf("the plan is at %s, which is nowhere", ar.ImportAP.Href)
	}
	components, tools := identifiers(r.Local.Components), identifiers(r.Local.Assets.Components)
	if uses := r.Local.Assets.Platforms[0].Uses[0].Component; !tools[uses] {
		t.Errorf("the platform uses %s, which is nowhere", uses)
	}
	observations, controls := map[string]bool{}, map[string]bool{}
	for _, c := range r.Reviewed.Selections[0].Include {
		controls[c.ID] = true
	}
	for _, o := range r.Observations {
		observations[o.UUID] = true
		if !components[o.Subjects[0].UUID] || !tools[o.Origins[0].Actors[0].UUID] || !slices.Contains([]string{"EXAMINE", "INTERVIEW", "TEST"}, o.Methods[0]) || o.Types[0] != "control-objective" {
			t.Errorf("%+v", o)
		}
		for _, e := range o.Evidence {
			if e.Href != "" && !files[e.Href] {
				t.Errorf("%s: the evidence %s is nowhere", o.Title, e.Href)
			}
		}
	}
	for _, f := range r.Findings {
		control, whole := strings.CutSuffix(f.Target.ID, "_smt")
		if !whole || !controls[control] || !observations[f.Related[0].Observation] || !tools[f.Origins[0].Actors[0].UUID] {
			t.Errorf("%+v", f)
		}
		delete(controls, control)
	}
	if len(controls) > 0 {
		t.Errorf("controls without a finding: %v", controls)
	}
	for _, p := range properties(r) {
		if p.NS == "" && p.Name != "version" {
			t.Errorf("NIST's model has no property %q here", p.Name)
		}
	}
}

// TestWhatLastsKeepsItsIdentifier: tools join the exports of two months by it.
func TestWhatLastsKeepsItsIdentifier(t *testing.T) {
	lasts := func(later time.Duration) (assessmentResults, []component) {
		dir, _ := writeFolder(t, func(e *Export) { e.Made = e.Made.Add(later) })
		ar, _ := results(t, dir)
		return ar, append(ar.Results[0].Local.Components, ar.Results[0].Local.Assets.Components...)
	}
	first, components := lasts(0)
	second, again := lasts(30 * 24 * time.Hour)
	if first.UUID == second.UUID || first.Results[0].UUID == second.Results[0].UUID || first.Results[0].Findings[0].UUID == second.Results[0].Findings[0].UUID {
		t.Error("results of two exports have one identifier")
	}
	for i := range components {
		if components[i].UUID != again[i].UUID {
			t.Errorf("%s has another identifier in the next export", components[i].Title)
		}
	}
}

func identifiers(all []component) map[string]bool {
	ids := map[string]bool{}
	for _, c := range all {
		ids[c.UUID] = true
	}
	return ids
}

func properties(r result) (all []property) {
	for _, c := range append(r.Local.Components, r.Local.Assets.Components...) {
		all = append(all, c.Props...)
	}
	for _, o := range r.Observations {
		all = append(all, o.Props...)
	}
	return all
}
