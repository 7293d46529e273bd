package audittest

// Vector is a log or a proof, and what a verifier must say of it. The vectors in
// testdata/vectors are for every verifier, not only ours.
type Vector struct {
	Name      string   `json:"name"`
	Path      string   `json:"path"` // directory of a log, or file of a proof
	Keys      []string `json:"keys"`
	Kept      string   `json:"kept,omitempty"` // file of a checkpoint that was kept elsewhere
	Witnesses []string `json:"witnesses,omitempty"`
	Quorum    int      `json:"quorum,omitempty"`
	Bad       bool     `json:"bad,omitempty"`
	Seq       *uint64  `json:"seq,omitempty"` // number of the first bad record; nil if the verifier need not name one
}
