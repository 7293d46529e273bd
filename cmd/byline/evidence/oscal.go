package evidence

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"time"
)

// oscalVersion is the version of NIST's model that the results are written in.
const oscalVersion = "1.0.4"

// The part of NIST's OSCAL assessment-results model that a folder of evidence
// needs (https://pages.nist.gov/OSCAL/).
type (
	assessmentResults struct {
		UUID       string       `json:"uuid"`
		Metadata   metadata     `json:"metadata"`
		ImportAP   href         `json:"import-ap"`
		Results    []result     `json:"results"`
		BackMatter resourceList `json:"back-matter"`
	}
	metadata struct {
		Title        string `json:"title"`
		LastModified string `json:"last-modified"`
		Version      string `json:"version"`
		OSCALVersion string `json:"oscal-version"`
	}
	href struct {
		Href    string `json:"href"`
		Remarks string `json:"remarks,omitempty"`
	}
	result struct {
		UUID         string           `json:"uuid"`
		Title        string           `json:"title"`
		Description  string           `json:"description"`
		Start        string           `json:"start"`
		End          string           `json:"end"`
		Local        localDefinitions `json:"local-definitions"`
		Reviewed     reviewed         `json:"reviewed-controls"`
		Observations []observation    `json:"observations"`
		Findings     []finding        `json:"findings"`
	}
	localDefinitions struct {
		Components []component `json:"components"`
	}
	component struct {
		UUID        string     `json:"uuid"`
		Type        string     `json:"type"`
		Title       string     `json:"title"`
		Description string     `json:"description"`
		Props       []property `json:"props,omitempty"`
		Status      state      `json:"status"`
	}
	state struct {
		State   string `json:"state"`
		Reason  string `json:"reason,omitempty"`
		Remarks string `json:"remarks,omitempty"`
	}
	property struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
	reviewed struct {
		Selections []selection `json:"control-selections"`
	}
	selection struct {
		Include []control `json:"include-controls"`
	}
	control struct {
		ID string `json:"control-id"`
	}
	observation struct {
		UUID        string     `json:"uuid"`
		Title       string     `json:"title"`
		Description string     `json:"description"`
		Props       []property `json:"props,omitempty"`
		Methods     []string   `json:"methods"`
		Types       []string   `json:"types"`
		Evidence    []evidence `json:"relevant-evidence"`
		Collected   string     `json:"collected"`
		Remarks     string     `json:"remarks,omitempty"`
	}
	evidence struct {
		Href        string `json:"href"`
		Description string `json:"description"`
	}
	finding struct {
		UUID        string    `json:"uuid"`
		Title       string    `json:"title"`
		Description string    `json:"description"`
		Target      target    `json:"target"`
		Related     []related `json:"related-observations"`
	}
	target struct {
		Type   string `json:"type"`
		ID     string `json:"target-id"`
		Status state  `json:"status"`
	}
	related struct {
		Observation string `json:"observation-uuid"`
	}
	resourceList struct {
		Resources []resource `json:"resources"`
	}
	resource struct {
		UUID  string  `json:"uuid"`
		Title string  `json:"title"`
		Links []rlink `json:"rlinks"`
	}
	rlink struct {
		Href   string      `json:"href"`
		Media  string      `json:"media-type,omitempty"`
		Hashes []hashValue `json:"hashes,omitempty"`
	}
	hashValue struct {
		Algorithm string `json:"algorithm"`
		Value     string `json:"value"`
	}
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
		Local:       localDefinitions{e.components(id)}}
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
			Props: []property{{"coverage", string(p.Coverage)}}, Evidence: []evidence{{"records.jsonl", orNone(p.Proof)}}, Collected: now, Remarks: strings.TrimSpace(p.Limits)}
		if figure != "" {
			o.Props = append(o.Props, property{"figure", figure})
		}
		r.Observations = append(r.Observations, o)
		r.Findings = append(r.Findings, finding{UUID: id("finding", p.ID), Title: p.ID, Description: p.Does + " " + p.Limits,
			Target: target{"objective-id", controlID(p.ID), e.status(&p)}, Related: []related{{o.UUID}}})
	}
	r.Reviewed = reviewed{[]selection{{reviewedControls}}}
	ar := assessmentResults{UUID: id("assessment-results"), Results: []result{r}, ImportAP: href{"#" + id("plan"), "The assessment plan is the assessing organization's; this reference stands in for it."},
		Metadata: metadata{"Evidence of the forward proxy Byline", now, e.end().Format("2006.01.02"), oscalVersion}}
	ar.BackMatter.Resources = append(ar.BackMatter.Resources, resource{UUID: id("plan"), Title: "Assessment plan (to be supplied by the assessor)", Links: []rlink{{Href: "README.txt"}}})
	for _, f := range files {
		if strings.HasPrefix(f.Name, "proofs/") || strings.HasPrefix(f.Name, "log/") {
			continue // SHA256SUMS has them all
		}
		ar.BackMatter.Resources = append(ar.BackMatter.Resources, resource{UUID: id("file", f.Name), Title: f.Title,
			Links: []rlink{{Href: f.Name, Media: f.Media, Hashes: []hashValue{{"SHA-256", f.SHA256}}}}})
	}
	return map[string]assessmentResults{"assessment-results": ar}, nil
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

func (e *Export) components(id func(...string) string) []component {
	all := []component{{UUID: id("component"), Type: "software", Title: "Byline " + e.Version,
		Description: "A forward proxy that carries agents' requests to adapted applications under compensating accounts.", Status: state{State: "operational"}}}
	for _, a := range e.Adapters {
		all = append(all, component{UUID: id("adapter", a.Name), Type: "interconnection", Title: "adapter " + a.Name, Description: "Interim control: " + orNone(a.Reason),
			Props: []property{{"owner", orNone(a.Owner)}, {"review-by", orNone(a.ReviewBy)}, {"digest", a.Digest}}, Status: state{State: "operational"}})
	}
	return all
}

// controlID is an id of the form that OSCAL's tokens have: it cannot begin with
// a digit.
func controlID(id string) string { return "sp800-171_" + id }

func orNone(s string) string {
	if strings.TrimSpace(s) == "" {
		return "none stated"
	}
	return strings.TrimSpace(s)
}

// uuid is the same for the same parts, in the shape of version 4, which is what
// NIST's model asks for.
func uuid(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	sum[6] = sum[6]&0x0f | 0x40
	sum[8] = sum[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}
