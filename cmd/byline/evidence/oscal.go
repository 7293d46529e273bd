package evidence

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"time"
)

// assessmentResults returns the OSCAL document: an observation and a finding for each
// practice of SP 800-171. A practice with which Byline only helps is never called
// satisfied. files are the files that the document refers to.
func (e *Export) assessmentResults(files []File) (map[string]assessmentResults, error) {
	period := e.Figures.Period.String()
	r := result{
		UUID:  e.uuidOfExport("result"),
		Title: "Byline, " + period,
		Description: "What the record of the forward proxy Byline shows about agents' requests to adapted applications in the period. " +
			"It covers only that part of the system; the assessor judges the whole.",
		Start: e.start().Format(time.RFC3339),
		End:   e.end().Format(time.RFC3339),
		Local: localDefinitions{Components: e.components(), Assets: e.assessmentAssets()},
	}

	var controls []control
	for _, p := range Practices() {
		if p.Framework != sp800171 {
			continue
		}
		o, err := e.observation(&p, files)
		if err != nil {
			return nil, err
		}
		r.Observations = append(r.Observations, o)
		r.Findings = append(r.Findings, e.finding(&p, o.UUID))
		controls = append(controls, control{controlID(p.ID)})
	}
	r.Reviewed = reviewed{
		Description: "Security requirements of NIST SP 800-171 Rev. 2, which CMMC Level 2 adopts. NIST has no OSCAL catalog of that revision: " +
			"an id here is sp800-171_ and the number of the requirement, and that of its statement has the suffix _smt.",
		Selections: []selection{{controls}},
	}

	results := assessmentResults{
		UUID: e.uuidOfExport("assessment-results"),
		Metadata: metadata{
			Title:        "Evidence of the forward proxy Byline",
			LastModified: e.made(),
			Version:      e.end().Format("2006.01.02"),
			OSCALVersion: oscalVersion,
		},
		ImportAP: href{
			Href:    "#" + e.uuidOfExport("plan"),
			Remarks: "The assessment plan is the assessing organization's; this reference stands in for it.",
		},
		Results:    []result{r},
		BackMatter: resourceList{e.resources(files)},
	}
	return map[string]assessmentResults{"assessment-results": results}, nil
}

// made is the time of the export.
func (e *Export) made() string { return e.Made.UTC().Format(time.RFC3339) }

// origins names this program as the source of observations and findings.
func (e *Export) origins() []origin {
	return []origin{{[]actor{{Type: "tool", UUID: e.uuidOfInstance("tool")}}}}
}

func (e *Export) observation(p *Practice, files []File) (observation, error) {
	figure, err := p.Figure(e.Figures)
	if err != nil {
		return observation{}, err
	}

	o := observation{
		UUID:        e.uuidOfExport("observation", p.ID),
		Title:       p.ID + " " + p.Title,
		Description: p.Does,
		Props:       []property{ownProperty("coverage", string(p.Coverage))},
		Methods:     []string{"EXAMINE"},
		Types:       []string{"control-objective"},
		Origins:     e.origins(),
		Subjects:    []subject{{UUID: e.uuidOfInstance("component"), Type: "component"}},
		Evidence:    e.relevantEvidence(p, files),
		Collected:   e.made(),
		Remarks:     strings.TrimSpace(p.Limits),
	}
	if figure != "" {
		o.Props = append(o.Props, ownProperty("figure", figure))
	}
	return o, nil
}

func (e *Export) finding(p *Practice, observation string) finding {
	return finding{
		UUID:        e.uuidOfExport("finding", p.ID),
		Title:       p.ID,
		Description: strings.TrimSpace(p.Does + " " + p.Limits),
		Origins:     e.origins(),
		Target:      target{Type: "statement-id", ID: statementID(p.ID), Status: e.status(p)},
		Related:     []related{{observation}},
	}
}

// status is the finding's status. Satisfied needs full support for the part that this
// component carries, records that show it, and a log that verified.
func (e *Export) status(p *Practice) state {
	if p.Coverage == Supports && e.Verified == "" && e.Figures.Records > 0 {
		return state{
			State:   "satisfied",
			Reason:  "pass",
			Remarks: strings.TrimSpace("Only for agents' requests through this component. " + p.Limits),
		}
	}
	return state{
		State:   "not-satisfied",
		Reason:  "other",
		Remarks: strings.TrimSpace("Byline carries a part of this practice; other parts of the system carry the rest. " + p.Limits),
	}
}

// relevantEvidence refers to each file that the practice's proof names. If it names none,
// the proof itself is the description.
func (e *Export) relevantEvidence(p *Practice, files []File) []evidence {
	if p.Proof == "" {
		return nil
	}

	var all []evidence
	for _, f := range listedFiles(files) {
		if strings.Contains(p.Proof, f.Name) {
			all = append(all, evidence{Href: "#" + e.uuidOfExport("file", f.Name), Description: p.Proof})
		}
	}
	if len(all) == 0 {
		all = []evidence{{Description: p.Proof}}
	}
	return all
}

// resources lists the assessment plan, which the assessor supplies, and the files.
func (e *Export) resources(files []File) []resource {
	all := []resource{{
		UUID:        e.uuidOfExport("plan"),
		Title:       "Assessment plan",
		Description: "To be supplied by the assessor; it is not in this folder, as README.txt says.",
		Props:       []property{{Name: "type", Value: "plan"}},
		Links:       []rlink{{Href: "README.txt", Media: "text/plain"}},
	}}
	for _, f := range listedFiles(files) {
		all = append(all, resource{
			UUID:  e.uuidOfExport("file", f.Name),
			Title: f.Title,
			Props: []property{{Name: "type", Value: "evidence"}},
			Links: []rlink{{Href: f.Name, Media: f.Media, Hashes: []hashValue{{"SHA-256", f.SHA256}}}},
		})
	}
	return all
}

// listedFiles leaves out proofs and segments of the log: there are too many, and
// SHA256SUMS has their digests.
func listedFiles(files []File) []File {
	var listed []File
	for _, f := range files {
		if !strings.HasPrefix(f.Name, "proofs/") && !strings.HasPrefix(f.Name, "log/") {
			listed = append(listed, f)
		}
	}
	return listed
}

// components are what was observed: Byline and its adapters.
func (e *Export) components() []component {
	all := []component{{
		UUID:        e.uuidOfInstance("component"),
		Type:        "software",
		Title:       "Byline " + e.Version,
		Description: "A forward proxy that carries agents' requests to adapted applications under compensating accounts.",
		Props:       []property{{Name: "version", Value: oneLine(e.Version)}},
		Status:      state{State: "operational"},
	}}

	for _, a := range e.Adapters {
		all = append(all, component{
			UUID:        e.uuidOfInstance("adapter", a.Name),
			Type:        "interconnection",
			Title:       "adapter " + a.Name,
			Description: "Interim control: " + orNone(a.Reason),
			Props: []property{
				ownProperty("owner", a.Owner),
				ownProperty("review-by", a.ReviewBy),
				ownProperty("digest", a.Digest),
			},
			Status: state{State: "operational"},
		})
	}
	return all
}

// assessmentAssets are what made the observations: this program, not an assessor.
func (e *Export) assessmentAssets() assets {
	tool := component{
		UUID:        e.uuidOfInstance("tool"),
		Type:        "software",
		Title:       "byline evidence",
		Description: "The command that verified the log and counted its records.",
		Props:       []property{{Name: "version", Value: oneLine(e.Version)}},
		Status:      state{State: "operational"},
	}
	return assets{
		Components: []component{tool},
		Platforms: []platform{{
			UUID:  e.uuidOfInstance("platform"),
			Title: "Byline, instance " + e.Instance,
			Uses:  []uses{{tool.UUID}},
		}},
	}
}

// uuidOfExport returns the UUID of something in this export alone.
func (e *Export) uuidOfExport(parts ...string) string {
	return makeUUID(append([]string{e.Instance, e.Figures.Period.String(), e.made()}, parts...)...)
}

// uuidOfInstance returns the UUID of something that is the same in every export of this
// instance. Tools join exports by it.
func (e *Export) uuidOfInstance(parts ...string) string {
	return makeUUID(append([]string{e.Instance, "every export"}, parts...)...)
}

// makeUUID returns the same UUID for the same parts, in the form of version 4. NIST's model
// allows versions 4 and 5, and version 5 would need SHA-1.
func makeUUID(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	sum[6] = sum[6]&0x0f | 0x40
	sum[8] = sum[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}

// controlID returns an id in the form of an OSCAL token, which cannot begin with a digit.
func controlID(id string) string { return "sp800-171_" + id }

// statementID returns the id of a control's whole statement. The target of a finding can
// be a statement or an objective, but not a control.
func statementID(id string) string { return controlID(id) + "_smt" }

// ownProperty returns a property in the namespace of Byline.
func ownProperty(name, value string) property {
	return property{Name: name, NS: ownNamespace, Value: oneLine(value)}
}

// oneLine returns what OSCAL calls a string: one line that is not empty.
func oneLine(s string) string { return orNone(strings.Join(strings.Fields(s), " ")) }

func orNone(s string) string {
	if strings.TrimSpace(s) == "" {
		return "none stated"
	}
	return strings.TrimSpace(s)
}
