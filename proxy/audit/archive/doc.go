// Package archive moves old segments of a log to other storage, and removes those
// that were kept long enough. It may run while the log is written.
//
// For each segment the steps are, each durable before the next:
//
//  1. The segment is copied, and the copy is read back and compared.
//  2. A record of the log says what was moved where: its lines, its digest, and the
//     root of the tree at its end.
//  3. The segment is removed from the directory of the log.
//
// Wherever this is killed, the log and its copy together hold every record. The next
// run continues: it finds the copy, compares it, and records the step again if it
// cannot know that it was recorded.
package archive
