package audittest

// Vector is a log or a proof and what a verifier must say of it. Anybody's
// verifier may be held against them.
type Vector struct {
	Name      string   `json:"name"`
	Path      string   `json:"path"` // a log's folder, or a proof
	Keys      []string `json:"keys"`
	Kept      string   `json:"kept,omitempty"`
	Witnesses []string `json:"witnesses,omitempty"`
	Quorum    int      `json:"quorum,omitempty"`
	Bad       bool     `json:"bad,omitempty"`
	Seq       *uint64  `json:"seq,omitempty"` // of the first bad record, where one is named
}
