// Package merkle computes the Merkle tree of RFC 6962 over the lines of a log
// and keeps it as tiles in a directory (C2SP tlog-tiles).
//
// [Tree] holds what a writer or a verifier needs to compute the root after each
// line. [TileFrontier] holds the hashes at the right edge of the tree that do
// not fill a tile yet. [TileDir] is the directory of tiles.
package merkle
