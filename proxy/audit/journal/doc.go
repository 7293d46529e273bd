// Package journal writes the audit log. Package audit defines the format and
// reads and verifies it.
//
// # Durability
//
// [Log.Append] only puts a record into the pending group in memory. One
// goroutine, the committer, writes the group to the last segment and syncs the
// file. After that, and not before, the [Ticket] of each record in the group
// reports success: the record is acknowledged. While one group is being synced
// the next one gathers, so many records share one sync.
//
// A crash, of the process or of the machine, loses no acknowledged record. It
// may leave some of the lines of the last group, whole or in part. [Open] keeps
// the whole lines, because they continue the chain, cuts the rest, and records
// that it did. If a write or a sync fails, the group is refused and cut, and so
// is every record that arrives before the disk works again.
//
// # Goroutines
//
//   - Callers of Append share the pending group, under Log.mu, which is never
//     held during I/O.
//   - The committer alone owns the writer: the segment file and the state of
//     the chain.
//   - The preallocation fills a file with zeros for the next segment. The
//     committer takes the file when it is complete.
//   - The publisher makes tiles from the lines up to the newest durable
//     checkpoint and then publishes the checkpoint.
//   - Each witness has a goroutine that asks it to sign published checkpoints.
//   - Each [Feed] reads the segments and delivers their lines to a [Sink].
//
// Only the committer can delay a record. The others read what it made durable,
// and if they fail they continue from there.
//
// # Files
//
// The directory of a log holds the segments; the file lock, which keeps out a
// second writer; next.zeros, the file that is being preallocated; tiles, the
// directory of the publisher; and sinks, the cursors of the feeds.
package journal
