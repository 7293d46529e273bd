package evidence

// oscalVersion is the oldest version of NIST's model in which the results are valid, so
// that readers of later versions accept them, too.
const oscalVersion = "1.0.4"

// ownNamespace is the namespace of Byline's properties. A name without a namespace would be
// one of NIST's, whose lists are closed.
const ownNamespace = "https://byline.dev/ns/oscal"

// These types are the part of NIST's OSCAL assessment-results model that a folder of
// evidence needs (https://pages.nist.gov/OSCAL/).
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
		Components []component `json:"components"` // what was observed
		Assets     assets      `json:"assessment-assets"`
	}
	assets struct {
		Components []component `json:"components"` // what observed it
		Platforms  []platform  `json:"assessment-platforms"`
	}
	platform struct {
		UUID  string `json:"uuid"`
		Title string `json:"title"`
		Uses  []uses `json:"uses-components"`
	}
	uses struct {
		Component string `json:"component-uuid"`
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
		NS    string `json:"ns,omitempty"` // empty: NIST's
		Value string `json:"value"`
	}
	reviewed struct {
		Description string      `json:"description"`
		Selections  []selection `json:"control-selections"`
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
		Origins     []origin   `json:"origins"`
		Subjects    []subject  `json:"subjects"`
		Evidence    []evidence `json:"relevant-evidence,omitempty"`
		Collected   string     `json:"collected"`
		Remarks     string     `json:"remarks,omitempty"`
	}
	origin struct {
		Actors []actor `json:"actors"`
	}
	actor struct {
		Type string `json:"type"`
		UUID string `json:"actor-uuid"`
	}
	subject struct {
		UUID string `json:"subject-uuid"`
		Type string `json:"type"`
	}
	evidence struct {
		Href        string `json:"href,omitempty"`
		Description string `json:"description"`
	}
	finding struct {
		UUID        string    `json:"uuid"`
		Title       string    `json:"title"`
		Description string    `json:"description"`
		Origins     []origin  `json:"origins"`
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
		UUID        string     `json:"uuid"`
		Title       string     `json:"title"`
		Description string     `json:"description,omitempty"`
		Props       []property `json:"props"`
		Links       []rlink    `json:"rlinks"`
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
