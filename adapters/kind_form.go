package adapters

// formKind fills in a login page as a browser does.
type formKind struct{}

func (formKind) Next(d *Dialogue, last *Reply) (*Step, error) {
	step, err := d.nextStep(last)
	if err != nil {
		return nil, err
	}
	if step == nil {
		return nil, d.sessionHeaders()
	}
	step.wants("text/html,application/xhtml+xml,*/*;q=0.8", "navigate", "document")
	return step, nil
}

// wants adds what the step does not say itself (Fetch Metadata, W3C).
func (s *Step) wants(accept, mode, dest string) {
	for _, f := range [...]Field{{Name: "Accept", Value: accept}, {Name: "Sec-Fetch-Mode", Value: mode}, {Name: "Sec-Fetch-Dest", Value: dest}} {
		if fieldValue(s.Fields, f.Name) == "" {
			s.Fields = append(s.Fields, f)
		}
	}
}
