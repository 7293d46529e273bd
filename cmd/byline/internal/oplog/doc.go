// Package oplog writes the operator's log, which byline serve writes to standard
// error. In JSON each line is one object, from the first line to the last, whoever
// wrote it: a command line that is wrong, a library, the Go runtime. No failure fills
// the log, however often it is repeated; see [Limiter].
package oplog
