package evidence

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"time"
)

// oscal is the folder's assessment results: an observation and a finding for
// each practice of SP 800-171. A practice that Byline only helps with is never
// called satisfied.
func (e *Export) oscal(files []File) (map[string]assessmentResults, error) {
	now := e.Made.UTC().Format(time.RFC3339)
	id := func(parts ...string) string {
		return uuid(append([]string{e.Instance, e.Figures.Period.String(), now}, parts...)...)
	}
	r := result{UUID: id("result"), Title: "Byline, " + e.Figures.Period.String(), Start: e.start().Format(time.RFC3339), End: e.end().Format(time.RFC3339),
		Description: "What the record of the forward proxy Byline shows about agents' requests to adapted applications in the period. It covers that part of the system alone; the assessor decides about the whole.",
		Local:       localDefinitions{e.components(), e.assets()}}
	byTool := []origin{{[]actor{{"tool", e.lasting("tool")}}}}
	var reviewedControls []control
	for _, p := range Practices() {
		if p.Framework != sp800171 {
			continue
		}
		figure, err := p.Figure(e.Figures)
		if err != nil {
			return nil, err
		}
		reviewedControls = append(reviewedControls, control{controlID(p.ID)})
		o := observation{UUID: id("observation", p.ID), Title: p.ID + " " + p.Title, Description: p.Does, Methods: []string{"EXAMINE"}, Types: []string{"control-objective"},
			Props: []property{ours("coverage", string(p.Coverage))}, Origins: byTool, Subjects: []subject{{e.lasting("component"), "component"}},
			Evidence: relevant(&p, files, id), Collected: now, Remarks: strings.TrimSpace(p.Limits)}
		if figure != "" {
			o.Props = append(o.Props, ours("figure", figure))
		}
		r.Observations = append(r.Observations, o)
		r.Findings = append(r.Findings, finding{UUID: id("finding", p.ID), Title: p.ID, Description: strings.TrimSpace(p.Does + " " + p.Limits), Origins: byTool,
			Target: target{"statement-id", statementID(p.ID), e.status(&p)}, Related: []related{{o.UUID}}})
	}
	r.Reviewed = reviewed{"Security requirements of NIST SP 800-171 Rev. 2, which CMMC Level 2 takes over. NIST has no OSCAL catalog of that revision: an id here is sp800-171_ and the requirement's number, its statement's is that with _smt.",
		[]selection{{reviewedControls}}}
	ar := assessmentResults{UUID: id("assessment-results"), Results: []result{r}, ImportAP: href{"#" + id("plan"), "The assessment plan is the assessing organization's; this reference stands in for it."},
		Metadata: metadata{"Evidence of the forward proxy Byline", now, e.end().Format("2006.01.02"), oscalVersion}}
	ar.BackMatter.Resources = append(ar.BackMatter.Resources, resource{UUID: id("plan"), Title: "Assessment plan", Description: "To be supplied by the assessor; it is not in this folder, whose README.txt says so.",
		Props: []property{{Name: "type", Value: "plan"}}, Links: []rlink{{Href: "README.txt", Media: "text/plain"}}})
	for _, f := range listed(files) {
		ar.BackMatter.Resources = append(ar.BackMatter.Resources, resource{UUID: id("file", f.Name), Title: f.Title, Props: []property{{Name: "type", Value: "evidence"}},
			Links: []rlink{{Href: f.Name, Media: f.Media, Hashes: []hashValue{{"SHA-256", f.SHA256}}}}})
	}
	return map[string]assessmentResults{"assessment-results": ar}, nil
}

// listed are the files that are resources by themselves: not each proof and
// segment, which SHA256SUMS has.
func listed(files []File) (some []File) {
	for _, f := range files {
		if !strings.HasPrefix(f.Name, "proofs/") && !strings.HasPrefix(f.Name, "log/") {
			some = append(some, f)
		}
	}
	return some
}

// relevant is the practice's evidence: a reference to each file that its proof
// names, or its proof in words.
func relevant(p *Practice, files []File, id func(...string) string) (all []evidence) {
	if p.Proof == "" {
		return nil
	}
	for _, f := range listed(files) {
		if strings.Contains(p.Proof, f.Name) {
			all = append(all, evidence{"#" + id("file", f.Name), p.Proof})
		}
	}
	if len(all) == 0 {
		all = []evidence{{Description: p.Proof}}
	}
	return all
}

// status: satisfied, as far as this component goes, needs full support, requests
// to show it, and a record that verified.
func (e *Export) status(p *Practice) state {
	s := state{State: "not-satisfied", Reason: "other", Remarks: "Byline carries a part of this practice; the rest lies elsewhere. " + p.Limits}
	if p.Coverage == Supports && e.Verified == "" && e.Figures.Records > 0 {
		s = state{State: "satisfied", Reason: "pass", Remarks: "For agents' requests through this component alone. " + p.Limits}
	}
	s.Remarks = strings.TrimSpace(s.Remarks)
	return s
}

func (e *Export) components() []component {
	all := []component{{UUID: e.lasting("component"), Type: "software", Title: "Byline " + e.Version,
		Description: "A forward proxy that carries agents' requests to adapted applications under compensating accounts.",
		Props:       []property{{Name: "version", Value: line(e.Version)}}, Status: state{State: "operational"}}}
	for _, a := range e.Adapters {
		all = append(all, component{UUID: e.lasting("adapter", a.Name), Type: "interconnection", Title: "adapter " + a.Name, Description: "Interim control: " + orNone(a.Reason),
			Props: []property{ours("owner", a.Owner), ours("review-by", a.ReviewBy), ours("digest", a.Digest)}, Status: state{State: "operational"}})
	}
	return all
}

// assets is what made the observations: this program, not an assessor.
func (e *Export) assets() assets {
	tool := component{UUID: e.lasting("tool"), Type: "software", Title: "byline evidence", Description: "The command that verified the log and counted its records.",
		Props: []property{{Name: "version", Value: line(e.Version)}}, Status: state{State: "operational"}}
	return assets{[]component{tool}, []platform{{e.lasting("platform"), "Byline, instance " + e.Instance, []uses{{tool.UUID}}}}}
}

// lasting is the UUID of what is the same in every export of this instance.
func (e *Export) lasting(parts ...string) string {
	return uuid(append([]string{e.Instance, "every export"}, parts...)...)
}

// controlID is an id of the form that OSCAL's tokens have: it cannot begin with
// a digit.
func controlID(id string) string { return "sp800-171_" + id }

// statementID is the whole of a control as the target of a finding, which can
// be a statement or an objective of a control, but no control.
func statementID(id string) string { return controlID(id) + "_smt" }

// ours is a property under a name of our own.
func ours(name, value string) property { return property{name, ourNamespace, line(value)} }

// line is what OSCAL calls a string: one line that is not empty.
func line(s string) string { return orNone(strings.Join(strings.Fields(s), " ")) }

func orNone(s string) string {
	if strings.TrimSpace(s) == "" {
		return "none stated"
	}
	return strings.TrimSpace(s)
}

// uuid is the same for the same parts, in the shape of version 4; NIST's model
// takes versions 4 and 5, and 5 would need SHA-1.
func uuid(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	sum[6] = sum[6]&0x0f | 0x40
	sum[8] = sum[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}
