package adapters

func init() {
	registerKind(loginKind{name: "query", summary: "parameters from the secret", members: true, Kind: queryKind{}})
}

// queryKind puts values of the secret into the query or the JSON body of every request. It sends no
// request to log in.
type queryKind struct{}

// Check implements [Kind].
func (queryKind) Check(d *draft) {
	if len(d.spec.Login.Query)+len(d.spec.Login.JSON) == 0 {
		d.at("login", "query: {api_key: \"${token}\"}", "login kind \"query\" needs query or json")
	}
}

// Next implements [Kind].
func (queryKind) Next(d *Dialogue, _ *Reply) (*Step, error) { return nil, d.addParams() }
