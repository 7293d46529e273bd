package evidence

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// readResults returns the assessment results of a folder, and their text.
func readResults(t *testing.T, dir string) (assessmentResults, []byte) {
	t.Helper()
	text := readFile(t, dir, "assessment-results.json")
	var all map[string]assessmentResults
	must(t, json.Unmarshal(text, &all))
	return all["assessment-results"], text
}

// validate checks a document against the schema of what NIST's model requires of it.
func validate(t *testing.T, text []byte) error {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	schema, err := c.Compile("testdata/assessment-results.schema.json")
	must(t, err)
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	must(t, err)
	return schema.Validate(v)
}

// TestTheResultsAreOSCAL also checks that the schema notices mistakes.
func TestTheResultsAreOSCAL(t *testing.T) {
	dir, _ := writeFolder(t, nil)
	_, text := readResults(t, dir)
	if err := validate(t, text); err != nil {
		t.Errorf("%v", err)
	}

	for right, wrong := range map[string]string{
		`"not-satisfied"`:               `"perhaps"`,
		`"oscal-version"`:               `"oscal"`,
		`"sp800-171_3.1.1"`:             `"3.1.1"`,
		`"import-ap"`:                   `"plan"`,
		`"statement-id"`:                `"control-id"`,
		`"tool"`:                        `"program"`,
		`"https://byline.dev/ns/oscal"`: `"byline"`,
		`"actor-uuid"`:                  `"uuid"`,
	} {
		if validate(t, bytes.ReplaceAll(text, []byte(right), []byte(wrong))) == nil {
			t.Errorf("the schema accepts %s instead of %s", wrong, right)
		}
	}
}

// TestOddStatementsStayOSCAL checks rules of OSCAL against odd adapters and an empty log: a
// property is one line, a time has a year, a list is not empty.
func TestOddStatementsStayOSCAL(t *testing.T) {
	dir, _ := writeFolder(t, func(e *Export) {
		e.Version = ""
		e.Adapters = append(e.Adapters,
			Adapter{Name: "bare"},
			Adapter{Name: "long", Owner: "secops@acme.example\nand, at night,\n\tthe hotline ", Reason: "one\n\ntwo"})
		e.Figures = &Figures{}
		e.Report.From = time.Time{}
	})

	ar, text := readResults(t, dir)
	if err := validate(t, text); err != nil {
		t.Errorf("%v", err)
	}
	const want = "secops@acme.example and, at night, the hotline"
	if owner := ar.Results[0].Local.Components[3].Props[0].Value; owner != want {
		t.Errorf("the owner is %q, want %q", owner, want)
	}
}

// TestTheResultsHoldTogether checks rules of NIST's model that no JSON schema can state: an
// identifier belongs to one thing, a reference has a target, and a name without a namespace
// is one of NIST's.
func TestTheResultsHoldTogether(t *testing.T) {
	dir, _ := writeFolder(t, nil)
	ar, text := readResults(t, dir)
	r := ar.Results[0]

	seen := map[string]bool{}
	for _, part := range strings.Split(string(text), `"uuid": "`)[1:] {
		id, _, _ := strings.Cut(part, `"`)
		if seen[id] {
			t.Errorf("two things have the identifier %s", id)
		}
		seen[id] = true
	}

	resources := checkResources(t, dir, &ar)
	if !resources[ar.ImportAP.Href] {
		t.Errorf("the plan refers to %s, which does not exist", ar.ImportAP.Href)
	}
	components, tools := identifiers(r.Local.Components), identifiers(r.Local.Assets.Components)
	if uses := r.Local.Assets.Platforms[0].Uses[0].Component; !tools[uses] {
		t.Errorf("the platform uses %s, which does not exist", uses)
	}

	observations := map[string]bool{}
	for _, o := range r.Observations {
		observations[o.UUID] = true
		if !components[o.Subjects[0].UUID] || !tools[o.Origins[0].Actors[0].UUID] {
			t.Errorf("%s: subject or origin does not exist: %+v", o.Title, o)
		}
		if !slices.Contains([]string{"EXAMINE", "INTERVIEW", "TEST"}, o.Methods[0]) || o.Types[0] != "control-objective" {
			t.Errorf("%s: NIST's model has no method %q or type %q", o.Title, o.Methods[0], o.Types[0])
		}
		for _, e := range o.Evidence {
			if e.Href != "" && !resources[e.Href] {
				t.Errorf("%s: the evidence %s does not exist", o.Title, e.Href)
			}
		}
	}

	controls := map[string]bool{} // without a finding
	for _, c := range r.Reviewed.Selections[0].Include {
		controls[c.ID] = true
	}
	for _, f := range r.Findings {
		control, isStatement := strings.CutSuffix(f.Target.ID, "_smt")
		if !isStatement || !controls[control] || !observations[f.Related[0].Observation] || !tools[f.Origins[0].Actors[0].UUID] {
			t.Errorf("%s: control, observation or origin does not exist: %+v", f.Title, f)
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

// checkResources checks that each resource has a file with its digest, and returns the
// references to all of them.
func checkResources(t *testing.T, dir string, ar *assessmentResults) map[string]bool {
	t.Helper()
	references := map[string]bool{}
	for _, f := range ar.BackMatter.Resources {
		reference := "#" + f.UUID
		references[reference] = true

		isEvidence := f.Props[0] == property{Name: "type", Value: "evidence"}
		if len(f.Links) == 0 || !isEvidence && reference != ar.ImportAP.Href {
			t.Errorf("%s: no link, or neither evidence nor the plan: %+v", f.Title, f)
		}
		for _, l := range f.Links {
			digest := fmt.Sprintf("%x", sha256.Sum256(readFile(t, dir, l.Href)))
			if l.Hashes != nil && l.Hashes[0] != (hashValue{"SHA-256", digest}) {
				t.Errorf("%s has the digest %s, the resource says %v", l.Href, digest, l.Hashes)
			}
		}
	}
	return references
}

// TestWhatLastsKeepsItsIdentifier compares the exports of two months, which tools join by
// the identifiers of components.
func TestWhatLastsKeepsItsIdentifier(t *testing.T) {
	export := func(later time.Duration) (assessmentResults, []component) {
		dir, _ := writeFolder(t, func(e *Export) { e.Made = e.Made.Add(later) })
		ar, _ := readResults(t, dir)
		return ar, append(ar.Results[0].Local.Components, ar.Results[0].Local.Assets.Components...)
	}
	first, components := export(0)
	second, later := export(30 * 24 * time.Hour)

	if first.UUID == second.UUID || first.Results[0].UUID == second.Results[0].UUID || first.Results[0].Findings[0].UUID == second.Results[0].Findings[0].UUID {
		t.Error("results of two exports have the same identifier")
	}
	for i := range components {
		if components[i].UUID != later[i].UUID {
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
