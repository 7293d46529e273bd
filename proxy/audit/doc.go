// Package audit defines the audit log: the form of its records, and everything
// that an outsider needs to read and verify it.
//
// A record is one line of JSON in a segment file. Each line holds the hash of
// the line before it, and signed checkpoints cover the Merkle tree of all lines.
// FORMAT.md specifies the format well enough to write another verifier.
//
//   - [Verify] checks a whole log with its public key alone.
//   - [Prove] and [ProveConsistency] make proofs that [VerifyProof] checks
//     without the log.
//   - [Tail], [Find], [FindRelated] and [ReadAll] read records.
//   - [Export] writes the log as C2SP tlog-tiles.
//
// The package journal writes the log.
package audit
