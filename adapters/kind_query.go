package adapters

// queryKind sets parameters from the secret: no request.
type queryKind struct{}

func (queryKind) Next(d *Dialogue, _ *Reply) (*Step, error) { return nil, d.sessionQuery() }
