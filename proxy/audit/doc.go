// Package audit puts what happens on record so that an outsider can check it.
//
// A record is one line of JSON. Lines are chained by hash, made durable in
// groups, and sealed by signed checkpoints over a Merkle tree of all lines.
// [Log] writes, [Verify] checks with the public key alone, [Tail] and [Find]
// read. FORMAT.md is enough to write another verifier.
package audit
