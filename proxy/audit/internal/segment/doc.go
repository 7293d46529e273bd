// Package segment finds the files of a log and reads their lines. It knows
// nothing of records.
//
// A segment is a file of lines. The writer fills the last segment of a log with
// zero bytes ahead of time, so a reader finds zeros, and after a crash perhaps
// pieces of unacknowledged lines, after the last whole line.
package segment
