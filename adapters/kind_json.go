package adapters

// jsonKind logs in as a page's script does.
type jsonKind struct{}

func (jsonKind) Next(d *Dialogue, last *Reply) (*Step, error) {
	step, err := d.nextStep(last)
	if err != nil {
		return nil, err
	}
	if step == nil {
		return nil, d.sessionHeaders()
	}
	step.wants("application/json, text/plain, */*", "cors", "empty")
	return step, nil
}
