package adapters

// headerKind sets one header from the secret; kind bearer is that header of RFC 6750.
type headerKind struct{}

func (headerKind) Next(d *Dialogue, _ *Reply) (*Step, error) {
	name, text := d.a.spec.Login.Header, d.a.spec.Login.Value
	if d.a.spec.Login.Kind == "bearer" {
		if name = "Authorization"; text == "" {
			text = "Bearer ${token}"
		}
	}
	return nil, d.setHeader(name, text)
}
